"""The table `customers`: where they live, what brought them, what they agreed to, how old they are.

What brought a customer, and their age, go with how often they order and what they spend.
"""

import numpy as np
import pyarrow as pa

from features.contracts.tables import CONSENT_CHANNELS
from pipelines.synthetic_shop.blocks import Block, IntArray
from pipelines.synthetic_shop.columns import drawn, moments, named, table_of
from pipelines.synthetic_shop.rates import ALPHA, BoolArray, FloatArray, P, Q, R, V

COUNTRIES = ("DE", "FR", "AT", "NL", "PL")
COUNTRY_SHARES = (0.5, 0.2, 0.12, 0.1, 0.08)
ACQUISITION = ("discounter", "social", "search", "direct", "referral")
AGES = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
CONSENT_SHARES = {"email": 0.7, "sms": 0.25, "push": 0.35}


def customers_table(block: Block) -> pa.Table:
    """Return the table `customers` of a block."""
    rng = block.rng("profile").spawn(2)[1]
    joined = block.clock.seconds(block.joined)
    brought = _near(rng, np.log(block.latent.rate * ALPHA / R), len(ACQUISITION))
    age = _near(rng, 2 * np.log(block.latent.mean_value * (Q - 1) / (P * V)), len(AGES))
    agreed = consents(block)
    return table_of(
        {
            "customer_id": block.customer_ids,
            "created_at": moments(block, joined),
            "country": named(drawn(rng, COUNTRY_SHARES, block.size), COUNTRIES),
            "acquisition_channel": named(brought, ACQUISITION),
            **{f"{channel}_consent": agreed[channel] for channel in CONSENT_CHANNELS},
            "age": named(age, AGES),
            "known_at": moments(block, joined),
        }
    )


def consents(block: Block) -> dict[str, BoolArray]:
    """Return by channel who agreed to be contacted there."""
    rng = block.rng("profile").spawn(3)[2]
    return {c: rng.random(block.size) < CONSENT_SHARES[c] for c in CONSENT_CHANNELS}


def _near(rng: np.random.Generator, score: FloatArray, levels: int) -> IntArray:
    """Return a level that rises with a score about zero, and with chance."""
    place = (levels - 1) / 2 + 0.7 * score + rng.normal(0.0, 1.0, len(score))
    return np.clip(np.rint(place), 0, levels - 1).astype(np.int64)
