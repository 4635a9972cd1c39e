"""Features from messages: how often a customer is contacted, and what comes of it.

What a customer did with a message counts from its own time on (see
`features/transforms/outcomes.py`). Messages that were withheld to measure what messages do were
never sent: they are counted apart, and nothing that followed them is an answer.

Messages are many, so they are first added up by channel and by campaign.
"""

from functools import partial

import ibis.expr.types as ir

from features.contracts.features import DAY_SECONDS, Feature
from features.contracts.tables import CONSENT_CHANNELS
from features.transforms.exact import count, ratio, within
from features.transforms.known import rows_known_at
from features.transforms.outcomes import seconds_since

WINDOWS_DAYS = (30, 90)

NO_MESSAGE = "never contacted"
NONE_SENT = "never sent a message"

OUTCOMES = {
    "open": ("opened_at", "opens", "Messages opened"),
    "click": ("clicked_at", "clicks", "Messages clicked"),
    "unsubscribe": ("unsubscribed_at", "unsubscribes", "Messages that led to unsubscribing"),
    "redemption": ("redeemed_at", "redemptions", "Offers used"),
}
"""What may come of a message: when, and what it is called in names and in meanings."""


def prepare(messages: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the messages known at each moment by customer, moment and channel in small letters."""
    rows = rows_known_at(messages, moments, event_time="sent_at")
    is_sent = ~rows.is_held_out.fill_null(False)
    ages = {
        f"{outcome}_age_seconds": is_sent.ifelse(seconds_since(rows, time), None)
        for outcome, (time, _, _) in OUTCOMES.items()
    }
    rows = rows.mutate(
        is_sent=is_sent, age_seconds=rows.age_seconds, channel=rows.channel.lower(), **ages
    )
    return rows.group_by(["customer_id", "as_of", "channel"]).aggregate(
        **_sendings(rows), **_answers(rows)
    )


def _sendings(rows: ir.Table) -> dict[str, ir.Value]:
    windows = {
        f"sent_{days}d": count(rows.is_sent & within(rows.age_seconds, days))
        for days in WINDOWS_DAYS
    }
    opened = rows.open_age_seconds.notnull()
    return {
        **windows,
        "sent": count(rows.is_sent),
        "held_out": count(~rows.is_sent),
        "held_out_90d": count(~rows.is_sent & within(rows.age_seconds, 90)),
        "age_seconds": rows.age_seconds.min(where=rows.is_sent),
        "opened_of_90d": count(opened & within(rows.age_seconds, 90)),
        "clicked_of_90d": count(rows.click_age_seconds.notnull() & within(rows.age_seconds, 90)),
        "unopened_seconds": (rows.age_seconds - rows.open_age_seconds).sum(where=opened),
    }


def _answers(rows: ir.Table) -> dict[str, ir.Value]:
    answers = {}
    for outcome in OUTCOMES:
        age = rows[f"{outcome}_age_seconds"]
        answers[outcome] = count(age.notnull())
        answers[f"{outcome}_age_seconds"] = age.min()
        answers |= {f"{outcome}_{days}d": count(within(age, days)) for days in WINDOWS_DAYS}
    return answers


def prepare_campaigns(messages: ir.Table, moments: ir.Table) -> ir.Table:
    """Return the campaigns by customer and moment, and whether any message was sent of each.

    Messages of no campaign are one campaign without a name.
    """
    rows = rows_known_at(messages, moments, event_time="sent_at")
    campaigns = rows.group_by(["customer_id", "as_of", "campaign_id"])
    return campaigns.aggregate(sent=count(~rows.is_held_out.fill_null(False)))


_message = partial(Feature, table="messages", when_null=NO_MESSAGE)


def _messages(days: int) -> Feature:
    return _message(
        f"messages_{days}d",
        "messages",
        f"Messages sent in the last {days} days.",
        aggregate=lambda rows: rows[f"sent_{days}d"].sum(),
    )


def _outcomes(outcome: str) -> tuple[Feature, ...]:
    time, name, meaning = OUTCOMES[outcome]
    answered = partial(_message, needs=(time,))
    return (
        *(_outcomes_within(answered, outcome, days) for days in WINDOWS_DAYS),
        answered(
            f"{name}_total",
            name,
            f"{meaning} ever.",
            aggregate=lambda rows: rows[outcome].sum(),
        ),
        answered(
            f"days_since_last_{outcome}",
            "days",
            f"Days since the last {outcome} of a message.",
            aggregate=lambda rows: rows[f"{outcome}_age_seconds"].min() / DAY_SECONDS,
            when_null=f"no {outcome} yet",
            ages=True,
        ),
        answered(
            f"{outcome}_rate",
            "ratio",
            f"{meaning} over the messages ever sent.",
            derive=lambda t: ratio(t[f"{name}_total"], t.messages_total),
            when_null=NONE_SENT,
        ),
    )


def _outcomes_within(answered: "partial[Feature]", outcome: str, days: int) -> Feature:
    _, name, meaning = OUTCOMES[outcome]
    return answered(
        f"{name}_{days}d",
        name,
        f"{meaning} in the last {days} days.",
        aggregate=lambda rows: rows[f"{outcome}_{days}d"].sum(),
    )


def _of_channel(rows: ir.Table, channel: str, column: str) -> ir.Value:
    return (rows.channel == channel).ifelse(rows[column], 0).sum()


def _channel(channel: str) -> tuple[Feature, ...]:
    return (
        *(_sent_within(channel, days) for days in WINDOWS_DAYS),
        *(_rate_of(channel, outcome) for outcome in ("open", "click")),
    )


def _sent_within(channel: str, days: int) -> Feature:
    return _message(
        f"messages_{channel}_{days}d",
        "messages",
        f"Messages sent by {channel} in the last {days} days.",
        aggregate=lambda rows: _of_channel(rows, channel, f"sent_{days}d"),
        needs=("channel",),
    )


def _rate_of(channel: str, outcome: str) -> Feature:
    time, _, meaning = OUTCOMES[outcome]
    return _message(
        f"{outcome}_rate_{channel}",
        "ratio",
        f"{meaning} over the messages ever sent, of those by {channel}.",
        aggregate=lambda rows: ratio(
            _of_channel(rows, channel, outcome), _of_channel(rows, channel, "sent")
        ),
        when_null=f"never sent a message by {channel}",
        needs=("channel", time),
    )


FEATURES: tuple[Feature, ...] = (
    *(_messages(days) for days in WINDOWS_DAYS),
    _message(
        "messages_total",
        "messages",
        "Messages ever sent.",
        aggregate=lambda rows: rows.sent.sum(),
    ),
    _message(
        "days_since_last_message",
        "days",
        "Days since the last message.",
        aggregate=lambda rows: rows.age_seconds.min() / DAY_SECONDS,
        when_null=NONE_SENT,
        ages=True,
    ),
    _message(
        "messages_held_out_90d",
        "messages",
        "Messages withheld in the last 90 days, to measure what messages do.",
        aggregate=lambda rows: rows.held_out_90d.sum(),
        needs=("is_held_out",),
    ),
    _message(
        "messages_held_out_total",
        "messages",
        "Messages ever withheld, to measure what messages do.",
        aggregate=lambda rows: rows.held_out.sum(),
        needs=("is_held_out",),
    ),
    *(feature for outcome in OUTCOMES for feature in _outcomes(outcome)),
    _message(
        "open_rate_90d",
        "ratio",
        "Share of the messages sent in the last 90 days that were opened.",
        aggregate=lambda rows: ratio(rows.opened_of_90d.sum(), rows.sent_90d.sum()),
        when_null="sent no message in the last 90 days",
        needs=("opened_at",),
    ),
    _message(
        "click_rate_90d",
        "ratio",
        "Share of the messages sent in the last 90 days that were clicked.",
        aggregate=lambda rows: ratio(rows.clicked_of_90d.sum(), rows.sent_90d.sum()),
        when_null="sent no message in the last 90 days",
        needs=("clicked_at",),
    ),
    _message(
        "clicks_per_open",
        "ratio",
        "Messages clicked over messages opened.",
        derive=lambda t: ratio(t.clicks_total, t.opens_total),
        when_null="no message opened yet",
        needs=("opened_at", "clicked_at"),
    ),
    _message(
        "days_to_open_mean",
        "days",
        "Mean time from the sending of an opened message to its opening.",
        aggregate=lambda rows: ratio(rows.unopened_seconds.sum(), rows.open.sum() * DAY_SECONDS),
        when_null="no message opened yet",
        needs=("opened_at",),
    ),
    *(feature for channel in CONSENT_CHANNELS for feature in _channel(channel)),
)

CAMPAIGN_FEATURES: tuple[Feature, ...] = (
    _message(
        "campaigns_total",
        "campaigns",
        "Different campaigns that sent the customer a message.",
        aggregate=lambda rows: count(rows.campaign_id.notnull() & (rows.sent > 0)),
        needs=("campaign_id",),
    ),
)
