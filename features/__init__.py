"""Features honest in time: sources, cohort, labels, transforms and the feature store."""
