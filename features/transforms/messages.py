"""Features from messages and campaigns: how often a customer is contacted, and what came of it."""

from functools import partial

import ibis
import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.transforms.known import epoch_seconds, rows_known_at

WINDOWS_DAYS = (30, 90)

NO_MESSAGE = "never contacted"


def prepare(messages: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the messages known at each moment; an offer used later is not used yet."""
    rows = rows_known_at(messages, moments, event_time="sent_at")
    redeemed = (rows.redeemed_at < rows.as_of).fill_null(ibis.literal(value=False))
    return rows.mutate(
        is_redeemed=redeemed,
        redeemed_age_seconds=epoch_seconds(rows.as_of) - epoch_seconds(rows.redeemed_at),
    )


_message = partial(Feature, table="messages")


def _messages(days: int) -> Feature:
    return _message(
        f"messages_{days}d",
        "messages",
        f"Messages sent in the last {days} days.",
        aggregate=lambda rows: (rows.age_seconds <= days * DAY_SECONDS).ifelse(1, 0).sum(),
        when_null=NO_MESSAGE,
    )


FEATURES: tuple[Feature, ...] = (
    *(_messages(days) for days in WINDOWS_DAYS),
    _message(
        "messages_total",
        "messages",
        "Messages ever sent.",
        aggregate=lambda rows: rows.count(),
        when_null=NO_MESSAGE,
    ),
    _message(
        "campaigns_total",
        "campaigns",
        "Different campaigns that sent the customer a message.",
        aggregate=lambda rows: rows.campaign_id.nunique(),
        when_null=NO_MESSAGE,
        needs=("campaign_id",),
    ),
    _message(
        "days_since_last_message",
        "days",
        "Days since the last message.",
        aggregate=lambda rows: rows.age_seconds.min() / DAY_SECONDS,
        when_null=NO_MESSAGE,
    ),
    _message(
        "redemptions_total",
        "redemptions",
        "Messages whose offer the customer used.",
        aggregate=lambda rows: rows.is_redeemed.ifelse(1, 0).sum(),
        when_null=NO_MESSAGE,
        needs=("redeemed_at",),
    ),
    _message(
        "redemptions_90d",
        "redemptions",
        "Offers used in the last 90 days.",
        aggregate=lambda rows: (
            (rows.is_redeemed & (rows.redeemed_age_seconds <= 90 * DAY_SECONDS)).ifelse(1, 0).sum()
        ),
        when_null=NO_MESSAGE,
        needs=("redeemed_at",),
    ),
    _message(
        "days_since_last_redemption",
        "days",
        "Days since an offer was last used.",
        aggregate=lambda rows: rows.redeemed_age_seconds.min(where=rows.is_redeemed) / DAY_SECONDS,
        when_null="no offer used yet",
        needs=("redeemed_at",),
    ),
    _message(
        "redemption_rate",
        "ratio",
        "Share of messages whose offer was used.",
        derive=lambda t: t.redemptions_total / t.messages_total.nullif(0).cast("float64"),
        when_null=NO_MESSAGE,
        needs=("redeemed_at",),
    ),
)
