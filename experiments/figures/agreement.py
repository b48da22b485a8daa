"""How long each peer took, with real processes against simulated: one panel for each scenario."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from experiments.agreement import MEDIAN_LIMIT, Agreement
from experiments.figures.style import PALE, PALETTE, drawing

HEIGHT: Final = 2.4
"""Inches."""


class Panel(Struct, frozen=True):
    """One scenario."""

    title: str
    rounds: Sequence[Agreement]


def draw_agreement(stem: Path, panels: Sequence[Panel]) -> None:
    """Seconds to completion; on the diagonal both are the same, in the band they differ by at most the limit."""
    with drawing(stem, HEIGHT) as figure:
        every = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, panel in zip(every, panels, strict=True):
            peers = [peer for one in panel.rounds for peer in one.peers]
            top = 1.08 * max(max(peer.real, peer.simulated) for peer in peers)
            ends = [0.0, top]
            low, high = ([(1 + sign * MEDIAN_LIMIT) * end for end in ends] for sign in (-1, 1))
            axes.fill_between(ends, low, high, color=PALE, alpha=0.25, linewidth=0)
            axes.plot(ends, ends, color=PALE, linestyle=":", linewidth=1.4)
            axes.scatter(
                [peer.real for peer in peers], [peer.simulated for peer in peers], s=14, color=PALETTE[0], alpha=0.7,
                linewidths=0,
            )  # fmt: skip
            axes.set(title=panel.title, xlabel="real, s", xlim=(0, top), ylim=(0, top), aspect="equal")
            axes.locator_params(nbins=5)
            axes.grid()
        every[0].set_ylabel("simulated, s")
