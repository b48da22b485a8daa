"""What changed from one result to another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from experiments.figures.style import INK, PALE, PALETTE, drawing
from experiments.statistics import Interval

WORSE: Final = PALETTE[1]
BETTER: Final = PALETTE[0]
SAME: Final = PALE


class Shift(Struct, frozen=True):
    """One metric's change, as a part of what it was."""

    name: str
    change: Interval
    color: str


def draw_changes(stem: Path, shifts: Sequence[Shift], threshold: float) -> None:
    """One row for each metric: the change and its 95% interval; between the dotted lines it is no regression."""
    with drawing(stem, height=1.0 + 0.3 * len(shifts)) as figure:
        axes = figure.subplots()
        for place, shift in enumerate(shifts):
            low, high = shift.change.low, shift.change.high
            if low is not None and high is not None:
                axes.plot([100 * low, 100 * high], [place, place], color=shift.color, linewidth=2.2)
            axes.plot(100 * shift.change.value, place, "o", color=shift.color, markersize=6)
        axes.axvline(0, color=INK, linewidth=1)
        for side in (-1, 1):
            axes.axvline(100 * side * threshold, color=PALE, linestyle=":", linewidth=1.2)
        axes.set_yticks(range(len(shifts)), [shift.name for shift in shifts])
        axes.set_ylim(len(shifts) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel="change, %")
        widest = max([1.0, *map(abs, axes.get_xlim())])
        axes.set_xlim(-widest, widest)
        axes.grid(axis="x")
