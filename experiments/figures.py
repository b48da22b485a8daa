"""The figures of one experiment, as SVG: the same numbers give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bus.errors import ERR_USAGE, ShoalError
from experiments.metrics import Curve, Matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COMPLETION: Final = "completion.svg"
BYTES: Final = "bytes.svg"
_MIB: Final = 2**20


def check_drawing() -> None:
    """Raises ShoalError, ERR_USAGE, if figures cannot be drawn here; to be asked before an hour of experiments."""
    try:
        import matplotlib as matplotlib  # noqa: PLC0414  only to see that it is there
    except ImportError:
        raise ShoalError(ERR_USAGE, "figures need matplotlib: install it, or shoal[experiments]") from None


def draw_completion(path: Path, curves: Mapping[str, Curve], bound: float | None) -> None:
    """Each leecher's verified share over time; `bound` is the least time possible, in seconds."""
    with _drawing(path, 6.4, 3.6) as figure:
        axes = figure.subplots()
        for peer, curve in curves.items():
            seconds, shares = zip(*curve, strict=True)
            axes.plot(seconds, [100 * share for share in shares], label=peer, linewidth=1.2)
        if bound is not None:
            axes.axvline(bound, color="0.5", linestyle=":", label="bound")
        axes.set(xlabel="seconds since the first start", ylabel="verified, %", ylim=(0, 101))
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
        axes.legend(loc="best", fontsize=7, ncols=2)


def draw_bytes(path: Path, matrix: Matrix) -> None:
    """Who gave how much to whom; rows give, columns take."""
    count = len(matrix.peers)
    mib = [[moved / _MIB for moved in row] for row in matrix.bytes]
    highest = max(1e-9, *map(max, mib))
    with _drawing(path, 1.8 + 0.55 * count, 1.2 + 0.5 * count) as figure:
        axes = figure.subplots()
        axes.imshow(mib, cmap="Blues", vmin=0, vmax=highest)
        for giver, row in enumerate(mib):
            for taker, moved in enumerate(row):
                if moved:
                    color = "white" if moved > 0.6 * highest else "black"
                    axes.text(taker, giver, f"{moved:.1f}", ha="center", va="center", color=color, fontsize=7)
        axes.set_xticks(range(count), matrix.peers, rotation=45, ha="right")
        axes.set_yticks(range(count), [f"{matrix.peers[0]} (seed)", *matrix.peers[1:]])
        axes.set(xlabel="to", ylabel="from", title="MiB verified")


@contextmanager
def _drawing(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure of so many inches, written when it is drawn."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # The salt and the missing date make the same figure the same bytes; text stays text.
    with rc_context({"svg.hashsalt": "shoal", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        figure.savefig(path, format="svg", metadata={"Date": None})
