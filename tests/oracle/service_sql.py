"""The slow, obvious twins of the features of tickets, subscriptions and the customer's record."""

from tests.oracle.harness import everyones, known
from tests.oracle.phrases import days, if_any, seconds_since

TICKETS = known("tickets")
OPEN = known("tickets", "closed_at IS NULL OR closed_at >= as_of")
CLOSED = known("tickets", "closed_at < as_of")
JUDGED = known("tickets", "closed_at < as_of AND satisfaction IS NOT NULL")
TO_CLOSE = f"greatest(age - {seconds_since('closed_at')}, 0)"
SINCE_CLOSED = seconds_since("closed_at")

CONTRACTS = known("subscriptions")
RUNNING = known("subscriptions", "ended_at IS NULL OR ended_at >= as_of")
ENDED = known("subscriptions", "ended_at < as_of")
THEN = "as_of - INTERVAL 90 DAY"
RAN_THEN = known(
    "subscriptions",
    f"date_trunc('second', started_at) < {THEN} "
    f"AND (ended_at IS NULL OR date_trunc('second', ended_at) >= {THEN})",
)
SINCE_ENDED = seconds_since("ended_at")
RUN = f"greatest(age - {SINCE_ENDED}, 0)"


def _count(rows: str) -> str:
    return f"(SELECT count(*) FROM {rows})"


def _price(rows: str) -> str:
    return f"(SELECT coalesce(sum(price), 0) FROM {rows})"


_TICKET_TWINS = {
    "tickets_total": if_any(TICKETS, f"SELECT {_count(TICKETS)}"),
    "days_since_last_ticket": f"SELECT min(age) / 86400 FROM {TICKETS}",
    "tickets_open": if_any(TICKETS, f"SELECT {_count(OPEN)}"),
    "days_since_oldest_open_ticket": f"SELECT max(age) / 86400 FROM {OPEN}",
    "days_since_last_ticket_closed": f"SELECT min({SINCE_CLOSED}) / 86400 FROM {CLOSED}",
    "days_to_close_mean": f"SELECT avg({TO_CLOSE}) / 86400 FROM {CLOSED}",
    "days_to_close_longest": f"SELECT max({TO_CLOSE}) / 86400 FROM {CLOSED}",
    "satisfaction_mean": (
        f"SELECT CAST(sum(CAST(satisfaction AS DECIMAL(18, 4))) AS DOUBLE) "
        f"/ nullif(count(*), 0) FROM {JUDGED}"
    ),
    "satisfaction_last": f"""
        SELECT min(satisfaction) FROM {JUDGED}
        WHERE {SINCE_CLOSED} = (SELECT min({SINCE_CLOSED}) FROM {JUDGED})
    """,
    "satisfaction_lowest": f"SELECT min(satisfaction) FROM {JUDGED}",
    "ticket_topics_total": f"SELECT nullif(count(DISTINCT topic), 0) FROM {TICKETS}",
    "tickets_per_order_365d": if_any(
        TICKETS,
        f"SELECT {_count(known('tickets', f'age <= {days(365)}'))} / nullif("
        f"""{_count(known("orders", f"status = 'completed' AND age <= {days(365)}"))}, 0)""",
    ),
    **{
        f"tickets_{number}d": if_any(
            TICKETS, f"SELECT {_count(known('tickets', f'age <= {days(number)}'))}"
        )
        for number in (30, 90, 365)
    },
}

_CONTRACT_TWINS = {
    "subscriptions_total": if_any(CONTRACTS, f"SELECT {_count(CONTRACTS)}"),
    "subscriptions_active": if_any(CONTRACTS, f"SELECT {_count(RUNNING)}"),
    "subscriptions_ended_total": if_any(CONTRACTS, f"SELECT {_count(ENDED)}"),
    "subscriptions_ended_365d": if_any(
        CONTRACTS, f"SELECT count(*) FROM {ENDED} WHERE {SINCE_ENDED} <= {days(365)}"
    ),
    "subscriptions_ended_share": f"SELECT {_count(ENDED)} / nullif({_count(CONTRACTS)}, 0)",
    "days_since_first_subscription": f"SELECT max(age) / 86400 FROM {CONTRACTS}",
    "days_since_subscription_start": f"SELECT min(age) / 86400 FROM {RUNNING}",
    "days_since_last_subscription_end": f"SELECT min({SINCE_ENDED}) / 86400 FROM {ENDED}",
    "days_subscribed_total": if_any(
        CONTRACTS,
        f"SELECT (coalesce((SELECT sum({RUN}) FROM {ENDED}), 0) "
        f"+ coalesce((SELECT sum(age) FROM {RUNNING}), 0)) / 86400",
    ),
    "days_subscribed_mean": f"SELECT avg({RUN}) / 86400 FROM {ENDED}",
    "subscription_price": if_any(CONTRACTS, f"SELECT {_price(RUNNING)}"),
    "subscription_price_change_90d": if_any(
        CONTRACTS, f"SELECT {_price(RUNNING)} - {_price(RAN_THEN)}"
    ),
    "plans_total": f"SELECT nullif(count(DISTINCT plan), 0) FROM {CONTRACTS}",
}


def _share(column: str) -> str:
    own = f"SELECT max({column}) FROM {known('customers')}"
    words = f"""
        SELECT max({column}) AS word FROM {everyones("customers", f"{column} IS NOT NULL")}
        GROUP BY customer_id
    """
    alike = f"SELECT count(*) FROM ({words}) WHERE word = ({own})"
    return f"SELECT nullif(({alike}), 0) / (SELECT count(*) FROM ({words}))"


_PROFILE_TWINS = {
    "days_since_created": f"SELECT max(age) / 86400 FROM {known('customers')}",
    "attribute_age": f"SELECT max(attribute_age) FROM {known('customers')}",
    "country_share": _share("country"),
    "acquisition_share": _share("acquisition_channel"),
    **{
        f"{channel}_consent": (
            f"SELECT max(CAST({channel}_consent AS INTEGER)) FROM {known('customers')}"
        )
        for channel in ("email", "sms", "push")
    },
}

TWINS: dict[str, str] = {**_TICKET_TWINS, **_CONTRACT_TWINS, **_PROFILE_TWINS}
NEARLY: frozenset[str] = frozenset(
    {"days_to_close_mean", "days_subscribed_mean", "satisfaction_mean"}
)
