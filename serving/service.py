"""The BentoML service: the scoring API of one project, at `/v1/...` and `/health/...`.

Start it with `bentoml serve serving.service:BellwetherService`; `BELLWETHER_PROJECT` names the
folder of bellwether.yaml. BentoML watches over the process; the API itself is `serving.api`.
"""

from pathlib import Path

import bentoml
import structlog
from pydantic_settings import BaseSettings, SettingsConfigDict

from serving.process import Door, ServingProcess


class ServiceEnvironment(BaseSettings):
    """What the process is told by its environment."""

    model_config = SettingsConfigDict(env_prefix="BELLWETHER_", use_attribute_docstrings=True)

    project: Path = Path()
    """Folder of bellwether.yaml; the current folder by default."""


DOOR = Door()


@bentoml.asgi_app(DOOR, path="/")
@bentoml.service(
    workers=1,  # one process per container, scaled by replicas: a dead worker is then noticed
    metrics={"enabled": False},  # labelled by path, so that strangers could fill the memory
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": [".*"]},  # takes half of a small request's time
)
class BellwetherService:
    """Serves the champions of one project."""

    def __init__(self) -> None:
        _log_as_json()
        self._process = ServingProcess(ServiceEnvironment().project, DOOR)
        self._process.start()

    async def __is_ready__(self) -> bool:
        """Tell BentoML's own probe what `/health/ready` says."""
        return self._process.is_ready

    @bentoml.on_startup  # type: ignore[untyped-decorator] # BentoML leaves it untyped
    async def take_signals(self) -> None:
        """Drain before stopping."""
        self._process.drain_on_sigterm()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator] # BentoML leaves it untyped
    def close(self) -> None:
        """Write what waits in the score log."""
        self._process.close()


def _log_as_json() -> None:
    """Set up the log of the process: one JSON object per line."""
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    level, trace = structlog.processors.add_log_level, structlog.processors.format_exc_info
    structlog.configure(processors=[level, stamp, trace, structlog.processors.JSONRenderer()])
