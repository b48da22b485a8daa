"""Who gave how much to whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from experiments.figures.style import PALE, WIDTH, drawing
from experiments.metrics.volume import Matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MIB: Final = 2**20
_MOST_WRITTEN: Final = 12
"""Rows above which the numbers would not be readable in the cells."""
_DARK: Final = "#08306b"
_LIGHT: Final = "#fefefe"


def draw_bytes(stem: Path, matrix: Matrix) -> None:
    """Rows give, columns take; MiB that the receiver verified."""
    count = len(matrix.peers)
    mib = [[moved / _MIB for moved in row] for row in matrix.bytes]
    highest = max(1e-9, *map(max, mib))
    side = min(WIDTH - 1.2, 1.6 + 0.5 * count)
    with drawing(stem, height=side + 0.3) as figure:
        axes = figure.subplots()
        image = axes.imshow(mib, cmap="Blues", vmin=0, vmax=highest)
        size = min(8.0, 190 / count)
        axes.set_xticks(range(count), matrix.peers, rotation=90 if count > 6 else 0, fontsize=size)
        axes.set_yticks(range(count), matrix.peers, fontsize=size)
        axes.set(xlabel="to", ylabel="from")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        figure.colorbar(image, label="MiB verified", shrink=0.8, pad=0.02).outline.set_visible(False)
        if count <= _MOST_WRITTEN:
            _write(axes, mib, highest)
        else:
            axes.set_facecolor(PALE)


def _write(axes: Axes, mib: list[list[float]], highest: float) -> None:
    for giver, row in enumerate(mib):
        for taker, moved in enumerate(row):
            if moved:
                color = _LIGHT if moved > 0.55 * highest else _DARK
                text = f"{moved:.1f}" if moved < 100 else f"{moved:.0f}"
                axes.text(taker, giver, text, ha="center", va="center", color=color, fontsize=7.5)
