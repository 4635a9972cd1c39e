"""The moment of knowledge.

Everything that Bellwether says is said *as of* a moment: features use only what had happened
before it and was known by then, labels lie in the horizon that starts at it.

The worked example of the documentation: as of 2017-12-04 with a horizon of 28 days, features use
orders before 2017-12-04T00:00Z, the label looks at [2017-12-04, 2018-01-01), and the newest moment
that training may use is 2017-11-06, whose own horizon ends just as the test moment begins.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from features.contracts.errors import ConfigurationError


def find_zone(name: str) -> ZoneInfo:
    """Return the time zone of that name.

    Raises:
        ConfigurationError: if there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a folder
        raise ConfigurationError(
            f"unknown time zone {name!r}; write it like Europe/London"
        ) from error


@dataclass(frozen=True, order=True)
class AsOf:
    """A moment of knowledge in UTC, at whole seconds.

    Raises:
        ConfigurationError: if the moment has no time zone.
    """

    moment: datetime

    def __post_init__(self) -> None:
        if self.moment.tzinfo is None:
            raise ConfigurationError(
                f"as-of moment {self.moment.isoformat()} has no time zone; write it with an offset"
            )
        object.__setattr__(self, "moment", self.moment.astimezone(UTC).replace(microsecond=0))

    @classmethod
    def parse(cls, text: str, timezone: str = "UTC") -> "AsOf":
        """Return the moment that `text` (ISO 8601) names; a bare date is its midnight.

        Args:
            text: a date, or a date and time.
            timezone: zone of a text that carries none.

        Raises:
            ConfigurationError: if the text is not a date or time in ISO 8601, or there is no such
                zone.
        """
        zone = find_zone(timezone)
        try:
            moment = datetime.fromisoformat(text)
            return cls(moment if moment.tzinfo else moment.replace(tzinfo=zone))
        except (ValueError, OverflowError) as error:
            raise ConfigurationError(
                f"{text!r} is not a date; write it like 2026-01-31 or 2026-01-31T06:00:00+00:00"
            ) from error

    def plus_days(self, days: float) -> "AsOf":
        """Return the moment `days` times 24 hours later (earlier when negative)."""
        return AsOf(self.moment + timedelta(days=days))

    def days_since(self, earlier: "AsOf") -> float:
        """Return the days of 24 hours from `earlier` to this moment."""
        return (self.moment - earlier.moment) / timedelta(days=1)

    @property
    def naive_utc(self) -> datetime:
        """The moment without its zone, for engines and arrays that keep UTC implicitly."""
        return self.moment.replace(tzinfo=None)

    def __str__(self) -> str:
        return self.moment.strftime("%Y-%m-%dT%H:%M:%SZ")
