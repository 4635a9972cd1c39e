"""What the columns of the user's file hold: measured where a guess needs it, and only there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from features.raw_tables import translated
from features.source_reading import open_files
from features.sources import open_connection
from features.value_parsing import (
    NUMERIC_DATE,
    as_text,
    clean,
    parse_moment,
    parse_money,
    parse_word,
)

SAMPLE_ROWS = 100_000
"""Names are weighed against the first rows; what depends on all rows is asked of all."""


class ColumnEvidence:
    """Answers questions about the columns of files, read through the door that loading uses.

    Raises:
        SourceError: if the files cannot be read.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._connection = open_connection()
        self._origin = str(files[0])
        self._rows, _ = open_files(self._connection, files, "orders")
        self.columns: tuple[str, ...] = tuple(self._rows.columns)
        self._rows = self._rows.select(**{name: clean(self._rows[name]) for name in self.columns})
        with translated("orders", self._origin):
            self._sample = self._connection.create_table("sample", self._rows.limit(SAMPLE_ROWS))

    def close(self) -> None:
        """Let go of the sample."""
        self._connection.disconnect()

    def distinct(self, column: str) -> int:
        """Return how many values the sampled rows have."""
        return int(self._ask(self._sample, n=self._sample[column].nunique())["n"])

    def time_share(self, column: str) -> float:
        """Return the share of what is said that can be read as a time, whichever way."""
        return max(self._time_share(column, day_first=order) for order in (False, True))

    def number_share(self, column: str) -> float:
        """Return the share of what is said that can be read as an amount, whichever way."""
        value = self._sample[column]
        return max(self._readable_share(value, parse_money(value, mark)) for mark in (".", ","))

    def is_fraction(self, column: str) -> bool:
        """Return whether all numbers lie within -1..1, and some are broken."""
        number = parse_money(self._sample[column])
        facts = self._ask(
            self._sample, most=number.abs().max(), broken=(number != number.round()).any()
        )
        return bool(facts["most"] is not None and facts["most"] <= 1 and facts["broken"])

    def words(self, column: str, at_most: int = 20) -> list[str]:
        """Return the values of a column that has few, the most frequent first; else nothing."""
        word = self._sample.select(word=as_text(self._sample[column])).filter(
            lambda rows: rows.word.notnull()
        )
        counts = word.group_by("word").agg(n=word.count()).order_by(lambda t: t.n.desc(), "word")
        found = [row["word"] for row in counts.limit(at_most + 1).to_pyarrow().to_pylist()]
        return found if len(found) <= at_most else []

    def spelling(self, column: str) -> list[str]:
        """Return the values of a column that has few as status values are compared."""
        word = parse_word(self._sample[column])
        return sorted(
            row["word"]
            for row in self._sample.select(word=word).distinct().limit(50).to_pyarrow().to_pylist()
            if row["word"] is not None
        )

    def unreadable_dates(self, column: str) -> tuple[int, int, int]:
        """Return how many numeric dates there are, and how many fail month first and day first."""
        value = self._rows[column]
        if not value.type().is_string():
            return 0, 0, 0
        numeric = value.re_search(NUMERIC_DATE)
        month_first, day_first = (
            numeric & parse_moment(value, timezone="UTC", day_first=order).isnull()
            for order in (False, True)
        )
        facts = self._ask(self._rows, n=numeric.sum(), month=month_first.sum(), day=day_first.sum())
        return tuple(int(facts[name] or 0) for name in ("n", "month", "day"))  # type: ignore[return-value]

    def carries_zone(self, column: str) -> bool:
        """Return whether the times name their zone or offset."""
        value = self._sample[column]
        kind = value.type()
        if kind.is_timestamp():
            return kind.timezone is not None
        offset = r"\d:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?)$"
        return bool(kind.is_string()) and self._share(value.re_search(offset)) > 0

    def repetitions(self, key: Sequence[str], row: Sequence[str]) -> tuple[int, int, int]:
        """Return how many rows have a key, how many keys there are, and how many different rows."""
        said = self._rows.select(*dict.fromkeys((*key, *row))).drop_null(list(key))
        facts = self._ask(said, n=said.count())
        keys = self._ask(keyed := said.select(*key).distinct(), n=keyed.count())
        rows = self._ask(different := said.distinct(), n=different.count())
        return int(facts["n"]), int(keys["n"]), int(rows["n"])

    def _time_share(self, column: str, *, day_first: bool) -> float:
        value = self._sample[column]
        return self._readable_share(value, parse_moment(value, timezone="UTC", day_first=day_first))

    def _readable_share(self, value: Any, read: Any) -> float:
        facts = self._ask(self._sample, said=value.count(), readable=read.count())
        return facts["readable"] / facts["said"] if facts["said"] else 0.0

    def _share(self, condition: Any) -> float:
        facts = self._ask(self._sample, n=condition.count(), held=condition.sum())
        return float(facts["held"] or 0) / facts["n"] if facts["n"] else 0.0

    def _ask(self, rows: Any, **questions: Any) -> dict[str, Any]:
        with translated("orders", self._origin):
            (answer,) = rows.aggregate(**questions).to_pyarrow().to_pylist()
        return dict(answer)
