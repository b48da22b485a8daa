"""One swarm in the simulated world: a tracker, seeds, and leechers that fetch one file."""

from __future__ import annotations

import random
from typing import Any, Final

from msgspec import Struct

from bus.boundary import ContentId, Publish
from bus.events import TransferCompleted, Transfer
from experiments.sim.world import Host, HostRates, World
from peer.core.interface import (
    CheckChunk,
    ChunkChecked,
    DownloadRecord,
    Finish,
    Finished,
    KnownContent,
    ManifestParsed,
    PartRead,
    Prepare,
    Prepared,
    Read,
    ReadManifest,
    Store,
    Stored,
    StoreManifest,
)
from peer.core.layout import Entry, Layout
from peer.core.node import PeerNode
from peer.core.settings import NodeSettings, TrackerAddress
from tracker.core.interface import Limits, SearchFailed, SearchStore
from tracker.core.node import TrackerCore

READ_SECONDS: Final = 0.0005
WRITE_SECONDS: Final = 0.0005
"""A job's time on a disk that is not the bottleneck."""
CORRUPT: Final = "corrupt"
"""Payload of a message with a flipped bit; every other payload is None."""
MANIFEST_HEADER: Final = 13


class SwarmScenario(Struct, frozen=True):
    """What to simulate."""

    leechers: int = 20
    size: int = 64 * 2**20
    """Bytes of the file."""
    seed_rates: HostRates = HostRates(up=2 * 2**20)
    leecher_rates: HostRates = HostRates(up=2 * 2**20)
    latency: float = 0.01
    corrupters: int = 0
    """Of the leechers: they flip a bit in everything they send."""
    seed: int = 1
    """Of every random choice."""


class PeerResult(Struct, frozen=True):
    """How one leecher fared."""

    name: str
    finished: float
    """Virtual seconds, -1 if it did not."""
    by_source: dict[str, int]
    duplicate_bytes: int


class SwarmResult(Struct, frozen=True):
    """What came out; the same scenario gives the same result, trace included."""

    finished: bool
    seconds: float
    events: int
    trace: str
    peers: list[PeerResult]


class _Disk:
    """The shell of one simulated peer: reads, writes and manifests take time and no space."""

    def __init__(self, world: World, layout: Layout, name: str, results: dict[str, Transfer], corrupt: bool) -> None:
        self._world = world
        self._layout = layout
        self._name = name
        self._results = results
        self._corrupt = corrupt
        self._bad: dict[int, bool] = {}
        """Chunks of which a part came with a flipped bit."""
        self._record: DownloadRecord | None = None

    def perform(self, host: Host, effect: Any) -> None:
        match effect:
            case Read():
                size = sum(length for _, _, length in effect.parts)
                payload = CORRUPT if self._corrupt else None
                self._later(host, READ_SECONDS, PartRead(effect.job, payload, size))
            case ReadManifest():
                total = MANIFEST_HEADER + 32 * self._layout.chunks
                size = min(effect.length, total - effect.offset)
                self._later(host, READ_SECONDS, PartRead(effect.job, None, size, total))
            case Store():
                self._store(host, effect)
            case StoreManifest():
                self._later(host, WRITE_SECONDS, Stored(effect.job))
                if effect.offset + effect.length == effect.total:
                    self._later(host, WRITE_SECONDS, ManifestParsed(effect.content, effect.manifest))
            case Prepare():
                self._record = effect.record
                layout = self._layout
                self._later(
                    host,
                    WRITE_SECONDS,
                    Prepared(effect.record.id, "file", layout, "/sim/file", 0, layout.all_chunks, ()),
                )
            case Finish():
                content = _known(effect.content, self._layout, downloaded=True)
                self._later(host, WRITE_SECONDS, Finished(content))
            case CheckChunk():
                self._later(host, READ_SECONDS, ChunkChecked(effect.content, effect.chunk, True))
            case Publish(event=Transfer() as event):
                self._results[self._name] = event
            case _:
                pass

    def _later(self, host: Host, delay: float, event: Any) -> None:
        self._world.at(delay, lambda: self._answer(host, event))

    def _answer(self, host: Host, event: Any) -> None:
        if self._world.hosts.get(host.name) is host:
            self._world.feed(host, event)

    def _store(self, host: Host, effect: Store) -> None:
        held, rejected = [], []
        for chunk, offset, length in effect.parts:
            if chunk < 0:
                continue
            if offset == 0:
                self._bad.pop(chunk, None)
            if effect.payload == CORRUPT:
                self._bad[chunk] = True
            if offset + length == self._layout.length_of(chunk):
                (rejected if self._bad.pop(chunk, False) else held).append(chunk)
        self._later(host, WRITE_SECONDS, Stored(effect.job, tuple(held), tuple(rejected)))


