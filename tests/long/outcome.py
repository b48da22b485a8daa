"""What a case came to, and how it is written down."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from msgspec import Struct

from experiments.bench.records import Figure
from experiments.bench.usage import Others
from experiments.provenance import provenance
from tests.kit.waiting import eventually


class Outcome(Struct, frozen=True):
    """One case."""

    title: str
    figures: list[Figure]
    notes: list[str] = []
    """What else was measured, and what it means; a line each."""


class Watch:
    """What the machine was busy with meanwhile."""

    def __init__(self) -> None:
        self._others = Others()
        self._begin = time.monotonic()

    def told(self) -> str:
        seconds = time.monotonic() - self._begin
        return f"{seconds:.0f} s in all; the hypervisor kept {self._others.stolen():.0%} of the processors"


def at_most(what: str, measured: float, limit: float, unit: str, more: str = "") -> Figure:
    """A figure that is to stay below a limit; `more` is written behind what was measured."""
    return Figure(what, f"<= {limit:g} {unit}", f"{measured:.3g} {unit}{more}", measured <= limit)


def share_of(values: Sequence[float], share: float) -> float:
    """The value that this share of all is not above: 0.95 for the 95th percentile."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def spread(values: Sequence[float], unit: str) -> str:
    return f"median {median(values):.3g}, 95% {share_of(values, 0.95):.3g}, 99% {share_of(values, 0.99):.3g}, " \
           f"most {max(values):.3g} {unit}, of {len(values)}"  # fmt: skip


def markdown(name: str, outcome: Outcome, watch: Watch, command: str) -> str:
    machine = provenance()
    lines = [f"### page-{name}", "", f"{outcome.title}.", ""]
    lines += ["| goal | wanted | measured | |", "|---|---|---|---|"]
    for figure in outcome.figures:
        verdict = "reached" if figure.reached else "**not reached**"
        lines.append(f"| {figure.what} | {figure.wanted} | {figure.measured} | {verdict} |")
    lines += ["", *(f"- {note}" for note in outcome.notes)]
    lines.append(f"- Machine: {machine.cores} cores of {machine.processor}, {machine.system}; {watch.told()}")
    lines.append(f"- Python {machine.python}; commit {machine.commit or 'unknown'}, {machine.time}")
    return "\n".join([*lines, f"- Made by `{command}`"]) + "\n"


def let_pass(seconds: float) -> None:
    """What is measured takes its time."""
    end = time.monotonic() + seconds
    eventually(lambda: time.monotonic() > end, within=seconds + 60)


def private_bytes(pids: Sequence[int]) -> int:
    """Anonymous memory of some processes, which is theirs alone; what has ended counts nothing."""
    total = 0
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        total += sum(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:"))
    return total
