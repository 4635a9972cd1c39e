"""An online store that keeps one packed row per feature view and customer, read as columns."""
