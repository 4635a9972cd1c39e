"""What a serving process does besides answering: load, warm up, retry, drain and close.

It knows no server: `serving.service` runs it in BentoML, and any ASGI server could.
"""

import asyncio
import gc
import signal
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import numpy as np
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from features.contracts.as_of import AsOf
from features.contracts.errors import BellwetherError, ModelUnavailableError
from features.contracts.goals import GoalName
from features.contracts.layout import Layout
from features.contracts.settings import load_settings
from features.store import open_reader
from serving.api import Readiness, ServingContext, build_app
from serving.registry import ModelRegistry
from serving.score_log import ScoreLog
from serving.scorer import LoadedModel, Scorer

RETRY_SECONDS = 10.0
WARM_UP_IDS = ("bellwether-warm-up",)

log = structlog.get_logger(__name__)


class Door:
    """Passes requests on to the application of the moment, so that it can be exchanged at once."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        await self.app(scope, receive, send)


class ServingProcess:
    """Serves one project behind a door.

    Until champions and features are there, the application answers that it is not ready, says why,
    and tries again every `RETRY_SECONDS`.

    Args:
        project: folder of bellwether.yaml.
        door: where the application appears.

    Raises:
        ConfigurationError: if the project file is missing or wrong.
    """

    def __init__(self, project: Path, door: Door) -> None:
        self._layout = Layout(project)
        self._settings = load_settings(self._layout.project_file)
        self._readiness = Readiness("starting")
        self._score_log = ScoreLog(self._layout.score_log)
        self._stopping = threading.Event()
        self._door = door
        self._door.app = build_app(self._context({}))

    @property
    def is_ready(self) -> bool:
        """Whether requests are welcome."""
        return self._readiness.reason is None

    def start(self) -> None:
        """Load what is served, or keep trying in the background."""
        if not self._connect():
            threading.Thread(target=self._keep_trying, name="connect", daemon=True).start()

    def drain_on_sigterm(self) -> None:
        """When told to stop, say "not ready" for a while first, so that balancers turn away.

        To be called from the event loop of the server, after it took the signal for itself.
        """
        stop = signal.getsignal(signal.SIGTERM)
        if not callable(stop):
            return  # no server around us that would stop gracefully

        def drain(number: int, frame: FrameType | None) -> None:
            self._readiness.reason = "draining: the service was told to stop"
            seconds = self._settings.serving.drain_seconds
            loop.call_soon_threadsafe(loop.call_later, seconds, stop, number, frame)

        loop = asyncio.get_running_loop()
        signal.signal(signal.SIGTERM, drain)

    def close(self) -> None:
        """Stop trying, and write what waits in the score log."""
        self._stopping.set()
        self._score_log.close()

    def _keep_trying(self) -> None:
        while not self._stopping.wait(RETRY_SECONDS):
            if self._connect():
                return

    def _connect(self) -> bool:
        """Load the champions, open the features, score once; return whether all of it worked."""
        missing: dict[GoalName, str] = {}
        try:
            models = self._registry().load_champions(
                self._settings.goals, report=missing.__setitem__
            )
            if not models:
                raise ModelUnavailableError("; ".join(missing.values()))
            context = self._context(models)
            _warm_up(context)
        except BellwetherError as error:
            self._readiness.reason = str(error)
            log.warning("not_ready", reason=str(error))
            return False
        self._door.app = build_app(context)
        gc.collect()
        gc.freeze()  # models and libraries stay: collecting garbage need not look at them again
        self._readiness.reason = None
        versions = {goal.value: model.version for goal, model in models.items()}
        log.info("ready", versions=versions, without_champion=sorted(missing))
        return True

    def _registry(self) -> ModelRegistry:
        tracking = self._settings.tracking
        uri = self._layout.tracking_uri(tracking)
        return ModelRegistry(uri, tracking.experiment, self._layout.models)

    def _context(self, models: Mapping[GoalName, LoadedModel]) -> ServingContext:
        settings = self._settings
        fixed = settings.serving.clock and AsOf.parse(settings.serving.clock, settings.timezone)
        return ServingContext(
            scorer=Scorer(models),
            reader=open_reader(settings, self._layout),
            clock=lambda: fixed or AsOf(datetime.now(UTC)),
            score_log=self._score_log,
            settings=settings.serving,
            goals=tuple(settings.goals),
            readiness=self._readiness,
        )


def _warm_up(context: ServingContext) -> None:
    """Read and score once, so that the first customer does not pay for what is set up lazily."""
    models = context.scorer.models.values()
    services = tuple(dict.fromkeys(model.card.feature_service for model in models))
    as_of = context.clock()
    vectors = context.reader.online(WARM_UP_IDS, as_of=as_of, services=services)
    context.scorer.score(vectors, as_of=as_of)
    for model in models:
        model.predictor.predict(np.zeros((1, len(model.card.columns))))
