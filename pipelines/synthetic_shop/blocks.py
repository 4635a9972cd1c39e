"""A block of customers: drawn by itself, whatever was drawn before, and so in any order."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.synthetic_shop.plan import ShopPlan
from pipelines.synthetic_shop.rates import FloatArray, Latent, draw_latent
from pipelines.synthetic_shop.season import Clock

IntArray = NDArray[np.int64]

SUBJECTS = (
    "latent",
    "joining",
    "profile",
    "orders",
    "lines",
    "events",
    "messages",
    "tickets",
    "subscriptions",
)
"""What is drawn, each from a stream of its own: a new one at the end changes none before it."""


@dataclass(frozen=True)
class Block:
    """Customers number `first` to `first + size - 1` of a shop."""

    clock: Clock
    index: int

    @property
    def plan(self) -> ShopPlan:
        """The shop's plan."""
        return self.clock.plan

    @property
    def first(self) -> int:
        """Number of the first customer."""
        return self.index * self.plan.block_customers

    @property
    def size(self) -> int:
        """How many customers it has."""
        return min(self.plan.block_customers, self.plan.customers - self.first)

    def rng(self, subject: str) -> np.random.Generator:
        """Return the stream of random numbers of a subject, from its start."""
        key = (self.index, SUBJECTS.index(subject))
        return np.random.default_rng(np.random.SeedSequence(self.plan.seed, spawn_key=key))

    @cached_property
    def latent(self) -> Latent:
        """What drives the customers."""
        return draw_latent(self.size, self.rng("latent"))

    @cached_property
    def joined(self) -> FloatArray:
        """When each customer joined, in days of business: the busier, the more join."""
        return self.rng("joining").random(self.size) * self.ends

    @cached_property
    def ends(self) -> float:
        """Days of business until the data were taken."""
        return self.clock.at(self.plan.end)

    @cached_property
    def end_seconds(self) -> float:
        """Seconds until the data were taken."""
        return self.clock.offset(self.plan.end)

    @cached_property
    def customer_ids(self) -> Any:
        """The customers' names, as a column of Arrow."""
        numbers = pc.cast(pa.array(self.first + np.arange(self.size)), pa.string())
        join: Any = pc.binary_join_element_wise  # its stubs know fewer kinds of columns than it
        return join("c", pc.utf8_lpad(numbers, 8, "0"), "")
