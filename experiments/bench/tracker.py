"""`python -m experiments.bench.tracker`: what one tracker on one core of one machine answers, and how fast.

The tracker is the real one, as its own process with the default settings, kept to one core with all its threads. Its
clients are real encrypted connections from another process on another core. Beside it, in turns, a bare ROUTER with
the same encryption answers the same requests on the same core.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
from msgspec import Struct

from bus.errors import ERR_FAILURE, ERR_TIMEOUT, ERR_USAGE, ShoalError
from bus.places import TrackerPlaces
from bus.process import Process
from bus.ready import TrackerReady
from experiments.bench.comparison import Spread, spread
from experiments.bench.tracker_limit import Ready
from experiments.bench.tracker_load import Load, Mix, Order
from experiments.bench.tracker_population import Population, write_database
from experiments.bench.usage import Others
from experiments.provenance import Provenance, provenance

RATE_WANTED: Final = 10_000.0
"""Requests a second, mixed query and renew."""
P99_ALLOWED: Final = 0.005
"""Seconds, at half of what the tracker can do."""
GROWTH_ALLOWED: Final = 1.2
"""Cost of a request at the larger number of contents over that at the smaller."""
FEW_CONTENTS: Final = 1_000
OUTSTANDING: Final = 300
"""Requests on their way at a time."""
SECONDS: Final = 3.0
"""Of each measurement."""
ROUNDS: Final = 5
RESULTS: Final = Path(__file__).parent / "out"
TRACKER_CORE: Final = 0
CLIENT_CORE: Final = 1
_START: Final = 120.0
"""Seconds within which a tracker must have read its database."""
_LOOK: Final = 0.05


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


def measure(
    directory: Path,
    command: str = "",
    *,
    population: Population = Population(),
    few_contents: int = FEW_CONTENTS,
    mix: Mix = "mixed",
    seconds: float = SECONDS,
    rounds: int = ROUNDS,
) -> Figures:
    """Run the benchmark.

    Args:
        directory: for the trackers' state; the caller removes it.
        command: what made it, for the record.
        population: whom the tracker knows.
        few_contents: of the tracker that it is compared with.
        mix: what is asked.
        seconds: of each measurement, four a round.
        rounds: counted ones; one more is the warm-up.

    Raises:
        ShoalError: a process failed, or the machine has one core only.
    """
    if len(os.sched_getaffinity(0)) < 2:
        raise ShoalError(ERR_USAGE, "the tracker and its clients need a core each, and this process may use one only")
    few = msgspec.structs.replace(population, contents=few_contents)
    with ExitStack() as stack:
        begin = time.monotonic()
        write_database(_places(directory / "full").tracker_db, population)
        write_database(_places(directory / "few").tracker_db, few)
        written = time.monotonic()
        full_tracker = stack.enter_context(started_tracker(directory / "full"))
        start_seconds = time.monotonic() - written
        few_tracker = stack.enter_context(started_tracker(directory / "few"))
        bare = stack.enter_context(_started_bare(population))
        print(f"ready after {time.monotonic() - begin:.1f} s", file=sys.stderr, flush=True)

        def ordered(server: Ready, among: Population, rate: float = 0.0) -> Load:
            return run_load(
                Order(server.endpoint, server.key, server.pid, CLIENT_CORE, among, mix, seconds, OUTSTANDING, rate)
            )

        done = []
        for number in range(rounds + 1):
            others = Others()
            bare_load, full_load = ordered(bare, population), ordered(full_tracker, population)
            few_load = ordered(few_tracker, few)
            half = ordered(full_tracker, population, full_load.rate / 2)
            row = Round(bare_load, full_load, few_load, half, others.share())
            print(f"{f'round {number}' if number else 'warm-up'}: {_line(row)}", file=sys.stderr, flush=True)
            done.append(row)
        peak = _peak(full_tracker.pid)
    return _figures(command, population, few_contents, mix, done[1:], start_seconds, peak)


def run_load(order: Order) -> Load:
    """One load, from a process of its own."""
    command = [sys.executable, "-P", "-m", "experiments.bench.tracker_load", msgspec.json.encode(order).decode()]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise ShoalError(ERR_FAILURE, f"the load on the tracker broke: exit code {done.returncode}")
    return msgspec.json.decode(done.stdout, type=Load)


@contextmanager
def started_tracker(base_dir: Path) -> Iterator[Ready]:
    """A tracker with the default settings and what state `base_dir` has, on one core, until the end of the block."""
    config = base_dir / "config.yaml"
    config.write_bytes(
        msgspec.yaml.encode({"data_dir": str(base_dir), "tracker": {"run": True, "listen": "tcp://127.0.0.1:0"}})
    )
    command = [sys.executable, "-P", "-m", "tracker", "--config", str(config), "--base-dir", str(base_dir)]
    process = Process(command, {}, base_dir / "ready.json", base_dir / "tracker.log")
    try:
        os.sched_setaffinity(process.pid, {TRACKER_CORE})  # it has one thread yet; the others inherit it
        deadline = time.monotonic() + _START
        while (ready := process.served(TrackerReady)) is None:
            if process.ended() is not None:
                raise ShoalError(ERR_FAILURE, f"the tracker ended: {process.last_words()}")
            if time.monotonic() > deadline:
                raise ShoalError(ERR_TIMEOUT, f"the tracker does not serve within {_START:g} s")
            time.sleep(_LOOK)
        yield Ready(ready.endpoint, ready.public_key, ready.pid)
    finally:
        process.kill()


@contextmanager
def _started_bare(population: Population) -> Iterator[Ready]:
    command = [sys.executable, "-P", "-m", "experiments.bench.tracker_limit", str(population.contents)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            os.sched_setaffinity(process.pid, {TRACKER_CORE})
            assert process.stdout is not None
            yield msgspec.json.decode(process.stdout.readline(), type=Ready)
        finally:
            process.kill()


def _places(base_dir: Path) -> TrackerPlaces:
    places = TrackerPlaces(base_dir)
    places.prepare()
    return places


def _peak(pid: int) -> int:
    from experiments.bench.usage import usage_of

    return usage_of(pid).own_bytes


def _line(row: Round) -> str:
    return (
        f"bare {row.bare.rate:.0f}/s {1e6 * row.bare.cpu_per_request:.0f} us, "
        f"tracker {row.full.rate:.0f}/s {1e6 * row.full.cpu_per_request:.0f} us, "
        f"few contents {1e6 * row.few.cpu_per_request:.0f} us, half load p50 {1000 * row.half.p50:.2f} ms, "
        f"p99 {1000 * row.half.p99:.2f} ms, {row.full.peers_listed:g} peers an answer, others {row.others:.0%}"
    )


def _figures(
    command: str, population: Population, few_contents: int, mix: Mix, rounds: Sequence[Round],
    start_seconds: float, peak: int,
) -> Figures:  # fmt: skip
    return Figures(
        command=command,
        made_by=provenance(),
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
