"""The simulated disk: what reads, writes and hashing take, and what a flipped bit does."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.sim.disk import READ_SECONDS, WRITE_SECONDS, DiskRates, SimulatedDisk
from experiments.sim.network import CORRUPT
from experiments.sim.world import Host, HostRates, World
from peer.core.interface import PartRead, Read, ReadFailed, Store, Stored
from peer.core.layout import Entry, Layout

CHUNK = 128 * 1024
CONTENT = "c" * 64
LAYOUT = Layout("file", [Entry("", 4 * CHUNK, False, CONTENT)])


class Asking:
    """A core that notes the disk's answers."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, Any]] = []

    def handle(self, event: Any, now: float) -> list[Any]:
        self.heard.append((now, event))
        return []

    def next_deadline(self) -> float | None:
        return None

    def on_deadline(self, now: float) -> list[Any]:
        return []


def asked(*effects: Any, rates: DiskRates | None = None, **flags: Any) -> list[tuple[float, Any]]:
    """What a disk answers to effects that are all asked for at time 0."""
    world, core = World(0.01), Asking()
    disk = SimulatedDisk(world, lambda content: LAYOUT, rates)
    for name, value in flags.items():
        setattr(disk, name, value)
    world.add(Host("a", core, HostRates(), disk.perform), list(effects))
    world.run(60.0, lambda: False)
    return core.heard


def read(job: int) -> Read:
    return Read(job, CONTENT, ((job, 0, CHUNK),))


def store(job: int, payload: object = None, offset: int = 0, length: int = CHUNK) -> Store:
    return Store(job, CONTENT, ((0, offset, length),), payload)


def test_reads_queue_behind_reads() -> None:
    times = [at for at, _ in asked(read(0), read(1), rates=DiskRates(read=CHUNK))]
    assert times == [pytest.approx(1 + READ_SECONDS), pytest.approx(2 + READ_SECONDS)]


def test_what_is_stored_is_hashed_and_written() -> None:
    times = [at for at, _ in asked(store(0), store(1), read(2), rates=DiskRates(write=CHUNK, hash=2 * CHUNK))]
    assert times == [pytest.approx(READ_SECONDS), pytest.approx(1.5 + WRITE_SECONDS), pytest.approx(3 + WRITE_SECONDS)]


def test_a_chunk_with_a_flipped_bit_in_one_part_is_rejected_and_may_come_anew() -> None:
    half = CHUNK // 2
    bad = [store(1, CORRUPT, 0, half), store(2, None, half, half), store(3)]
    answers = [event for _, event in asked(*bad)]
    assert answers == [Stored(1), Stored(2, (), (0,)), Stored(3, (0,))]


def test_reads_fail_or_are_corrupt_as_often_as_asked() -> None:
    answers = [event for _, event in asked(read(0), read(1), read(2), failing_reads=1, corrupt_reads=1)]
    assert [type(event) for event in answers] == [ReadFailed, PartRead, PartRead]
    assert [event.payload for event in answers[1:]] == [CORRUPT, None]
