"""Every error that Bellwether raises on purpose.

* BellwetherError
  - ConfigurationError          bellwether.yaml, a BELLWETHER_* variable or an option is wrong
  - DataContractError           the user's data are not what the project file says
    + SourceError               a file, table or column is missing or cannot be read
    + FeatureVectorError        feature columns differ from what a model was trained on
  - HistoryError                the data cannot carry the question
    + ImmatureLabelsError       the horizon reaches past the end of the data
    + EmptyCohortError          nobody is eligible at a moment
    + OneClassError             every label is the same
  - FeatureStoreError           the feature store is missing, stale or answered wrongly
  - ModelUnavailableError       no champion, or its files are gone
    + RegistryDownError         the model registry does not answer
  - ModelContractError          a stored model is corrupt or does not match its card
  - ServiceError                the scoring service cannot start or answer
  - GateError                   a check said no: nothing is broken, but nothing was done

Messages name the thing, the cause and the next step. Foreign errors are translated where they
enter (`raise ... from error`), so that callers meet this tree alone.
"""


class BellwetherError(Exception):
    """Root of all errors that Bellwether raises on purpose."""


class ConfigurationError(BellwetherError):
    """The project file, an environment variable or an option is wrong."""


class DataContractError(BellwetherError):
    """The user's data are not what the project file says they are."""


class SourceError(DataContractError):
    """A file, table or column is missing or cannot be read."""


class FeatureVectorError(DataContractError):
    """Feature columns differ from what a model was trained on."""


class HistoryError(BellwetherError):
    """The data cannot carry the question that was asked of them."""


class ImmatureLabelsError(HistoryError):
    """The horizon reaches past the end of the data: what happened is not known yet."""


class EmptyCohortError(HistoryError):
    """Nobody is eligible at the moment asked for."""


class OneClassError(HistoryError):
    """Every label is the same, so there is nothing to learn."""


class FeatureStoreError(BellwetherError):
    """The feature store is missing, stale, or answered with the wrong rows."""


class ModelUnavailableError(BellwetherError):
    """There is no champion to serve, or its files are gone."""


class RegistryDownError(ModelUnavailableError):
    """The model registry does not answer: a champion served before may still be in the cache."""


class ModelContractError(BellwetherError):
    """A stored model is corrupt or does not match its card."""


class ServiceError(BellwetherError):
    """The scoring service cannot start or answer."""


class GateError(BellwetherError):
    """A check said no. Nothing is broken, but nothing was done."""
