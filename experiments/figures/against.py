"""One number against what was varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from experiments.figures.style import drawing, label_right, style_of
from experiments.statistics import Interval

CROWDED: Final = 6
"""Lines that can be told apart by colour and label."""
WIDE: Final = 4
"""From this ratio of the largest number to the smallest on, beside 0, their logarithms are shown."""
BESIDE: Final = 0.1
"""Of the way from one word to the next, between the points of two lines."""


class Line(Struct, frozen=True):
    """The points with the same values of all other keys."""

    name: str
    """Empty if it is the only one."""
    points: list[tuple[float | str, Interval]]
    """Where on the axis, and the number there."""


def draw_against(stem: Path, key: str, label: str, lines: Sequence[Line], written: Mapping[float, str] = {}) -> None:
    """Means with their 95% intervals.

    Args:
        stem: the file, without its ending.
        key: of the horizontal axis; its values are numbers of at least two sizes, or words.
        label: of the vertical axis, with its unit.
        lines: at most CROWDED are named.
        written: numbers on the axis that people write otherwise: 1048576 as `1 MiB`.
    """
    places = list(dict.fromkeys(where for line in lines for where, _ in line.points))
    numbers = sorted(where for where in places if isinstance(where, float))
    numeric = len(numbers) == len(places)
    positive = [where for where in numbers if where > 0]
    wide = numeric and bool(positive) and positive[-1] >= WIDE * positive[0]  # doublings rather than steps
    evenly = wide and len(positive) < len(numbers)  # a logarithm has no place for 0
    at: dict[float | str, float] = {where: float(place) for place, where in enumerate(numbers if evenly else places)}
    if numeric and not evenly:
        at.update((where, where) for where in numbers)
    with drawing(stem) as figure:
        axes = figure.subplots()
        ends, top = [], 0.0
        for number, line in enumerate(lines):
            # Words have no order: there is nothing between them, and lines of points side by side.
            aside = 0.0 if numeric else BESIDE * (number - (len(lines) - 1) / 2)
            found = [(at[where] + aside, mean) for where, mean in line.points]
            found.sort(key=lambda point: point[0])
            xs, means = [where for where, _ in found], [mean for _, mean in found]
            middle = [mean.value for mean in means]
            below = [mean.value - (mean.value if mean.low is None else mean.low) for mean in means]
            above = [(mean.value if mean.high is None else mean.high) - mean.value for mean in means]
            style = style_of(number) | ({} if numeric else {"linestyle": "none", "elinewidth": 1.8})
            axes.errorbar(xs, middle, [below, above], marker="o", markersize=4.5, capsize=2.5, **style)
            ends.append((middle[-1], line.name, str(style["color"])))
            top = max([top, *(value + more for value, more in zip(middle, above, strict=True))])
        if not numeric:
            axes.set_xticks(range(len(places)), [str(where) for where in places])
            axes.set_xlim(-0.5, len(places) - 0.5)
        elif wide or written:
            if wide and not evenly:
                axes.set_xscale("log", base=2)
            names = [written.get(where, f"{where:g}") for where in numbers]
            axes.set_xticks([at[where] for where in numbers], names)
            axes.minorticks_off()
        axes.set(xlabel=key, ylabel=label)
        bottom = min(0.0, axes.get_ylim()[0])
        axes.set_ylim(bottom, top + 0.05 * (top - bottom))
        axes.grid()
        if 1 < len(lines) <= CROWDED:
            label_right(axes, ends)
