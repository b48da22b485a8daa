"""What the rounds of `bench-first` add up to, and how it is written.  Pure: records in, numbers and text out."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from msgspec import Struct

from bus.units import format_size
from experiments.bench.pump import Pumped
from experiments.bench.transfer import Transferred
from experiments.bench.usage import Usage
from experiments.provenance import Provenance

RATIO_WANTED: Final = 0.5
"""Share of the bare pump's rate that Shoal is to reach."""
MEMORY_ALLOWED: Final = 150 * 2**20
"""Bytes that each peer may have resident at its highest, shared memory left out."""
_MB: Final = 10**6


class Round(Struct, frozen=True):
    """Both, one right after the other, so that what else the machine did meets both."""

    pump: Pumped
    shoal: Transferred
    others: float
    """Share of the processors' time that other programs had meanwhile; over 0.1 the numbers say little."""


class Spread(Struct, frozen=True):
    """Several measurements of one thing."""

    median: float
    lowest: float
    highest: float


class Comparison(Struct, frozen=True):
    """One run of the benchmark."""

    command: str
    made_by: Provenance
    size: int
    """Bytes of the file."""
    rounds: list[Round]
    """Without the warm-up."""
    shoal_rate: Spread
    """Bytes a second."""
    pump_rate: Spread
    ratio: Spread
    """Shoal's rate over the pump's, of each round."""
    cpu_ratio: float
    """Processor time of the pump over Shoal's, all processes, medians; other programs hardly change it."""
    peak: int
    """Bytes: the highest peak less shared memory of any peer in any round."""

    @property
    def reached(self) -> bool:
        return self.ratio.median >= RATIO_WANTED and self.peak < MEMORY_ALLOWED


def compare(command: str, made_by: Provenance, size: int, rounds: Sequence[Round]) -> Comparison:
    """Add the rounds up."""
    shoal_cpu = median(_cpu(row.shoal.sender, row.shoal.receiver, row.shoal.tracker) for row in rounds)
    pump_cpu = median(_cpu(row.pump.sender, row.pump.receiver) for row in rounds)
    return Comparison(
        command=command,
        made_by=made_by,
        size=size,
        rounds=list(rounds),
        shoal_rate=spread([size / row.shoal.seconds for row in rounds]),
        pump_rate=spread([size / row.pump.seconds for row in rounds]),
        ratio=spread([row.pump.seconds / row.shoal.seconds for row in rounds]),
        cpu_ratio=pump_cpu / shoal_cpu,
        peak=max(usage.own_bytes for row in rounds for usage in (row.shoal.sender, row.shoal.receiver)),
    )


def spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))


def markdown(result: Comparison) -> str:
    """The result as a table with what is needed to judge it."""
    machine = result.made_by
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    others = ", ".join(f"{row.others:.0%}" for row in result.rounds)
    lines = [
        f"One file of {format_size(result.size)} from one peer to another on one machine, from RAM disk to RAM disk, "
        f"encrypted; {len(result.rounds)} rounds after a warm-up, pump and Shoal in turns.",
        "",
        "| | bare pump | Shoal |",
        "|---|---|---|",
        f"| MB/s, median (lowest to highest) | {_rates(result.pump_rate)} | {_rates(result.shoal_rate)} |",
        *_usage_rows(result.rounds),
        "",
        f"- **Shoal / pump: {_ratio(result.ratio)}**; wanted: at least {RATIO_WANTED:g}",
        f"- Highest memory of a peer, VmHWM less RssShmem: **{format_size(result.peak)}**; "
        f"allowed: under {format_size(MEMORY_ALLOWED)}",
        f"- Processor time, pump / Shoal, all processes: {result.cpu_ratio:.2f}",
        f"- Machine: {machine.cores} cores of {machine.processor}, {format_size(machine.memory)} of memory, "
        f"{machine.system}; other programs had {others} of the processors",
        f"- Python {machine.python}, {packages}; commit {machine.commit or 'unknown'}, {machine.time}",
        f"- Made by `{result.command}`",
    ]
    return "\n".join(lines) + "\n"


def _usage_rows(rounds: Sequence[Round]) -> list[str]:
    sides = {
        "sender": [(row.pump.sender, row.shoal.sender) for row in rounds],
        "receiver": [(row.pump.receiver, row.shoal.receiver) for row in rounds],
    }
    rows = []
    for side, pairs in sides.items():
        pumps, shoals = zip(*pairs, strict=True)
        rows.append(f"| CPU seconds, {side} | {_cpu_of(pumps)} | {_cpu_of(shoals)} |")
        rows.append(f"| VmHWM less RssShmem, {side} | {_peak_of(pumps)} | {_peak_of(shoals)} |")
    return [*rows, f"| CPU seconds, tracker | | {_cpu_of([row.shoal.tracker for row in rounds])} |"]


def _cpu(*usages: Usage) -> float:
    return sum(usage.cpu_seconds for usage in usages)


def _cpu_of(usages: Sequence[Usage]) -> str:
    return f"{median(usage.cpu_seconds for usage in usages):.2f}"


def _peak_of(usages: Sequence[Usage]) -> str:
    return format_size(max(usage.own_bytes for usage in usages))


def _rates(rate: Spread) -> str:
    return f"{rate.median / _MB:.0f} ({rate.lowest / _MB:.0f} to {rate.highest / _MB:.0f})"


def _ratio(ratio: Spread) -> str:
    return f"{ratio.median:.2f} ({ratio.lowest:.2f} to {ratio.highest:.2f})"
