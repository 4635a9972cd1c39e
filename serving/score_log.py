"""The score log: every score with the features, the model version and the moment it came from.

Monitoring reads it: feature drift and score drift at once, realised quality once labels mature.
One row per customer and goal: the columns of `SCORE_SCHEMA`, then who asked (`request_id`,
`channel`, `scored_at`), the moment of the features, and one column `feature.<name>` per feature.

An answer never waits for the log and never fails because of it: what does not fit in the queue, or
cannot be written, is dropped and counted.
"""

import threading
import uuid
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog

from features.contracts.errors import ServiceError, SourceError
from features.contracts.goals import GoalName
from features.contracts.vectors import FeatureVectors
from serving.scorer import SCORE_SCHEMA, Scores

Channel = Literal["api", "batch"]

FEATURE_PREFIX = "feature."
UTC_MICROSECONDS = pa.timestamp("us", tz="UTC")
LOG_SCHEMA = pa.schema(
    [
        *SCORE_SCHEMA,
        ("request_id", pa.string()),
        ("channel", pa.string()),
        ("scored_at", UTC_MICROSECONDS),
        ("features_as_of", UTC_MICROSECONDS),
    ]
)
"""Columns of the log; features follow, as double columns named `feature.<name>`."""

ROW_GROUP_ROWS = 50_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Entry:
    """One answer, kept as it is until the writer turns it into columns."""

    scores: Scores
    vectors: FeatureVectors
    request_id: str
    channel: Channel
    scored_at: datetime


class ScoreLog:
    """Appends scores to a folder of Parquet parts, one subfolder per day.

    Args:
        directory: the folder; made when the first part is written.
        part_customers: a part is written once this many customers wait.
        flush_seconds: a part is written after this long, however few wait.
        max_waiting: at most so many customers wait; more are dropped and counted.
    """

    def __init__(
        self,
        directory: Path,
        *,
        part_customers: int = 10_000,
        flush_seconds: float = 5.0,
        max_waiting: int = 50_000,
    ) -> None:
        self._directory = directory
        self._part_customers = part_customers
        self._flush_seconds = flush_seconds
        self._max_waiting = max_waiting
        self._changed = threading.Condition()
        self._entries: deque[_Entry] = deque()
        self._waiting = 0
        self._dropped = 0
        self._closed = False
        self._writer: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """Number of customers whose scores were answered but not logged."""
        return self._dropped

    def append(
        self,
        scores: Scores,
        vectors: FeatureVectors,
        *,
        request_id: str,
        channel: Channel,
        scored_at: datetime,
    ) -> None:
        """Hand the scores of `vectors` to the writer; returns at once and never raises."""
        entry = _Entry(scores, vectors, request_id, channel, scored_at)
        with self._changed:
            if self._closed or self._waiting + len(vectors) > self._max_waiting:
                self._dropped += len(vectors)
                return
            self._entries.append(entry)
            self._waiting += len(vectors)
            self._start_writer()
            self._changed.notify()

    def write_now(
        self,
        scores: Scores,
        vectors: FeatureVectors,
        *,
        request_id: str,
        channel: Channel = "batch",
        scored_at: datetime,
    ) -> None:
        """Write the scores of `vectors` as one part, and return when it is on disk.

        Raises:
            ServiceError: if the part cannot be written.
        """
        entry = _Entry(scores, vectors, request_id, channel, scored_at)
        try:
            self._write_part([entry])
        except (OSError, pa.ArrowException) as error:
            raise ServiceError(
                f"the score log {self._directory} cannot be written: {error}; "
                "make room or mend its permissions, and score again"
            ) from error

    def close(self) -> None:
        """Write what waits, and stop. Whatever comes later is dropped and counted."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._writer is not None:
            self._writer.join()

    def _start_writer(self) -> None:
        if self._writer is None:
            self._writer = threading.Thread(target=self._run, name="score-log", daemon=True)
            self._writer.start()

    def _run(self) -> None:
        while entries := self._take():
            try:
                self._write_part(entries)
            except (OSError, pa.ArrowException) as error:
                lost = sum(len(entry.vectors) for entry in entries)
                with self._changed:
                    self._dropped += lost
                log.warning("score_log_not_written", customers=lost, cause=str(error))

    def _take(self) -> list[_Entry]:
        """Wait for a part's worth, the time limit or the end; nothing means that the log closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting > 0 or self._closed)
            self._changed.wait_for(
                lambda: self._waiting >= self._part_customers or self._closed,
                timeout=self._flush_seconds,
            )
            entries = list(self._entries)
            self._entries.clear()
            self._waiting = 0
            return entries

    def _write_part(self, entries: Sequence[_Entry]) -> None:
        table = pa.concat_tables([_table(entry) for entry in entries], promote_options="default")
        now = datetime.now(UTC)
        day = self._directory / f"{now:%Y-%m-%d}"
        day.mkdir(parents=True, exist_ok=True)
        part = day / f"{now:%H%M%S%f}-{uuid.uuid4().hex}.parquet"
        unfinished = part.with_name(f".{part.name}.tmp")
        try:
            pq.write_table(table, unfinished, row_group_size=ROW_GROUP_ROWS)
            unfinished.replace(part)
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)


def read_scores(directory: Path, *, goal: GoalName | None = None) -> pa.Table:
    """Return the logged scores, of one goal or of all; no rows where nothing was logged yet.

    Columns are those of `LOG_SCHEMA`, then every feature that was ever logged; a feature that a
    part does not have is null there.

    Raises:
        SourceError: if a part cannot be read.
    """
    parts = [_read_part(part, goal) for part in sorted(directory.glob("*/*.parquet"))]
    return pa.concat_tables([LOG_SCHEMA.empty_table(), *parts], promote_options="default")


def _read_part(part: Path, goal: GoalName | None) -> pa.Table:
    try:
        table = pq.ParquetFile(part).read()
    except (OSError, pa.ArrowException) as error:
        raise SourceError(
            f"{part} of the score log cannot be read: {error}; move it out of the score log"
        ) from error
    return table if goal is None else table.filter(pc.equal(table["goal"], pa.scalar(goal.value)))


def _table(entry: _Entry) -> pa.Table:
    """Return the rows of one answer; the features of a customer repeat for each goal."""
    vectors, table = entry.vectors, entry.scores.to_arrow()
    features_as_of = pa.array(vectors.features_as_of.astype("datetime64[us]"), UTC_MICROSECONDS)
    columns: dict[str, Any] = {
        "request_id": pa.repeat(pa.scalar(entry.request_id), table.num_rows),
        "channel": pa.repeat(pa.scalar(entry.channel), table.num_rows),
        "scored_at": pa.repeat(pa.scalar(entry.scored_at, UTC_MICROSECONDS), table.num_rows),
        "features_as_of": pa.chunked_array([features_as_of] * len(entry.scores.goals)),
    }
    for place, name in enumerate(vectors.columns):
        values = pa.array(vectors.values[:, place], from_pandas=True)
        columns[FEATURE_PREFIX + name] = pa.chunked_array([values] * len(entry.scores.goals))
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table
