"""Where a project keeps its files."""

from pathlib import Path

from features.contracts.settings import PROJECT_FILE, TrackingSettings

SQLITE = "sqlite:///"


class Layout:
    """Where a project keeps its files.

    Everything that Bellwether writes lies under `state/` and `reports/`; the user's own files are
    never touched.

    Args:
        root: folder of the project file.
        state: another folder for state, such as the scratch folder of a backtest.
    """

    def __init__(self, root: Path, state: Path | None = None) -> None:
        self.root = root.resolve()
        self.project_file = self.root / PROJECT_FILE
        self.state = state.resolve() if state else self.root / "state"
        self.snapshots = self.state / "snapshots"
        self.feature_registry = self.state / "feature_registry.db"
        self.online_store = self.state / "online.db"
        self.request_time = self.state / "request_time.json"
        self.history = self.state / "history" / "customers.duckdb"
        self.pushed = self.state / "history" / "pushed.db"
        self.tracking = self.state / "tracking.db"
        self.artifacts = self.state / "artifacts"
        self.models = self.state / "models"
        self.score_log = self.state / "score_log"
        self.reports = self.root / "reports"

    def tracking_uri(self, settings: TrackingSettings) -> str:
        """Return the tracking URI: the one in `settings`, or the project's own SQLite file.

        A relative SQLite file lies in the project's folder, from wherever it is asked for.
        """
        uri = settings.uri or f"{SQLITE}{self.tracking}"
        return f"{SQLITE}{self.root / uri.removeprefix(SQLITE)}" if uri.startswith(SQLITE) else uri
