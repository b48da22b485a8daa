"""Results of the benchmark, made up for tests."""

from __future__ import annotations

from experiments.bench.records import Entry, Part, Result, Run
from experiments.bench.usage import Usage
from experiments.provenance import Provenance

MIB = 2**20
MADE_BY = Provenance("2030-01-02T03:04:05+00:00", "abc", "3.11", {"shoal": "1"}, "Linux", "a processor", 2, 2**30, {})


def run(seconds, peak=50 * MIB, cpu=0.5, role="receiver", **numbers):
    return Run(seconds, [Part(role, Usage(cpu, peak, 0))], numbers)


def result(moved=100 * 10**6, figures=(), absent=(), case="one", warmed=True, **runs):
    """A result of the contenders named as keyword arguments; those in `absent` did not take part."""
    entries = [Entry(name, f"how {name}", list(rows)) for name, rows in runs.items()]
    entries += [Entry(name, f"how {name}", absent="not installed: install it") for name in absent]
    rounds = max((len(rows) for rows in runs.values()), default=0)
    others, stolen = [0.1] * rounds, [0.05] * rounds
    return Result(
        case, "a title", moved, "the command", MADE_BY, rounds, warmed, others, stolen, entries, list(figures)
    )
