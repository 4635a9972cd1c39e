"""Counts and sums that come out the same whatever the order of rows and the engine."""

import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS

STEPS = 10_000
"""Numbers are added up in steps of one in so many: a float sum would depend on row order."""


def count(condition: ir.BooleanValue) -> ir.Value:
    """Return how many rows meet the condition; a condition that is null is not met."""
    return condition.ifelse(1, 0).sum()


def within(age_seconds: ir.Value, days: int) -> ir.BooleanValue:
    """Return whether something is at most so many days old."""
    return age_seconds <= days * DAY_SECONDS


def total(values: ir.Value) -> ir.Value:
    """Return the sum of whole numbers, or of money, as a float; nothing adds up to null."""
    return values.sum().cast("float64")


def in_steps(number: ir.Value) -> ir.Value:
    """Return a float as a whole number of steps, which adds up exactly."""
    return (number * float(STEPS)).round().cast("int64")


def ratio(dividend: ir.Value, divisor: ir.Value) -> ir.Value:
    """Return the ratio of two numbers as a float; null where there is nothing to divide by."""
    return dividend.cast("float64") / divisor.cast("float64").nullif(0.0)
