"""What the rounds of the tracker's benchmark add up to, and how it is written.  Pure: records in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from msgspec import Struct

from bus.units import format_size
from experiments.bench.comparison import Spread, spread
from experiments.bench.tracker_load import OUTSTANDING, Load, Mix
from experiments.bench.tracker_population import Population
from experiments.provenance import Provenance

RATE_WANTED: Final = 10_000.0
"""Requests a second, mixed query and renew."""
P99_ALLOWED: Final = 0.005
"""Seconds, at half of what the tracker can do."""
GROWTH_ALLOWED: Final = 1.2
"""Cost of a request at the larger number of contents over that at the smaller."""
MIXES: Final[dict[Mix, str]] = {
    "mixed": "queries and renewals in turn", "query": "queries only", "renew": "renewals only",
}  # fmt: skip


class Round(Struct, frozen=True):
    """All that is compared, one right after the other."""

    bare: Load
    full: Load
    """The tracker with many contents."""
    few: Load
    """The tracker with few."""
    half: Load
    """The tracker with many, at half of its rate."""
    others: float
    """Share of the processors' time that other programs had meanwhile."""


class Figures(Struct, frozen=True):
    """One run of the benchmark."""

    command: str
    made_by: Provenance
    population: Population
    few_contents: int
    mix: Mix
    rounds: list[Round]
    """Without the warm-up."""
    rate: Spread
    """Requests a second of the tracker."""
    bare_rate: Spread
    ratio: Spread
    """The tracker's rate over the bare one's, of each round."""
    cpu: Spread
    """Seconds of processor time for one request, all threads of the tracker."""
    growth: Spread
    """`cpu` with many contents over `cpu` with few, of each round."""
    p50: Spread
    """Seconds, at half load."""
    p99: Spread
    peers_listed: float
    """In the answer to a query, on average."""
    failed: int
    """Requests refused or never answered, of all rounds."""
    start_seconds: float
    """Until the tracker with many contents served."""
    peak: int
    """Bytes of memory of that tracker, at most."""

    @property
    def reached(self) -> bool:
        return not self.failed and all(good for _, _, _, good in wanted(self))


def wanted(figures: Figures) -> list[tuple[str, str, str, bool]]:
    """What is asked of the tracker: (what, found, wanted, reached)."""
    return [
        ("requests a second on one core", f"{figures.rate.median:,.0f}", f"at least {RATE_WANTED:,.0f}",
         figures.rate.median >= RATE_WANTED),
        ("p99 at half load, ms", f"{1000 * figures.p99.median:.2f}", f"at most {1000 * P99_ALLOWED:g}",
         figures.p99.median <= P99_ALLOWED),
        (f"cost of a request, {figures.population.contents:,} contents / {figures.few_contents:,}",
         f"{figures.growth.median:.2f}", f"at most {GROWTH_ALLOWED:g}", figures.growth.median <= GROWTH_ALLOWED),
    ]  # fmt: skip


def figures_of(
    command: str,
    made_by: Provenance,
    population: Population,
    few_contents: int,
    mix: Mix,
    rounds: Sequence[Round],
    start_seconds: float,
    peak: int,
) -> Figures:
    """Add the rounds up."""
    return Figures(
        command=command,
        made_by=made_by,
        population=population,
        few_contents=few_contents,
        mix=mix,
        rounds=list(rounds),
        rate=spread([row.full.rate for row in rounds]),
        bare_rate=spread([row.bare.rate for row in rounds]),
        ratio=spread([row.full.rate / row.bare.rate for row in rounds]),
        cpu=spread([row.full.cpu_per_request for row in rounds]),
        growth=spread([row.full.cpu_per_request / row.few.cpu_per_request for row in rounds]),
        p50=spread([row.half.p50 for row in rounds]),
        p99=spread([row.half.p99 for row in rounds]),
        peers_listed=median(row.full.peers_listed for row in rounds),
        failed=sum(one.failed for row in rounds for one in (row.full, row.few, row.half)),
        start_seconds=round(start_seconds, 2),
        peak=peak,
    )


def markdown(figures: Figures) -> str:
    """The result as a table with what is needed to judge it."""
    machine, people = figures.made_by, figures.population
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    others = ", ".join(f"{row.others:.0%}" for row in figures.rounds)
    lines = [
        f"One tracker on one core, {people.peers:,} registered peers, {people.connected} of them connected with CURVE, "
        f"{people.contents:,} contents; {MIXES[figures.mix]}, {OUTSTANDING} on their way at a time, "
        f"{figures.peers_listed:g} peers in an answer on average; {len(figures.rounds)} rounds after a warm-up.",
        "",
        "| | found | wanted | |",
        "|---|---|---|---|",
        *(f"| {what} | {found} | {want} | {'reached' if good else 'NOT REACHED'} |"
          for what, found, want, good in wanted(figures)),
        "",
        "| | median | lowest | highest |",
        "|---|---|---|---|",
        _row("tracker, requests a second", figures.rate, 1, 0),
        _row("bare ROUTER, the same answers, requests a second", figures.bare_rate, 1, 0),
        _row("tracker / bare ROUTER", figures.ratio, 1, 2),
        _row("processor time of one request, all threads of the tracker, us", figures.cpu, 1e6, 1),
        _row("p50 at half load, ms", figures.p50, 1e3, 2),
        _row("p99 at half load, ms", figures.p99, 1e3, 2),
        "",
        f"- Refused or not answered: {figures.failed}",
        f"- The tracker serves {figures.start_seconds:g} s after its start; it has at most {format_size(figures.peak)}",
        f"- Machine: {machine.cores} cores of {machine.processor}, {machine.system}; "
        f"other programs had {others} of the processors",
        f"- Python {machine.python}, {packages}; commit {machine.commit or 'unknown'}, {machine.time}",
        f"- Made by `{figures.command}`",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _row(what: str, one: Spread, scale: float, digits: int) -> str:
    return (
        f"| {what} | "
        + " | ".join(f"{scale * value:,.{digits}f}" for value in (one.median, one.lowest, one.highest))
        + " |"
    )
