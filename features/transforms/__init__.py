"""Transforms: canonical tables to features, as Ibis expressions, one module per subject."""
