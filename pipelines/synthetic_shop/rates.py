"""Who the customers are underneath: how often they order, when they stop, what they spend.

Times are days of business of the shop's clock (`season`). BG/NBD after Fader, Hardie & Lee (2005),
"Counting Your Customers the Easy Way": while active, a customer orders at rate `rate`; after each
repeat order they stop for ever with probability `dropout`; rates differ as Gamma(R, ALPHA), stops
as Beta(A, B). Gamma-Gamma after Fader & Hardie (2013): orders of a customer are worth
Gamma(P, scale), so a mean of P * scale, and 1 / scale differs as Gamma(Q, V).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

R, ALPHA = 0.8, 40.0
A, B = 0.8, 5.0
P, Q, V = 4.0, 5.0, 60.0


@dataclass(frozen=True)
class Latent:
    """What drives each customer, unseen by the shop.

    Attributes:
        rate: orders per day of business while active.
        dropout: probability of stopping after a repeat order.
        mean_value: mean amount of an order, in the shop's currency.
        browsing: visits per order, on average over time.
        openness: share of messages that are opened while active.
    """

    rate: FloatArray
    dropout: FloatArray
    mean_value: FloatArray
    browsing: FloatArray
    openness: FloatArray


def draw_latent(n: int, rng: np.random.Generator) -> Latent:
    """Return n customers. Visits and openings go with rates, but not alike for everyone."""
    return Latent(
        rate=rng.gamma(R, 1 / ALPHA, n),
        dropout=rng.beta(A, B, n),
        mean_value=P / rng.gamma(Q, 1 / V, n),
        browsing=rng.gamma(3.0, 0.5, n),
        openness=rng.beta(2.0, 4.0, n),
    )


def order_chance(rate: FloatArray, days: FloatArray | float) -> FloatArray:
    """Return the chance that an active customer orders within so many days of business.

    1 - exp(-rate * days): they cannot stop before their next order.
    """
    return -np.expm1(-rate * days)


def orders_expected(rate: FloatArray, dropout: FloatArray, days: FloatArray | float) -> FloatArray:
    """Return the orders expected of an active customer within so many days of business.

    The integral of rate * P(active), with P(active) = exp(-dropout * rate * time):
    (1 - exp(-dropout * rate * days)) / dropout.
    """
    sure = np.maximum(dropout, 1e-12)
    return -np.expm1(-sure * rate * days) / sure


def active_chance(repeats: FloatArray, last: FloatArray, age: FloatArray) -> FloatArray:
    """Return the chance that a customer is active still, knowing their orders only.

    Of `repeats` orders after joining, the newest was `last` days of business after it, `age` have
    gone by since joining: equation (8) of Fader & Hardie (2008), "Computing P(alive) using the
    BG/NBD model". Without repeat orders it is 1.
    """
    stopped = A / np.maximum(B + repeats - 1, B) * ((ALPHA + age) / (ALPHA + last)) ** (R + repeats)
    return np.where(repeats > 0, 1 / (1 + stopped), 1.0)


def order_chance_given_orders(
    repeats: FloatArray, last: FloatArray, age: FloatArray, days: float
) -> FloatArray:
    """Return the chance of an order within so many days of business, knowing orders only.

    The best that anyone can say who knows the shop's parameters, but sees nothing of a customer
    except their orders. Given that the customer is active, their rate is Gamma(R + repeats,
    ALPHA + age): P(active) * (1 - ((ALPHA + age) / (ALPHA + age + days)) ** (R + repeats)).
    """
    none = ((ALPHA + age) / (ALPHA + age + days)) ** (R + repeats)
    result: FloatArray = active_chance(repeats, last, age) * (1 - none)
    return result
