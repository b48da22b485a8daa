"""The tracker under load, and the bare ROUTER beside it, each on one core with all its threads, its clients on another.

The tracker is the real one, a process of its own with the default settings, on a database as a tracker leaves it. What
the clients do is in `tracker_load.py`, whom the tracker knows in `tracker_population.py`.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bus.errors import ERR_FAILURE, ERR_TIMEOUT, ShoalError
from bus.places import TrackerPlaces
from bus.process import Process
from bus.ready import TrackerReady
from experiments.bench.children import Children
from experiments.bench.records import Part, Run
from experiments.bench.tracker_echo import Echoed
from experiments.bench.tracker_limit import Ready
from experiments.bench.tracker_load import OUTSTANDING, Load, Mix, Order
from experiments.bench.tracker_population import Population
from experiments.bench.usage import spent, usage_of

START: Final = 120.0
"""Seconds within which a tracker must have read its database."""
_LOOK: Final = 0.05
ECHO_RATE: Final = 5_000
"""Requests a second: half of what the tracker is to answer at least."""

REQUESTS, MICROSECONDS, P50, P99, PEERS, FAILED = "requests/s", "us CPU/request", "p50 ms", "p99 ms", "peers", "failed"
"""Numbers of a run: answers a second in the closed loop; what one of them costs all threads of the server together;
times to the answer at half of that rate, in the open loop; peers in the answer to a query; requests refused or never
answered."""


class TrackerJob(Struct, frozen=True):
    """What is asked, of whom."""

    databases: dict[int, Path]
    """By the number of contents."""
    population: Population
    """Of the largest of them."""
    mix: Mix
    seconds: float
    """Of each loop."""


class ShoalTracker:
    """The tracker with so many contents."""

    def __init__(self, contents: int) -> None:
        self._contents = contents
        self.name = name_of(contents)
        self.how = "python -m tracker, all settings as they ship, one core"

    def missing(self) -> str:
        return _missing()

    def run(self, job: TrackerJob, work: Path) -> Run:
        population = msgspec.structs.replace(job.population, contents=self._contents)
        places = TrackerPlaces(work)
        places.prepare()
        shutil.copy(job.databases[self._contents], places.tracker_db)
        with started_tracker(work, _cores()[0]) as server:
            return _loaded(server, population, job, work)


class BareRouter:
    """The limit: `tracker_limit.py`."""

    name = "bare"
    how = "experiments/bench/tracker_limit.py: a ROUTER with CURVE, typed records, answers of as many peers, one core"

    def missing(self) -> str:
        return _missing()

    def run(self, job: TrackerJob, work: Path) -> Run:
        command = [sys.executable, "-P", "-m", "experiments.bench.tracker_limit", str(job.population.contents)]
        with Children(work) as children:
            child = children.start(command, "bare")
            os.sched_setaffinity(child.pid, {_cores()[0]})
            return _loaded(msgspec.json.decode(child.line(), type=Ready), job.population, job, work)


class Echo:
    """What this machine takes for a request and its answer, whoever answers: `tracker_echo.py`."""

    name = "echo"
    how = (
        f"experiments/bench/tracker_echo.py: one TCP connection that sends back what comes, {ECHO_RATE:,} times a "
        "second, no ZeroMQ, no encryption, no tracker"
    )

    def missing(self) -> str:
        return _missing()

    def run(self, job: TrackerJob, work: Path) -> Run:
        command = [sys.executable, "-P", "-m", "experiments.bench.tracker_echo"]
        first, *_, last = _cores()
        with Children(work) as children:
            server = children.start([*command, str(first)], "echo")
            port = server.line().decode().strip()
            before = usage_of(server.pid)
            client = children.start([*command, str(last), port, str(ECHO_RATE), str(job.seconds)], "client")
            echoed = msgspec.json.decode(client.line(), type=Echoed)
            used = spent(before, usage_of(server.pid))
        return Run(job.seconds, [Part("server", used)], {P50: 1e3 * echoed.p50, P99: 1e3 * echoed.p99})


def name_of(contents: int) -> str:
    """Of the contender with so many contents."""
    return f"tracker-{contents}"


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def _missing() -> str:
    return "" if len(_cores()) > 1 else "a second core, for the clients, is needed"


def _loaded(server: Ready, population: Population, job: TrackerJob, work: Path) -> Run:
    order = Order(server.endpoint, server.key, server.pid, _cores()[-1], population, job.mix, job.seconds, OUTSTANDING)
    before = usage_of(server.pid)
    closed = run_load(order, work, "closed")
    half = run_load(msgspec.structs.replace(order, rate=closed.rate / 2), work, "open")
    numbers = {
        REQUESTS: closed.rate,
        MICROSECONDS: 1e6 * closed.cpu_per_request,
        P50: 1e3 * half.p50,
        P99: 1e3 * half.p99,
        PEERS: closed.peers_listed,
        FAILED: float(closed.failed + half.failed),
    }
    return Run(closed.seconds, [Part("server", spent(before, usage_of(server.pid)))], numbers)


def run_load(order: Order, work: Path, name: str) -> Load:
    """One load, from a process of its own."""
    command = [sys.executable, "-P", "-m", "experiments.bench.tracker_load", msgspec.json.encode(order).decode()]
    with Children(work) as children:
        return msgspec.json.decode(children.start(command, name).line(), type=Load)


@contextmanager
def started_tracker(base_dir: Path, core: int) -> Iterator[Ready]:
    """A tracker with what state `base_dir` has, on one core, until the end of the block."""
    config = base_dir / "config.yaml"
    config.write_bytes(
        msgspec.yaml.encode({"data_dir": str(base_dir), "tracker": {"run": True, "listen": "tcp://127.0.0.1:0"}})
    )
    command = [sys.executable, "-P", "-m", "tracker", "--config", str(config), "--base-dir", str(base_dir)]
    process = Process(command, {}, base_dir / "ready.json", base_dir / "tracker.log")
    try:
        os.sched_setaffinity(process.pid, {core})  # it has one thread yet; the others inherit it
        deadline = time.monotonic() + START
        while (ready := process.served(TrackerReady)) is None:
            if process.ended() is not None:
                raise ShoalError(ERR_FAILURE, f"the tracker ended: {process.last_words()}")
            if time.monotonic() > deadline:
                raise ShoalError(ERR_TIMEOUT, f"the tracker does not serve within {START:g} s")
            time.sleep(_LOOK)
        yield Ready(ready.endpoint, ready.public_key, ready.pid)
    finally:
        process.kill()
