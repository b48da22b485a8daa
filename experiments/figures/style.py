"""How every figure looks: one size of text, colours that the colour-blind can tell apart, labels beside the lines.

Colours: M. Okabe, K. Ito, "Color universal design" (2008).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bus.errors import ERR_USAGE, ShoalError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURES: Final = "figures"
"""In the folder of a result."""
WIDTH: Final = 6.25
"""Inches: 600 pixels of a page."""
INK: Final = "#1f2328"
"""Text and axes; a page replaces it by its own colour."""
PALE: Final = "#8b949e"
"""What is not data; readable on white and on black."""
PALETTE: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
LINES: Final = ("solid", "dashed", "dashdot", (0, (1, 1)))
"""A line's style, so that colour is never all that tells two apart."""
DPI: Final = 192
LABEL: Final = 8.5
"""Points."""
AXES_SHARE: Final = 0.8
"""Of a figure's height that its axes take, about."""

_RC: Final[dict[str, Any]] = {
    "svg.fonttype": "none",  # text stays text
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": PALE,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": PALE,
    "ytick.color": PALE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": PALE,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
}


def check_drawing() -> None:
    """Raises ShoalError, ERR_USAGE, if results cannot be worked up here; to be asked before an hour of experiments."""
    for name in ("matplotlib", "numpy", "polars"):
        if find_spec(name) is None:
            raise ShoalError(ERR_USAGE, f"experiments need {name}: install it, or shoal[experiments]")


@contextmanager
def drawing(stem: Path, height: float = 3.5, width: float = WIDTH) -> Iterator[Figure]:
    """A figure of so many inches, written as STEM.svg and STEM.png when it is drawn."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # The salt and the missing date make the same figure the same bytes, and no id twice on a page of several.
    with rc_context(_RC | {"svg.hashsalt": stem.name}):  # type: ignore[arg-type]
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        stem.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(stem.with_suffix(".svg"), format="svg", metadata={"Date": None, "Creator": None})
        figure.set_layout_engine("none")  # everything has its place now
        figure.savefig(stem.with_suffix(".png"), format="png", dpi=DPI, metadata={"Software": None})


def style_of(place: int) -> dict[str, Any]:
    """Colour and line of the `place`-th series."""
    return {"color": PALETTE[place % len(PALETTE)], "linestyle": LINES[place // 2 % len(LINES)], "linewidth": 1.8}


def label_right(axes: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """Write each (height, text, colour) beside the right end of the axes, moved apart where they would overlap."""
    bottom, top = axes.get_ylim()
    line = 1.25 * LABEL / 72 / (AXES_SHARE * axes.get_figure(root=True).get_figheight()) * (top - bottom)  # type: ignore[union-attr]
    free = float("inf")
    for value, text, color in sorted(labels, key=lambda label: -label[0]):
        half = line * (text.count("\n") + 1) / 2
        height = min(value, free - half)
        free = height - half
        axes.annotate(
            text, (1.0, height), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
            color=color, fontsize=LABEL, va="center", annotation_clip=False,
        )  # fmt: skip


def mark_time(axes: Axes, seconds: float, text: str) -> None:
    """A dotted line at a moment that is no measurement, named above it."""
    axes.axvline(seconds, color=PALE, linestyle=":", linewidth=1.4)
    axes.annotate(
        text, (seconds, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points",
        color=PALE, fontsize=LABEL, ha="center", va="bottom",
    )  # fmt: skip
