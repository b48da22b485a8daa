"""One number against what was varied."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from experiments.figures.style import drawing, label_right, style_of
from experiments.statistics import Interval

CROWDED: Final = 6
"""Lines that can be told apart by colour and label."""


class Line(Struct, frozen=True):
    """The points with the same values of all other keys."""

    name: str
    """Empty if it is the only one."""
    points: list[tuple[float | str, Interval]]
    """Where on the axis, and the number there."""


def draw_against(stem: Path, key: str, label: str, lines: Sequence[Line]) -> None:
    """Means with their 95% intervals.

    Args:
        stem: the file, without its ending.
        key: of the horizontal axis; its values are numbers of at least two sizes, or words.
        label: of the vertical axis, with its unit.
        lines: at most CROWDED are named.
    """
    places = {where: place for place, where in enumerate(dict.fromkeys(p[0] for line in lines for p in line.points))}
    numbers = [where for where in places if isinstance(where, float)]
    with drawing(stem) as figure:
        axes = figure.subplots()
        ends = []
        for number, line in enumerate(lines):
            found = [(where if len(numbers) == len(places) else places[where], mean) for where, mean in line.points]
            xs, means = [where for where, _ in found], [mean for _, mean in found]
            middle = [mean.value for mean in means]
            below = [mean.value - (mean.value if mean.low is None else mean.low) for mean in means]
            above = [(mean.value if mean.high is None else mean.high) - mean.value for mean in means]
            style = style_of(number)
            axes.errorbar(xs, middle, [below, above], marker="o", markersize=4.5, capsize=2.5, **style)
            ends.append((middle[-1], line.name, str(style["color"])))
        if len(numbers) < len(places):
            axes.set_xticks(list(places.values()), [str(where) for where in places])
        elif min(numbers) > 0 and max(numbers) / min(numbers) >= 4:  # doublings rather than steps
            axes.set_xscale("log", base=2)
            axes.set_xticks(numbers, [f"{where:g}" for where in numbers])
            axes.minorticks_off()
        axes.set(xlabel=key, ylabel=label)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.grid()
        if 1 < len(lines) <= CROWDED:
            label_right(axes, ends)
