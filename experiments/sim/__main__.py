"""Measures the simulator: `python -m experiments.sim --peers 1000 --chunks 64`.

A flash crowd fetches one file from one seed.  What is printed is the budget of docs/PERFORMANCE.md ("The
simulator"): events and calls of cores for each chunk, processor time for each, memory for each peer.
"""

from __future__ import annotations

import gc
import resource
import sys
from argparse import ArgumentParser
from math import inf
from statistics import median
from time import process_time
from typing import Any

from msgspec import Struct

from bus.events import TransferCompleted
from experiments.sim.swarm import SimulatedSwarm, SwarmScenario
from experiments.sim.world import Core, HostRates, World
from peer.core.layout import MIN_CHUNK_SIZE

FEW_PEERS = 50
"""Up to so many, chunks are cut into messages as real peers do; above, a chunk is one message."""
GARBAGE_EVERY = 200_000
"""Allocations between looks for cycles: the cores are cycles that live as long as the run."""
TIMED_HOSTS = 20
"""Whose calls are timed: asking for the time costs as much as a short call."""
CALLS = 12
CALL_TIME = 10
IDLE_MEMORY = 200
"""The budget that the cores are held against: calls a chunk, microseconds a call, KiB a peer without links."""


class Measured(Struct, frozen=True):
    """What one run took."""

    finished: int
    done_at: list[float]
    events: int
    handled: int
    processor: float
    """Seconds of processor time."""
    idle: int
    peak: int
    """Bytes: a peer before it is linked to anybody, and the whole swarm at its highest."""
    core_call: float
    """Seconds of processor time that a core's call takes, by a sample of the hosts."""
    links: float
    """Of one peer, on average."""
    trace: str


class Timed:
    """A core whose calls are timed, those of all such hosts together."""

    seconds = 0.0
    calls = 0

    def __init__(self, core: Core) -> None:
        self._core = core
        self.next_deadline = core.next_deadline

    def handle(self, event: Any, now: float) -> list[Any]:
        began = process_time()
        effects = self._core.handle(event, now)
        Timed.seconds += process_time() - began
        Timed.calls += 1
        return effects

    def on_deadline(self, now: float) -> list[Any]:
        began = process_time()
        effects = self._core.on_deadline(now)
        Timed.seconds += process_time() - began
        Timed.calls += 1
        return effects


def scenario(peers: int, chunks: int, up: float, seed: int, *, trace: bool) -> SwarmScenario:
    """A flash crowd; larger ones send a chunk as one message and publish no progress."""
    settings = {} if peers <= FEW_PEERS else {"data_message_min": MIN_CHUNK_SIZE, "progress_interval": inf}
    rates = HostRates(up=up)
    return SwarmScenario(
        leechers=peers, size=chunks * MIN_CHUNK_SIZE, seed_rates=rates, leecher_rates=rates, seed=seed,
        settings=settings, trace=trace,
    )  # fmt: skip


def measure(chosen: SwarmScenario, limit: float) -> Measured:
    """Run it, at most `limit` virtual seconds."""
    gc.set_threshold(GARBAGE_EVERY, 50, 100)
    before, began = _memory(), _processor()
    swarm = SimulatedSwarm(chosen)
    idle = _memory() - before
    gc.freeze()
    world: World = swarm.world
    hosts = list(world.hosts.values())
    for host in hosts[2 :: max(1, len(hosts) // TIMED_HOSTS)]:
        host.core = Timed(host.core)
    while not swarm.run(min(limit, world.now + 1.0)) and world.now < limit:
        print(f"{world.now:6.0f} s virtual, {_processor() - began:.0f} s of processor, {world.events} events, "
              f"{_memory() / 2**20:.0f} MiB", file=sys.stderr)  # fmt: skip
    done = [result.seconds for result in swarm.results.values() if isinstance(result, TransferCompleted)]
    links = sum(len(host.links) for host in hosts) / len(hosts)
    return Measured(
        len(done), sorted(done), world.events, world.handled, _processor() - began, idle // (chosen.leechers + 1),
        _memory() - before, Timed.seconds / max(1, Timed.calls), links, world.trace,
    )  # fmt: skip


def table(chosen: SwarmScenario, run: Measured, chunks: int) -> list[str]:
    """The budget, a line for each number."""
    fetched = max(1, run.finished * chunks)
    peers = chosen.leechers + 1
    at = run.done_at or [0.0]
    return [
        f"{chosen.leechers} peers, {chunks} chunks of {MIN_CHUNK_SIZE // 1024} KiB: {run.finished} finished",
        f"virtual time         first {at[0]:.2f} s, median {median(at):.2f} s, last {at[-1]:.2f} s",
        f"processor time       {run.processor:.1f} s, {run.processor / fetched * 1e6:.0f} us a chunk",
        f"events               {run.events}, {run.events / fetched:.1f} a chunk",
        f"calls of cores       {run.handled}, {run.handled / fetched:.1f} a chunk (budget {CALLS}), "
        f"{run.core_call * 1e6:.1f} us each (budget {CALL_TIME} us); "
        f"{run.processor / run.handled * 1e6:.1f} with the world's part",
        f"memory               {run.peak / 2**20:.0f} MiB, {run.peak / peers / 1024:.0f} KiB a peer of "
        f"{run.links:.0f} links; {run.idle / 1024:.0f} KiB an idle peer (budget {IDLE_MEMORY} KiB)",
        f"trace                {run.trace or 'none'}",
    ]


def _memory() -> int:
    """The most that this process ever held, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Read the command line, run, print."""
    parser = ArgumentParser(prog="python -m experiments.sim", description="Measure the simulator on a flash crowd.")
    parser.add_argument("--peers", type=int, default=100, help="leechers, which all come at once")
    parser.add_argument("--chunks", type=int, default=64, help="of 128 KiB")
    parser.add_argument("--up", type=float, default=2.0, help="MiB a second that each can send")
    parser.add_argument("--seed", type=int, default=1, help="of every random choice")
    parser.add_argument("--limit", type=float, default=3600.0, help="virtual seconds at most")
    parser.add_argument("--no-trace", action="store_true", help="hash no effects")
    options = parser.parse_args()
    chosen = scenario(options.peers, options.chunks, options.up * 2**20, options.seed, trace=not options.no_trace)
    print("\n".join(table(chosen, measure(chosen, options.limit), options.chunks)))


if __name__ == "__main__":
    main()
