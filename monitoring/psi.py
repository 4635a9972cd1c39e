"""The population stability index (PSI), and how large it gets by chance alone.

PSI adds (share now - share then) * log(share now / share then) over the bins of a column: 0 when
nothing moved; by convention 0.1 is a shift worth a look and 0.25 a large one. Evidently publishes
it; what is here serves the noise level, and a test keeps the two equal.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

TENTHS = 10
SHUFFLES = 1000
"""Random divisions of the pooled rows that a noise level is the largest of."""


def in_tenths(reference: Values, current: Values) -> tuple[Values, Values]:
    """Return for each finite value the tenth of the pooled values it lies in: 5, 15, ... or 95 %.

    Equal values stay together, at the middle of the places they share. Bins of equal width over the
    raw values would not do: the few largest spenders stretch the range, and nearly everybody else
    shares the first bin. Pooled tenths do not know which window a value came from, so that shuffled
    windows show what chance does.
    """
    pooled = np.sort(np.concatenate([reference, current]))
    return _tenths(reference, pooled), _tenths(current, pooled)


def psi(reference: Values, current: Values) -> float:
    """Return the PSI between two windows of tenths, neither of them empty."""
    return float(_psi_of_counts(*_counts(reference, current)))


def noise_level(reference: Values, current: Values, random: np.random.Generator) -> float:
    """Return the largest PSI of `SHUFFLES` random divisions of the pooled rows into two windows.

    The windows keep their sizes, so this is how far two windows of one population may lie apart.
    Only the counts per bin matter, and those of a shuffle are multivariate hypergeometric: they are
    drawn without moving a row.
    """
    pooled = np.stack(_counts(reference, current)).sum(axis=0)
    drawn = random.multivariate_hypergeometric(
        pooled, len(reference), size=SHUFFLES, method="marginals"
    )
    return float(_psi_of_counts(drawn, pooled - drawn).max())


def _tenths(values: Values, pooled: Values) -> Values:
    below = np.searchsorted(pooled, values, side="left")
    up_to = np.searchsorted(pooled, values, side="right")
    # Whole numbers: a value on the border of two tenths falls the same way on every machine.
    tenth = (TENTHS * (below + up_to)) // (2 * len(pooled))
    return np.asarray(100 / TENTHS * (tenth + 0.5), dtype=np.float64)


def _counts(reference: Values, current: Values) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    known, bins = np.unique(np.concatenate([reference, current]), return_inverse=True)
    split = len(reference)
    return (
        np.bincount(bins[:split], minlength=known.size),
        np.bincount(bins[split:], minlength=known.size),
    )


def _psi_of_counts(reference: NDArray[np.int64], current: NDArray[np.int64]) -> Values:
    then = _filled(reference / reference.sum(axis=-1, keepdims=True))
    now = _filled(current / current.sum(axis=-1, keepdims=True))
    return np.asarray(((now - then) * np.log(now / then)).sum(axis=-1), dtype=np.float64)


def _filled(shares: Values) -> Values:
    # An empty bin would make the logarithm infinite; Evidently gives it these small shares.
    smallest = np.where(shares > 0, shares, np.inf).min(axis=-1, keepdims=True)
    filler = np.where(smallest <= 1e-4, smallest / 1e6, 1e-4)
    return np.where(shares > 0, shares, filler)
