"""The Redis keys of a view."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ViewNames:
    """What the parts of a view are called.

    Attributes:
        start: what all its keys start with.
    """

    start: str

    @property
    def state(self) -> str:
        """Which refresh is live, and which is under way, as far as it got."""
        return f"{self.start}:state"

    @property
    def live(self) -> str:
        """The rows that are read."""
        return f"{self.start}:rows"

    @property
    def schemas(self) -> str:
        """Every schema of the view."""
        return f"{self.start}:schemas"

    @property
    def all(self) -> tuple[str, ...]:
        """Every key, in the order that the scripts expect."""
        beside, leaving = f"{self.start}:refresh", f"{self.start}:old"
        return self.state, self.live, beside, self.schemas, leaving
