"""Where features are read from when a score is asked for: a section of the project file."""

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from features.contracts.data_settings import Section


class OnlineStoreSettings(Section):
    """Where features are read from when a score is asked for."""

    type: Literal["sqlite", "redis"] = "sqlite"
    """Kind of online store: `sqlite`, a file for one machine, or `redis`, a server for many."""
    path: str | None = None
    """File of the SQLite store; `state/online.db` in the project by default."""
    url: SecretStr | None = None
    """Where Redis is, such as `redis://localhost:6379/0`; not shown, for it may hold a password."""
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    """How long a read may wait for Redis before it is tried once more."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.type == "redis" and self.url is None:
            raise ValueError("a Redis store needs a `url`, such as redis://localhost:6379/0")
        if self.type == "sqlite" and self.url is not None:
            raise ValueError("`url` is for Redis: set `type: redis`, or leave it out")
        if self.type == "redis" and self.path is not None:
            raise ValueError("`path` is for SQLite: leave it out")
        return self
