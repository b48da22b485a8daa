"""How close swarms of several sizes came to the least time possible."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from experiments.figures.style import PALE, PALETTE, drawing
from experiments.statistics import Interval


class Point(Struct, frozen=True):
    """One size of swarm."""

    leechers: int
    fluid: Interval
    """Share of the fluid bound, with its interval over repetitions."""
    chunked: Interval
    """Share of the chunked bound, likewise."""


def draw_efficiency(stem: Path, points: Sequence[Point]) -> None:
    """Bound over last completion against the number of leechers; the bound itself is the line at 100%."""
    ordered = sorted(points, key=lambda point: point.leechers)
    sizes = [point.leechers for point in ordered]
    with drawing(stem) as figure:
        axes = figure.subplots()
        axes.axhline(100, color=PALE, linestyle=":", linewidth=1.4)
        axes.annotate("bound", (sizes[0], 100), xytext=(0, 3), textcoords="offset points", color=PALE, fontsize=8.5)
        series = [("of the fluid bound", [point.fluid for point in ordered], PALETTE[0], "o")]
        series.append(("of the chunked bound", [point.chunked for point in ordered], PALETTE[1], "s"))
        for name, reached, color, marker in series:
            values = [100 * found.value for found in reached]
            ends = [
                [100 * (found.value - (found.low if found.low is not None else found.value)) for found in reached],
                [100 * ((found.high if found.high is not None else found.value) - found.value) for found in reached],
            ]
            axes.errorbar(sizes, values, ends, color=color, marker=marker, markersize=4.5, capsize=2.5, label=name)
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        top = max(108.0, *(100 * (point.chunked.high or point.chunked.value) + 4 for point in ordered))
        axes.set(xlabel="leechers", ylabel="least time over last completion, %", ylim=(0, top))
        axes.grid()
        axes.legend(loc="lower left", frameon=False)
