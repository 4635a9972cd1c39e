"""The classifier: the chance that the goal's event happens within the horizon."""

from serving.predictors import ClassifierPredictor, ClassifierTables, Sigmoid
from training.calibrate import fit_sigmoid
from training.dataset import TrainingSet
from training.models.blend import fit_event_blend


def fit_classifier(
    training_set: TrainingSet,
    held_out: TrainingSet | None,
    embargoed: TrainingSet | None,
    seed: int,
) -> ClassifierPredictor:
    """Return a classifier that learnt from `training_set`.

    Args:
        training_set: all matured slices.
        held_out: the calibration slice, or None when history is too short for one.
        embargoed: the slices whose labels ended before the calibration slice began.
        seed: seed of the trees.
    """
    blend = fit_event_blend(training_set.matrix, training_set.event, training_set.columns, seed)
    sigmoid = Sigmoid()
    if held_out is not None and embargoed is not None:
        early = fit_event_blend(embargoed.matrix, embargoed.event, embargoed.columns, seed)
        unseen = held_out.matrix
        sigmoid = fit_sigmoid(early.margin(unseen), blend.margin(unseen), held_out.event)
    return ClassifierPredictor(
        ClassifierTables(order_linear=blend.linear, sigmoid=sigmoid), blend.booster
    )
