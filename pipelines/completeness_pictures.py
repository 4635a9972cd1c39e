"""The pictures of the completeness page: SVG within the page itself, each with its words."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from features.completeness import Completeness, Source

BLUE, ORANGE, GREY, INK = "#1f5f99", "#b8560f", "#d9dee3", "#22303c"
GAP = "#f3d9c6"
FEW_LABELS = 12


@dataclass(frozen=True)
class Picture:
    """A picture as the source of an `<img>`, and what it shows in words."""

    data: str
    alt: str


def months_picture(source: "Source") -> Picture:
    """Return the rows and customers of a source by month, each on a scale of its own."""
    figure = _figure(8.4, 3.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    names = [month.month for month in source.months]
    _bars(above, "rows", [month.rows for month in source.months], BLUE)
    _bars(below, "customers", [month.customers for month in source.months], ORANGE)
    _label_months(below, names)
    below.set_xlim(-0.6, len(names) - 0.4)
    return Picture(_as_data(figure), months_words(source))


def _bars(axes: "Axes", name: str, counts: Sequence[int], color: str) -> None:
    axes.bar(range(len(counts)), counts, color=color, width=0.8)
    for place, count in enumerate(counts):
        if not count:
            axes.axvspan(place - 0.5, place + 0.5, color=GAP, zorder=0)
    axes.set_title(name, loc="left", fontsize=9, color=INK)
    axes.set_ylim(0, 1.05 * max(counts))
    axes.locator_params(axis="y", nbins=4, integer=True)
    axes.yaxis.set_major_formatter("{x:,.0f}")


def months_words(source: "Source") -> str:
    """Return what the picture of a source shows."""
    first, last = source.months[0], source.months[-1]
    most = max(source.months, key=lambda month: month.rows)
    gaps = f"; no rows in {', '.join(source.gaps)}" if source.gaps else ""
    return (
        f"Rows and customers of {source.table} by month, from {first.month} ({first.rows:,} rows "
        f"of {first.customers:,} customers) to {last.month} ({last.rows:,} rows of "
        f"{last.customers:,}); most rows in {most.month}: {most.rows:,}{gaps}"
    )


def coverage_picture(completeness: "Completeness") -> Picture | None:
    """Return which months each source covers: the darker, the nearer to its own best month."""
    timed = [source for source in completeness.sources if source.months]
    names = sorted({month.month for source in timed for month in source.months})
    if not names:
        return None
    names = _every_month(names[0], names[-1])
    grid = [_shades(source, names) for source in timed]
    figure = _figure(8.4, 0.55 + 0.34 * len(timed))
    axes = figure.subplots()
    axes.imshow(grid, aspect="auto", cmap="Blues", vmin=0, vmax=1.15, interpolation="nearest")
    axes.set_yticks(range(len(timed)), [source.table for source in timed], fontsize=9)
    for edge in range(1, len(timed)):
        axes.axhline(edge - 0.5, color="white", linewidth=3)
    _label_months(axes, names)
    spans = "; ".join(f"{source.table} {source.coverage}" for source in timed)
    return Picture(_as_data(figure), f"Months that each source covers: {spans}")


def _shades(source: "Source", names: Sequence[str]) -> list[float]:
    rows = {month.month: month.rows for month in source.months}
    most = max(rows.values()) or 1
    return [0.15 + 0.85 * rows[name] / most if rows.get(name) else 0.0 for name in names]


def _every_month(first: str, last: str) -> list[str]:
    start, end = (int(name[:4]) * 12 + int(name[5:]) - 1 for name in (first, last))
    return [f"{place // 12:04d}-{place % 12 + 1:02d}" for place in range(start, end + 1)]


def _label_months(axes: "Axes", names: Sequence[str]) -> None:
    step = max(1, -(-len(names) // FEW_LABELS))
    places = list(range(0, len(names), step))
    axes.set_xticks(places, [names[place] for place in places], fontsize=8)


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _as_data(figure: "Figure") -> str:
    import matplotlib as mpl

    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GREY)
        axes.tick_params(colors=INK, length=0, labelsize=8)
    stream = io.BytesIO()
    with mpl.rc_context(
        {"svg.hashsalt": "bellwether", "svg.fonttype": "path"}
    ):  # so that the same facts give the same bytes
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
