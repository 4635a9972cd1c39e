"""The completeness report as one HTML page that needs nothing else: no script, font or network."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.contracts.errors import ConfigurationError

if TYPE_CHECKING:
    from features.completeness import Source
    from features.contracts.as_of import AsOf
    from features.quality import Quarantined, TableQuality
    from pipelines.check import CheckResult

TEMPLATE = Path(__file__).with_name("completeness.html.j2")
STALE_DAYS = 7
EBBING = 0.7
MUCH_ASIDE = 0.05
"""A source that lags the others by a week, brings so much less than usual, or has so many rows put
aside is marked."""


def completeness_page(result: "CheckResult", *, project: str) -> str:
    """Return the page of what was found in a project of that name.

    Raises:
        ConfigurationError: if the libraries that draw it are not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined

        from pipelines.completeness_pictures import coverage_picture

        coverage = coverage_picture(result.completeness)
        sources = [
            _source(source, result.report.table(source.table), result.completeness.timezone)
            for source in result.completeness.sources
        ]
    except ImportError as error:
        raise ConfigurationError(
            f"the page cannot be drawn ({error}); install bellwether[report], or leave out --report"
        ) from error
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["share"] = _share
    environment.filters["count"] = lambda number: f"{number:,.0f}"
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        project=project,
        now=_day(result.completeness.now, result.completeness.timezone),
        timezone=result.completeness.timezone,
        goals=[_goal(goal) for goal in result.goals],
        coverage=coverage,
        sources=sources,
        advice=result.advice,
    )


def _share(share: float) -> str:
    """Return a share as people write it, with nothing that is there rounded to nothing."""
    if 0 < share < 0.0005:
        return "under 0.1%"
    return f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"


def _goal(goal: Any) -> dict[str, Any]:
    return {
        "name": goal.goal.value.replace("_", " "),
        "carried": goal.carried,
        "reason": goal.reason,
    }


def _day(moment: "AsOf | None", timezone: str) -> str:
    """Return the day of a moment on the calendar of the project's zone."""
    from features.contracts.as_of import find_zone

    return f"{moment.moment.astimezone(find_zone(timezone)):%Y-%m-%d}" if moment else "none"


def _source(source: "Source", quality: "TableQuality", timezone: str) -> dict[str, Any]:
    from pipelines.completeness_pictures import months_picture

    return {
        "facts": source,
        "quality": quality,
        "name": source.table.replace("_", " "),
        "newest": _day(quality.last_event, timezone),
        "oldest": _day(quality.first_event, timezone),
        "marks": _marks(source, quality),
        "picture": months_picture(source) if source.months else None,
        "quarantined": [_reason(part, quality) for part in quality.quarantined],
    }


def _marks(source: "Source", quality: "TableQuality") -> list[str]:
    """Return in a few words what deserves a look."""
    marks = []
    if quality.rows_quarantined > MUCH_ASIDE * quality.rows_read:
        marks.append(f"{quality.rows_quarantined / quality.rows_read:.0%} of the rows put aside")
    if source.behind_days is not None and source.behind_days > STALE_DAYS:
        marks.append(f"{source.behind_days:,.0f} days behind the other sources")
    if source.decay is not None and source.decay < EBBING:
        marks.append(f"{1 - source.decay:.0%} fewer rows than usual")
    if source.gaps:
        marks.append(f"no rows in {len(source.gaps)} months")
    return marks


def _reason(part: "Quarantined", quality: "TableQuality") -> dict[str, Any]:
    from features.data_gates import REASONS

    places = part.places or (None,) * len(part.samples)
    samples = [
        sample if place is None else f"{sample} (row {place:,})"
        for sample, place in zip(part.samples, places, strict=True)
    ]
    return {
        "name": part.reason,
        "words": REASONS[part.reason],
        "rows": part.rows,
        "share": part.rows / quality.rows_read,
        "samples": samples,
    }