def _known(content: ContentId, layout: Layout, *, downloaded: bool) -> KnownContent:
    return KnownContent(content, "file", layout, "/sim/file", upload=False, downloaded=downloaded, added=0.0)


def _id(number: int) -> str:
    return f"{number:064x}"


def _tracker_host(scenario: SwarmScenario) -> tuple[Host, TrackerCore]:
    limits = Limits(
        lease=90.0,
        push_interval=5.0,
        ping_after=5.0,
        hang_up_after=15.0,
        sample_peers=50,
        keys_per_address=64,
        contents_per_key=10_000,
        exempt_networks=("10.0.0.0/8",),
    )
    core = TrackerCore(limits, random.Random(scenario.seed))

    def perform(host: Host, effect: Any) -> None:
        if isinstance(effect, SearchStore):
            raise NotImplementedError(SearchFailed(effect.token, "simulated peers know their content's id"))

    return Host(_id(1), core, HostRates(), perform), core


def simulate(scenario: SwarmScenario, limit: float = 100_000.0) -> SwarmResult:
    """Run a swarm until every honest leecher has the file, or `limit` virtual seconds are over."""
    world = World(scenario.latency)
    layout = Layout("file", [Entry("", scenario.size, False, _id(7))])
    results: dict[str, Transfer] = {}
    tracker, _ = _tracker_host(scenario)
    world.add(tracker, [])
    honest = []
    for number in range(scenario.leechers + 1):
        name = _id(100 + number)
        corrupt = 0 < number <= scenario.corrupters
        if number > scenario.corrupters:
            honest.append(name)
        _add_peer(world, scenario, number, layout, results, corrupt=corrupt)

    def done() -> bool:
        return all(isinstance(results.get(name), TransferCompleted) for name in honest)

    finished = world.run(limit, done)
    peers = [
        PeerResult(
            name,
            results[name].seconds if isinstance(results[name], TransferCompleted) else -1.0,
            {row.peer: row.bytes for row in results[name].sources},
            results[name].duplicate_bytes,
        )
        for name in results
    ]
    return SwarmResult(finished, world.now, world.events, world.trace, peers)


def _add_peer(
    world: World, scenario: SwarmScenario, number: int, layout: Layout, results: dict[str, Transfer], *, corrupt: bool
) -> None:
    name, content = _id(100 + number), _id(7)
    settings = NodeSettings(
        peer=name,
        name=f"peer-{number}",
        software="sim",
        download_dir="/sim",
        data_port=5000,
        loopback=False,
        trackers=(TrackerAddress("tcp://10.0.0.1:5570", _id(1)),),
    )
    rng = random.Random(f"{scenario.seed} {number}")
    seeds = [_known(content, layout, downloaded=False)] if number == 0 else []
    record = DownloadRecord(content, "file", "/sim", "", (), (), False, 0.0)
    node = PeerNode(settings, rng, world.now, 0.0, seeds, [] if number == 0 else [record])
    disk = _Disk(world, layout, name, results, corrupt)
    rates = scenario.seed_rates if number == 0 else scenario.leecher_rates
    world.add(Host(name, node, rates, disk.perform), node.start_effects())
