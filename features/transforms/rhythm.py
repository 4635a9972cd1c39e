"""Features from the rhythm of orders: the gaps between them, and how overdue the next one is."""

from features.contracts.features import Feature

FEATURES: tuple[Feature, ...] = ()
