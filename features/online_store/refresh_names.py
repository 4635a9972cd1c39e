"""How a full refresh is called: by the moment it reaches up to, and by what it was made from.

The same files up to the same moment give the same name, so that a refresh that was cut short is
taken up where it stopped; anything else starts anew.
"""

from datetime import UTC, datetime

MOMENT = "%Y%m%dT%H%M%S.%fZ"


def refresh_name(until: datetime, content: str) -> str:
    """Return the name of a refresh up to a moment, from content told by its fingerprint."""
    return f"{until.astimezone(UTC).strftime(MOMENT)}-{content}"


def moment_of(name: str) -> datetime:
    """Return the moment that a refresh reaches up to, in UTC.

    Raises:
        ValueError: if it was not `refresh_name` that gave the name.
    """
    return datetime.strptime(name.split("-", maxsplit=1)[0], MOMENT).replace(tzinfo=UTC)
