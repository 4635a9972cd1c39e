"""Messages of campaigns, to those who agreed to the channel: opened, clicked, unsubscribed.

Messages of this shop do not sell: who is held out orders as much as the others. So a measured
effect other than none is an error of the measurement.
"""

import numpy as np
import pyarrow as pa

from features.contracts.tables import CONSENT_CHANNELS
from pipelines.synthetic_shop.blocks import Block, IntArray
from pipelines.synthetic_shop.columns import customers, moments, named, numbered, table_of
from pipelines.synthetic_shop.orders import Orders
from pipelines.synthetic_shop.profiles import consents
from pipelines.synthetic_shop.rates import BoolArray, FloatArray

EVERY_DAYS = {"email": 14, "sms": 45, "push": 21}
OPENED = {"email": 1.0, "sms": 1.6, "push": 0.6}
"""Openings by channel, against the customer's own openness."""
AFTER_STOPPING = 0.3
CLICKED, UNSUBSCRIBED, HELD_OUT, REDEEMED = 0.25, 0.01, 0.1, 0.1
SEND_HOUR = 9.0
OPEN_HOURS, CLICK_HOURS = 10.0, 0.2
MESSAGES_PER_BLOCK = 100_000_000


def messages_table(block: Block, orders: Orders) -> pa.Table:
    """Return the table `messages` of a block; what happened after the end is not known yet."""
    rng = block.rng("messages")
    owners, sent, campaigns, channels = _sent(block)
    held_out = rng.random(len(owners)) < HELD_OUT
    active = ~(orders.stopped[owners] < sent)  # not stopped is NaN
    chance = block.latent.openness[owners] * np.array(list(OPENED.values()))[channels]
    chance = np.minimum(chance, 0.95) * np.where(active, 1.0, AFTER_STOPPING)
    opened = _later(rng, sent, ~held_out & (rng.random(len(owners)) < chance), OPEN_HOURS)
    clicked = _later(rng, opened, rng.random(len(owners)) < CLICKED, CLICK_HOURS)
    left = _later(rng, opened, rng.random(len(owners)) < UNSUBSCRIBED, CLICK_HOURS)
    redeemed = _later(rng, clicked, active & (rng.random(len(owners)) < REDEEMED), OPEN_HOURS)
    left = np.where(left < block.end_seconds, left, np.nan)
    kept = np.flatnonzero(
        ~_sent_after_leaving(owners * len(CONSENT_CHANNELS) + channels, sent, left)
    )
    numbers = block.index * MESSAGES_PER_BLOCK + np.arange(len(owners))
    known = {
        "opened_at": opened,
        "clicked_at": clicked,
        "unsubscribed_at": left,
        "redeemed_at": redeemed,
    }
    return table_of(
        {
            "message_id": numbered("m", numbers[kept]),
            "customer_id": customers(block, owners[kept]),
            "campaign_id": named(campaigns[kept], _campaign_names(block)),
            "channel": named(channels[kept], CONSENT_CHANNELS),
            "sent_at": moments(block, sent[kept]),
            **{name: moments(block, _by_the_end(block, at[kept])) for name, at in known.items()},
            "is_held_out": held_out[kept],
            "known_at": moments(block, sent[kept]),
        }
    )


def _calendar(block: Block) -> list[tuple[int, int, float]]:
    """Return channel, number and time of each campaign."""
    days = block.plan.days
    return [
        (channel, number, (1 + number * EVERY_DAYS[name]) * 86_400 + SEND_HOUR * 3_600)
        for channel, name in enumerate(CONSENT_CHANNELS)
        for number in range((days - 2) // EVERY_DAYS[name] + 1)
    ]


def _campaign_names(block: Block) -> list[str]:
    return [f"{CONSENT_CHANNELS[channel]}-{number:03d}" for channel, number, _ in _calendar(block)]


def _sent(block: Block) -> tuple[IntArray, FloatArray, IntArray, IntArray]:
    """Return owner, time, campaign and channel of every message."""
    calendar = _calendar(block)
    channel = np.array([channel for channel, _, _ in calendar])
    at = np.array([moment for _, _, moment in calendar])
    agreed = np.stack(list(consents(block).values()), axis=1)
    joined = block.clock.seconds(block.joined)
    reached = agreed[:, channel] & (at[None, :] > joined[:, None]) & (at < block.end_seconds)
    owners, campaigns = np.nonzero(reached)
    return owners, at[campaigns], campaigns, channel[campaigns]


def _later(
    rng: np.random.Generator, start: FloatArray, happens: BoolArray, hours: float
) -> FloatArray:
    after = start + 1 + rng.exponential(hours * 3_600, len(start))
    return np.where(happens, after, np.nan)


def _sent_after_leaving(series: IntArray, sent: FloatArray, left: FloatArray) -> BoolArray:
    """Return which messages came after the customer had left the channel: none are sent then."""
    earliest = np.full(int(series.max(initial=0)) + 1, np.inf)
    has_left = ~np.isnan(left)
    np.minimum.at(earliest, series[has_left], left[has_left])
    result: BoolArray = sent > earliest[series]
    return result


def _by_the_end(block: Block, seconds: FloatArray) -> FloatArray:
    return np.where(seconds < block.end_seconds, seconds, np.nan)
