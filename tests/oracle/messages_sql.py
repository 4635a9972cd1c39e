"""The slow, obvious twins of the features of messages."""

from tests.oracle.harness import known
from tests.oracle.phrases import days, if_any, seconds_since

MESSAGES = known("messages")
IS_SENT = "is_held_out IS NOT TRUE"
SENT = known("messages", IS_SENT)

OUTCOMES = {
    "open": ("opened_at", "opens"),
    "click": ("clicked_at", "clicks"),
    "unsubscribe": ("unsubscribed_at", "unsubscribes"),
    "redemption": ("redeemed_at", "redemptions"),
}


def _answered(time: str, condition: str = "true") -> str:
    return known("messages", f"{IS_SENT} AND {time} < as_of AND ({condition})")


def _count(rows: str) -> str:
    return f"(SELECT count(*) FROM {rows})"


def _counted(rows: str) -> str:
    return if_any(MESSAGES, f"SELECT {_count(rows)}")


def _rate(time: str, condition: str = "true") -> str:
    answered = _count(_answered(time, condition))
    return (
        f"SELECT {answered} / nullif({_count(known('messages', f'{IS_SENT} AND {condition}'))}, 0)"
    )


TWINS: dict[str, str] = {
    "messages_total": _counted(SENT),
    "days_since_last_message": f"SELECT min(age) / 86400 FROM {SENT}",
    "messages_held_out_total": _counted(known("messages", "is_held_out")),
    "messages_held_out_90d": _counted(known("messages", f"is_held_out AND age <= {days(90)}")),
    "campaigns_total": if_any(MESSAGES, f"SELECT count(DISTINCT campaign_id) FROM {SENT}"),
    "open_rate_90d": _rate("opened_at", f"age <= {days(90)}"),
    "click_rate_90d": _rate("clicked_at", f"age <= {days(90)}"),
    "clicks_per_open": (
        f"SELECT {_count(_answered('clicked_at'))} / nullif({_count(_answered('opened_at'))}, 0)"
    ),
    "days_to_open_mean": (
        f"SELECT avg(age - {seconds_since('opened_at')}) / 86400 FROM {_answered('opened_at')}"
    ),
}
NEARLY: frozenset[str] = frozenset({"days_to_open_mean"})


def _outcome(outcome: str, time: str, name: str) -> dict[str, str]:
    since = seconds_since(time)
    return {
        f"{name}_total": _counted(_answered(time)),
        f"{name}_30d": _counted(_answered(time, f"{since} <= {days(30)}")),
        f"{name}_90d": _counted(_answered(time, f"{since} <= {days(90)}")),
        f"days_since_last_{outcome}": f"SELECT min({since}) / 86400 FROM {_answered(time)}",
        f"{outcome}_rate": _rate(time),
    }


def _channel(channel: str) -> dict[str, str]:
    own = f"lower(channel) = '{channel}'"
    return {
        f"open_rate_{channel}": _rate("opened_at", own),
        f"click_rate_{channel}": _rate("clicked_at", own),
        **{
            f"messages_{channel}_{number}d": _counted(
                known("messages", f"{IS_SENT} AND {own} AND age <= {days(number)}")
            )
            for number in (30, 90)
        },
    }


for _days in (30, 90):
    TWINS[f"messages_{_days}d"] = _counted(known("messages", f"{IS_SENT} AND age <= {days(_days)}"))
for _name, (_time, _plural) in OUTCOMES.items():
    TWINS |= _outcome(_name, _time, _plural)
for _medium in ("email", "sms", "push"):
    TWINS |= _channel(_medium)
