"""Fits of the models' parts: blends, classifiers and hurdles."""
