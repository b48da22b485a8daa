"""The figure of a run: a panel for each case, a bar for each contender; the same numbers give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from experiments.bench.records import Result, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OURS: Final = "#2a6fb0"
_THEIRS: Final = "0.65"


def draw(path: Path, results: Sequence[Result]) -> None:
    """Seconds of each contender, the middle one, lowest to highest as a line; nothing if nobody was measured."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    measured = [result for result in results if any(entry.runs for entry in result.entries)]
    if not measured:
        return
    heights = [0.9 + 0.28 * len(result.entries) for result in measured]
    # The salt and the missing date make the same figure the same bytes; text stays text.
    with rc_context({"svg.hashsalt": "shoal", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}):
        figure = Figure(figsize=(7.0, sum(heights)), layout="constrained")
        panels = figure.subplots(len(measured), squeeze=False, height_ratios=heights)
        for axes, result in zip(panels[:, 0], measured, strict=True):
            _panel(axes, result)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _panel(axes: Axes, result: Result) -> None:
    for place, entry in enumerate(result.entries):
        if not entry.runs:
            axes.text(0, place, " not measured", va="center", color="0.4")
            continue
        seconds = spread([run.seconds for run in entry.runs])
        ends = [[seconds.median - seconds.lowest], [seconds.highest - seconds.median]]
        color = _OURS if entry.name.startswith("shoal") else _THEIRS
        axes.barh(place, seconds.median, xerr=ends, color=color, ecolor="0.2", capsize=2)
    axes.set_yticks(range(len(result.entries)), [entry.name for entry in result.entries])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_title(result.case, loc="left")
    axes.set_xlabel("seconds")
    axes.grid(axis="x", alpha=0.3)
