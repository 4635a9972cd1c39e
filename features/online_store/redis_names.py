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

    def beside(self, stage: str) -> str:
        """The rows of a refresh under way; a new name every time, for its writers may be late."""
        return f"{self.start}:refresh:{stage}"

    @property
    def all(self) -> tuple[str, ...]:
        """Every key, in the order that the scripts expect."""
        pushed, leaving = f"{self.start}:pushed", f"{self.start}:old"
        return self.state, self.live, pushed, self.schemas, leaving, self.beside("")
