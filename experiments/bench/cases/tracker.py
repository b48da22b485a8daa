"""The tracker: what it answers on one core, how fast, and that more contents cost next to nothing."""

from __future__ import annotations

from pathlib import Path
from statistics import StatisticsError
from typing import Final

import msgspec

from experiments.bench.contest import Case, Contender
from experiments.bench.goals import ABSENT, named, number, written
from experiments.bench.options import Options
from experiments.bench.records import Figure, Result, spread
from experiments.bench.shoal_tracker import (
    FAILED,
    MICROSECONDS,
    P99,
    REQUESTS,
    BareRouter,
    Echo,
    ShoalTracker,
    TrackerJob,
    name_of,
)
from experiments.bench.tracker_load import OUTSTANDING, Mix
from experiments.bench.tracker_population import Population, write_database

POPULATION: Final = Population()
FEW: Final = 1_000
"""Contents of the tracker that it is compared with."""
SECONDS: Final = 3.0
"""Of each loop."""
_ROOM: Final = 2**29
"""Bytes: two databases twice."""


def tracker(
    options: Options,
    population: Population = POPULATION,
    few: int = FEW,
    seconds: float = SECONDS,
    mix: Mix = "mixed",
) -> list[Case[TrackerJob]]:
    """One tracker with many contents, one with few, a bare ROUTER, and a bare echo.

    Args:
        options: of the command line.
        population: whom the tracker knows.
        few: contents of the other.
        seconds: of each loop.
        mix: what is asked.
    """
    many = population.contents
    title = (
        f"a tracker on one core: {population.peers:,} registered peers, {population.connected} of them connected with "
        f"CURVE, {many:,} contents; queries and renewals in turn, {OUTSTANDING} on their way at a time, and then "
        "half of that rate, at random times"
    )
    contenders: list[Contender[TrackerJob]] = [ShoalTracker(many), BareRouter(), Echo(), ShoalTracker(few)]

    def made(folder: Path) -> TrackerJob:
        databases = {}
        for contents in (many, few):
            databases[contents] = folder / f"{contents}.db"
            write_database(databases[contents], msgspec.structs.replace(population, contents=contents))
        return TrackerJob(databases, population, mix, seconds)

    def figures(result: Result) -> list[Figure]:
        one = name_of(many)
        return [
            number(result, "requests a second on one core", one, named(REQUESTS), (">=", 10_000)),
            number(result, "p99 at half load", one, named(P99), ("<=", 5), " ms"),
            _growth(result, many, few),
            number(result, "refused or not answered", one, named(FAILED), ("<=", 0)),
        ]

    chosen = [contender for contender in contenders if options.chosen(contender.name)]
    return [Case("tracker", title, 0, chosen, made, figures, options.ram_disk, _ROOM)]


def _growth(result: Result, many: int, few: int) -> Figure:
    """Processor time of a request with many contents over that with few, round by round."""
    what, wanted = f"cost of a request, {many:,} contents over {few:,}", "<= 1.2 x"
    pairs = zip(result.runs_of(name_of(many)), result.runs_of(name_of(few)), strict=False)
    try:
        found = spread([large.numbers[MICROSECONDS] / small.numbers[MICROSECONDS] for large, small in pairs])
    except StatisticsError:
        return Figure(what, wanted, ABSENT, False)
    return Figure(what, wanted, f"{written(found)} x", found.median <= 1.2)
