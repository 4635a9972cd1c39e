"""Make models: splits, fits, calibration, baselines, evaluation and tracking."""
