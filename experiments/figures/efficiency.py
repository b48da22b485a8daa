"""How close swarms of several sizes came to the least time possible."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from experiments.figures.style import PALE, PALETTE, drawing, label_right
from experiments.statistics import Interval


class Point(Struct, frozen=True):
    """One size of swarm."""

    leechers: int
    fluid: Interval
    """Share of the fluid bound, with its interval over repetitions."""
    chunked: Interval
    """Share of the chunked bound, likewise."""


def draw_efficiency(stem: Path, points: Sequence[Point]) -> None:
    """The share of the fluid bound reached against the number of leechers, and what the chunked bound leaves of it."""
    ordered = sorted(points, key=lambda point: point.leechers)
    sizes = [point.leechers for point in ordered]
    fluid = [point.fluid.scaled(100) for point in ordered]
    reached = [found.value for found in fluid]
    below = [found.value - (found.value if found.low is None else found.low) for found in fluid]
    above = [(found.value if found.high is None else found.high) - found.value for found in fluid]
    possible = [100 * point.fluid.value / point.chunked.value for point in ordered]
    with drawing(stem) as figure:
        axes = figure.subplots()
        axes.axhline(100, color=PALE, linestyle=":", linewidth=1.4)
        axes.plot(sizes, possible, color=PALETTE[1], linestyle="dashed", linewidth=1.6)
        axes.errorbar(
            sizes, reached, [below, above], color=PALETTE[0], marker="o", markersize=4.5, capsize=2.5, linewidth=1.8
        )
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set(xlabel="leechers", ylabel="fluid bound over last completion, %", ylim=(0, 108))
        axes.grid()
        labels = [(100.0, "fluid bound", PALE), (possible[-1], "chunked bound", PALETTE[1])]
        label_right(axes, [*labels, (reached[-1], "measured", PALETTE[0])])
