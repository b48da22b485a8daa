"""One swarm in the simulated world: a tracker, seeds, and leechers that fetch one file."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from bus.boundary import ContentId
from bus.events import Event, Transfer, TransferCompleted
from experiments.sim.disk import DiskRates, SimulatedDisk, known_content
from experiments.sim.world import Host, HostRates, World
from peer.core.layout import Entry, Layout
from peer.core.limit_record import LimitRecord
from peer.core.node import PeerNode
from peer.core.records import DownloadRecord
from peer.core.settings import NodeSettings, TrackerAddress
from tracker.core.interface import Limits, SearchFailed, SearchStore
from tracker.core.node import TrackerCore


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
    upload_slots: int = 8
    disk: DiskRates = DiskRates()
    limits_up: tuple[int, ...] = ()
    """Upload limits of the peers' own making, bytes a second, the seed's first; they begin anew after the last."""
    tree: tuple[int, ...] = ()
    """Sizes of the files of a tree, instead of one file of `size` bytes."""
    contents: int = 1
    """Files of that size that the seed has and every leecher fetches; only the first counts for results."""
    seed: int = 1
    """Of every random choice."""
    settings: dict[str, Any] = {}
    """Of every peer, beyond what is said here: fields of NodeSettings."""
    trace: bool = True
    """Hash every effect; without, a large swarm is faster."""


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


def _id(number: int) -> str:
    return f"{number:064x}"


TRACKER: Final = _id(1)
CONTENT: Final = _id(7)


def content_id(number: int) -> ContentId:
    """Id of the first content (0, which is CONTENT) or a further one."""
    return CONTENT if number == 0 else _id(0xC0000 + number)


def peer_id(number: int) -> str:
    """Id of the seed (0) or a leecher (1 and up)."""
    return _id(100 + number)


class SimulatedSwarm:
    """A world with a tracker, one seed and leechers; `run` until they are done."""

    def __init__(self, scenario: SwarmScenario) -> None:
        self.scenario = scenario
        self.world = World(scenario.latency, trace=scenario.trace)
        self.world.on_publish = self._published
        files = [Entry(f"{place:05}", size, False, _id(0xF0000 + place)) for place, size in enumerate(scenario.tree)]
        self.layout = Layout("tree", files) if files else Layout("file", [Entry("", scenario.size, False, CONTENT)])
        self.results: dict[str, Transfer] = {}
        self.nodes: dict[str, PeerNode] = {}
        self.disks: dict[str, SimulatedDisk] = {}
        self._completed: dict[str, bool] = {}
        self._honest = scenario.leechers - scenario.corrupters
        self._add_tracker()
        for number in range(scenario.leechers + 1):
            self.add_peer(number)

    def _add_tracker(self) -> None:
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

        def perform(host: Host, effect: Any) -> None:
            if isinstance(effect, SearchStore):
                self.world.feed(host, SearchFailed(effect.token, "simulated peers know their content's id"))

        core = TrackerCore(limits, random.Random(self.scenario.seed))
        self.world.add(Host(TRACKER, core, HostRates(), perform), [])

    def add_peer(
        self,
        number: int,
        settings: dict[str, Any] | None = None,
        limits: Iterable[LimitRecord] = (),
        sequential: bool = False,
        complete: bool = False,
    ) -> None:
        """A peer joins: the seed if `number` is 0, else a leecher that starts to fetch at once.

        `limits` are those it kept from an earlier run; `complete` makes it another seed.
        """
        name = peer_id(number)
        complete = complete or number == 0
        scenario = self.scenario
        limits_up = scenario.limits_up or (0,)
        own = {"limit_up": limits_up[number % len(limits_up)], "upload_slots": scenario.upload_slots}
        node_settings = NodeSettings(
            peer=name,
            name=f"peer-{number}",
            software="sim",
            download_dir="/sim",
            data_port=5000,
            loopback=False,
            trackers=(TrackerAddress("tcp://10.0.0.1:5570", TRACKER),),
            **(own | scenario.settings | (settings or {})),
        )
        rng = random.Random(f"{scenario.seed} {number}")
        contents = [content_id(n) for n in range(scenario.contents)]
        seeds = [known_content(content, self.layout, downloaded=False) for content in contents] if complete else []
        records = [
            DownloadRecord(content, self.layout.kind, "/sim", "", (), (), False, 0.0, sequential=sequential)
            for content in contents
            if not complete
        ]
        node = self.nodes[name] = PeerNode(node_settings, rng, self.world.now, 0.0, seeds, records, limits=limits)
        disk = self.disks[name] = SimulatedDisk(self.world, self._layout_of, scenario.disk)
        disk.corrupt = 0 < number <= scenario.corrupters
        rates = scenario.seed_rates if complete else scenario.leecher_rates
        self.world.add(Host(name, node, rates, disk.perform), node.start_effects())

    def _layout_of(self, content: ContentId) -> Layout:
        return self.layout

    def _published(self, host: Host, event: Event) -> None:
        if isinstance(event, Transfer) and event.id == CONTENT:
            self.results[host.name] = event
            if isinstance(event, TransferCompleted):
                self._completed[host.name] = True

    def finished(self, number: int) -> bool:
        return isinstance(self.results.get(peer_id(number)), TransferCompleted)

    def all_finished(self) -> bool:
        """Whether every honest leecher has the file."""
        if len(self._completed) < self._honest:
            return False
        return all(self.finished(n) for n in range(self.scenario.corrupters + 1, self.scenario.leechers + 1))

    def run(self, limit: float) -> bool:
        """Until every honest leecher has the file, or `limit` virtual seconds are over."""
        return self.world.run(limit, self.all_finished)


def simulate(scenario: SwarmScenario, limit: float = 100_000.0) -> SwarmResult:
    """Run a swarm until every honest leecher has the file, or `limit` virtual seconds are over."""
    swarm = SimulatedSwarm(scenario)
    finished = swarm.run(limit)
    peers = [
        PeerResult(
            name,
            transfer.seconds if isinstance(transfer, TransferCompleted) else -1.0,
            {row.peer: row.bytes for row in transfer.sources},
            transfer.duplicate_bytes,
        )
        for name, transfer in swarm.results.items()
    ]
    return SwarmResult(finished, swarm.world.now, swarm.world.events, swarm.world.trace, peers)
