"""Swarms with upload limits: how close they come to the least time that any swarm could need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from bus.units import format_limit, format_size
from experiments.bench.bounds import chunked_bound, fluid_bound
from experiments.bench.contest import Case
from experiments.bench.goals import at_least, named, number
from experiments.bench.options import Options
from experiments.bench.records import Figure, Result, Run
from experiments.bench.rivals.libtorrent import LibtorrentSwarm
from experiments.bench.shoal_swarm import ShoalSwarm
from experiments.bench.swarming import SwarmJob
from experiments.material import write_material

MIB: Final = 2**20
SIZE: Final = 64 * MIB
RATE: Final = 2 * MIB
"""Bytes a second that everybody of an equal swarm may send."""
CHUNK: Final = 128 * 2**10
"""Bytes: what Shoal cuts a file of this size into; 512 chunks of 64 MiB."""
SLOW, FAST = 1 * MIB, 4 * MIB
"""Bytes a second in the mixed swarm: half of the leechers each; the seed is a fast one."""
SOURCES: Final = (1 * MIB, 2 * MIB, 4 * MIB)
SEED: Final = 1
WARM_UP: Final = 4 * MIB
"""Bytes of the warm-up's content."""


def equal(options: Options) -> list[Case[SwarmJob]]:
    """One seed and N leechers, all with the same limit; one case for each N."""
    return [_equal(options, count) for count in options.leechers]


def _equal(options: Options, count: int) -> Case[SwarmJob]:
    job = _job(options, [RATE], [RATE] * count)
    bound = chunked_bound(job.size, RATE, count, job.chunks)
    title = (
        f"{count} leechers and a seed, {format_limit(RATE)} of upload each, {job.chunks} chunks of "
        f"{format_size(job.chunk)}; "
        f"timed from the first request to the last finisher; bound (F/u)(1 + floor(log2 N)/M) = {bound:.2f} s"
    )

    def figures(result: Result) -> list[Figure]:
        return [
            number(result, "last finisher, share of the chunked bound", "shoal", _share(bound), (">=", 0.92)),
            number(result, "slowest/median", "shoal", named("slowest/median"), ("<=", 1.15)),
            number(result, "duplicate bytes, share", "shoal", named("duplicate share"), ("<=", 0.01)),
            number(result, "bytes that the seed sent / F", "shoal", named("seed sent/F"), ("<=", 1.1)),
            _better(result),
        ]

    return _case(options, f"swarm-{count}", title, job, figures)


def mixed(options: Options) -> list[Case[SwarmJob]]:
    """Ten leechers, half of them four times as fast as the others."""
    rates = [SLOW, FAST] * 5
    job = _job(options, [FAST], rates)
    bound = fluid_bound(job.size, FAST, rates)
    title = (
        f"10 leechers with {format_limit(SLOW)} and {format_limit(FAST)} of upload by turns, a seed with "
        f"{format_limit(FAST)}; "
        f"fluid bound max(F/u_seed, N F/(u_seed + sum of u_i)) = {bound:.2f} s"
    )

    def figures(result: Result) -> list[Figure]:
        what = "last finisher, share of the fluid bound"
        return [number(result, what, "shoal", _share(bound), (">=", 0.85)), _better(result)]

    return [_case(options, "swarm-mixed", title, job, figures)]


def sources(options: Options) -> list[Case[SwarmJob]]:
    """One leecher without limits, three seeds capped 1:2:4."""
    job = _job(options, list(SOURCES), [0])
    rates = ", ".join(format_limit(rate) for rate in SOURCES)
    title = f"one leecher and three seeds with {rates} of upload; F/sum of u = {job.size / sum(SOURCES):.2f} s"

    def figures(result: Result) -> list[Figure]:
        what = "largest deviation of the bytes taken from 1:2:4"
        return [number(result, what, "shoal", deviation, ("<=", 0.1))]

    return [_case(options, "sources", title, job, figures)]


def deviation(run: Run) -> float:
    """How far the bytes taken from the three sources are from 1:2:4, the largest relative deviation."""
    taken = [run.numbers[f"from seed {number}"] for number in range(1, len(SOURCES) + 1)]
    wanted = [sum(taken) * rate / sum(SOURCES) for rate in SOURCES]
    return max(abs(had / due - 1) for had, due in zip(taken, wanted, strict=True))


def _job(options: Options, seeds: list[int], leechers: list[int]) -> SwarmJob:
    return SwarmJob(Path(), options.size or SIZE, CHUNK, seeds, leechers)


def _case(
    options: Options, name: str, title: str, job: SwarmJob, figures: Callable[[Result], list[Figure]]
) -> Case[SwarmJob]:
    contenders = [one for one in (ShoalSwarm(), LibtorrentSwarm()) if options.chosen(one.name)]

    def made(size: int) -> Callable[[Path], SwarmJob]:
        def prepare(folder: Path) -> SwarmJob:
            source = folder / "content.bin"
            write_material(source, size, SEED)
            return msgspec.structs.replace(job, source=source, size=size)

        return prepare

    room = job.size * (1 + len(job.leechers))
    warm_up = made(min(job.size, WARM_UP))
    return Case(name, title, 0, contenders, made(job.size), figures, options.ram_disk, room, warm_up)


def _better(result: Result) -> Figure:
    """Whether Shoal's last leecher ends before libtorrent's."""
    return at_least(result, "last finisher beside libtorrent's", "shoal", "libtorrent", 1.0)


def _share(bound: float) -> Callable[[Run], float]:
    return lambda run: bound / run.seconds
