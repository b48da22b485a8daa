"""A run in the simulated world: the production cores in virtual time (experiments/sim), and nothing else that is real.

One seed gives one recording, byte for byte, in every process.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Final

from msgspec.structs import astuple, replace

from bus.boundary import LinkId
from bus.errors import ERR_CONFIG, ERR_FAILURE, ERR_TIMEOUT, ERR_UNREACHABLE, ShoalError
from bus.events import (
    ContentAnnounced,
    Event,
    MetricsSample,
    PeerStarted,
    PeerStopping,
    TransferCompleted,
    TransferFailed,
)
from bus.messages import LIMIT_DEFAULT, ChangeLimits, ControlFailed, Get, Instruct, Message
from experiments.backends.recording import Recording
from experiments.backends.simulated_peer import SimulatedPeer
from experiments.backends.writing import EventWriter
from experiments.behaviours.orders import Order, write_order
from experiments.behaviours.playing import on_stage, playing
from experiments.behaviours.wrapping import Means, Part, PeerCore
from experiments.casting import Player, players, struck
from experiments.collector import TRACKER
from experiments.directing import AGAIN, Director
from experiments.scenario import Scenario, backend_problems, configured
from experiments.sim.disk import WRITE_SECONDS, DiskRates, SimulatedDisk, known_content
from experiments.sim.network import CORRUPT
from experiments.sim.world import Host, HostRates, World
from peer.assembly import node_settings
from peer.core.interface import Command, ContentAdded, KeepDownload, KeepLimits, Prepare, Prepared, Reply
from peer.core.layout import Entry, Layout
from peer.core.node import PeerNode
from peer.core.records import DownloadRecord, KnownContent
from peer.core.settings import NodeSettings, TrackerAddress
from tracker.core.interface import SearchFailed, SearchStore
from tracker.core.node import TrackerCore
from tracker.limits import limits_of

LATENCY: Final = 0.0001
"""Seconds that any message takes at least, as on loopback."""
GOODBYE: Final = 0.5
"""Seconds that the last messages have to leave, as in peer/service.py."""
ANNOUNCED: Final = 30.0
"""Seconds within which the tracker must count the seeds."""
IDLE: Final = 1.0
"""Seconds for which a peer runs before it is told to fetch.  Real ones run from the start: by then they have reached
the tracker, and their rate limits have saved what an idle bucket may."""
SAMPLE: Final = 1.0
"""Seconds between two samples of the tracker's counters."""
SEPARATE: Final = 200
"""Peers whose events go to a file each; of more, all go to one."""
WHOLE_CHUNKS: Final = 50
"""Peers above which data messages are as large as they may be, so that of most contents they have whole chunks."""
SILENT: Final = 1000
"""Peers above which nobody tells of rates and progress, only of what was completed."""
SIMULATED: Final = {"network.bind": "127.0.0.1", "limits.exempt_networks": "[10.0.0.0/8]"}
"""What the configuration of simulated peers says beside a scenario."""


class SimulatedRun:
    """One run; a Stage (experiments/directing.py)."""

    def __init__(self, scenario: Scenario, seed: int, name: str, writer: EventWriter) -> None:
        self._scenario = scenario
        self._seed = seed
        self._writer = writer
        self._by_id: dict[str, SimulatedPeer] = {}
        self._seeds = 0
        """As the tracker counts them."""
        self._failure: ShoalError | None = None
        cast = players(scenario, seed)
        self.world = World(max(scenario.network.latency, LATENCY))
        self.world.on_publish = self._published
        self.content = _digest(seed, name)
        self.layout = _layout(scenario)
        self._tracker = _digest(seed, TRACKER)
        self._core = self._add_tracker()
        self._director = Director(scenario, cast, seed, self)
        self.peers = self._peers(cast)

    def carry_out(self) -> None:
        """Do what the scenario says.

        Raises:
            ShoalError: something did not happen in time, or a download failed.
        """
        world, scenario = self.world, self._scenario
        self._sample()
        self._director.open()
        opening = sum(peer.player.config.complete and peer.player.arrives == 0 for peer in self.peers.values())
        if not world.run(ANNOUNCED, lambda: self._seeds == opening):
            raise ShoalError(ERR_TIMEOUT, f"waited {ANNOUNCED:g} s for the tracker to count the seeds")
        for peer in self.peers.values():
            if not peer.complete:
                world.at(peer.player.arrives, self._arrive, peer)
        world.run(world.now + IDLE, lambda: False)
        self._director.begin()
        over = world.run(world.now + scenario.timeout, lambda: self._director.over or self._failure is not None)
        if self._failure is not None:
            raise self._failure
        if not over and scenario.stop == "complete":
            raise ShoalError(ERR_TIMEOUT, f"waited {scenario.timeout:g} s for all downloads to end")

    # -- the stage --

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.world.at(seconds, call)

    def enter(self, player: Player) -> bool:
        peer = self.peers[player.name]
        peer.entered = True
        if peer.host is None:
            self._arrive(peer)
        elif player.config.complete:
            self.world.feed(peer.host, ContentAdded(self._known(player)))
        else:
            self._command(player, Get(0, self.content))
        return True

    def leave(self, player: Player, away: float) -> bool:
        self._go(self.peers[player.name], True, away)
        return True

    def kill(self, player: Player, away: float) -> None:
        self._go(self.peers[player.name], False, away)

    def pause(self, player: Player, lasts: float) -> None:
        self.order(player, Order("pause", lasts))

    def order(self, player: Player, order: Order) -> None:
        self._command(player, Instruct(0, write_order(order)))

    def cap(self, player: Player, rate: int | None) -> bool:
        self._command(player, ChangeLimits(0, up=LIMIT_DEFAULT if rate is None else rate))
        return True

    def ids_of(self, players: Sequence[Player]) -> tuple[str, ...]:
        return tuple(self.peers[player.name].id for player in players)

    def _command(self, player: Player, message: Message) -> None:
        peer = self.peers[player.name]
        self._arrive(peer)  # what happens to it before it arrives finds it idle, as it finds a real one
        if peer.host is not None:
            self.world.feed(peer.host, Command((LinkId(0), 0), message))

    # -- coming and going --

    def _arrive(self, peer: SimulatedPeer, *, anew: bool = False) -> None:
        """A peer joins, or comes back with what it had; idle, if it was not told to begin.

        Nothing happens if it is there, or away.
        """
        if peer.host is not None or peer.away:
            return
        player, world = peer.player, self.world
        if anew:
            peer.id = self._id_of(player, len(peer.ids))
        peer_id = peer.id
        if peer_id not in peer.ids:
            peer.ids.append(peer_id)
        if (before := world.hosts.get(peer_id)) is not None:  # its last messages are still leaving
            world.remove(before)
        self._by_id[peer_id] = peer
        rng = random.Random(f"{self._seed} {player.name} {world.now}")
        contents = [self._known(player)] if peer.complete and peer.entered else []
        fresh = DownloadRecord(self.content, self.layout.kind, "/sim", "", (), (), False, 0.0)
        records = [peer.record or fresh] if peer.entered and not player.config.complete else []
        node = peer.node = PeerNode(
            replace(peer.settings, peer=peer_id), rng, world.now, world.now, contents, records,
            peer.standings, peer.running_time, list(peer.limits.values()),
        )  # fmt: skip
        core = self._core_of(peer, node)
        disk = SimulatedDisk(world, lambda content: self.layout, DiskRates(*astuple(player.config.disk)))
        world_rates = self._scenario.network.shaped_by == "world"
        rates = HostRates(player.up, player.down) if world_rates else HostRates()
        host = peer.host = Host(peer_id, core, rates, lambda host, effect: self._perform(peer, disk, host, effect))
        self._published(host, PeerStarted(player.name, peer_id, "sim", world.now, "", "/sim"))
        world.add(host, core.start_effects())

    def _known(self, player: Player) -> KnownContent:
        return known_content(self.content, self.layout, downloaded=not player.config.complete)

    def _core_of(self, peer: SimulatedPeer, node: PeerNode) -> PeerCore:
        means = Means(lambda payload: CORRUPT, lambda: self._renew(peer), partial(self._go, peer))
        config = peer.player.config
        part = Part(config.behaviour, config.period, peer.player.partner, config.latency)
        return (on_stage if peer.staged else playing)(node, part, means)

    def _go(self, peer: SimulatedPeer, polite: bool, away: float) -> None:
        """A peer leaves, and comes back after `away` seconds unless that is 0."""
        peer.away = True
        self._end(peer, polite)
        if away:
            self.world.at(away, self._return, peer)

    def _return(self, peer: SimulatedPeer) -> None:
        peer.away = False
        self._arrive(peer)

    def _renew(self, peer: SimulatedPeer) -> None:
        """It leaves and comes back as somebody else, once the event that it acts on has been dealt with."""

        def change() -> None:
            self._end(peer, True)
            self._arrive(peer, anew=True)

        self.world.at(0.0, change)

    def _end(self, peer: SimulatedPeer, polite: bool) -> None:
        host, world = peer.host, self.world
        if host is None or peer.node is None:
            return
        peer.keep()
        peer.host = None
        if not polite:
            world.remove(host)
            return
        self._published(host, PeerStopping("leaving"))
        core: Any = host.core
        world.carry_out(host, core.stop(world.now - host.lag))
        world.at(GOODBYE, lambda: world.remove(host) if world.hosts.get(host.name) is host else None)

    def _perform(self, peer: SimulatedPeer, disk: SimulatedDisk, host: Host, effect: Any) -> None:
        """Carry out what is about the disk, which outlives the peer's runs."""
        match effect:
            case Prepare(record=record) if peer.held:
                layout = self.layout
                prepared = Prepared(record.id, layout.kind, layout, "/sim/file", peer.held, layout.all_chunks, ())
                self.world.at(WRITE_SECONDS, self._feed, host, prepared)
            case Reply(message=ControlFailed(code=code)) if code in (ERR_TIMEOUT, ERR_UNREACHABLE):
                self.world.at(AGAIN, self._director.enter, peer.player)  # it was told to fetch and found no tracker
            case KeepDownload():
                peer.record = effect.record
            case KeepLimits():
                peer.limits[effect.record.content] = effect.record
            case _:
                disk.perform(host, effect)

    def _feed(self, host: Host, event: Any) -> None:
        if self.world.hosts.get(host.name) is host:
            self.world.feed(host, event)

    # -- what they publish --

    def _published(self, host: Host, event: Event) -> None:
        peer = self._by_id.get(host.name)
        self._writer.write(peer.player.name if peer else TRACKER, host.name, self.world.now, event)
        match event:
            case TransferCompleted() if peer is not None and not peer.complete:
                peer.complete = True
                self._director.completed(peer.player.name)
            case TransferFailed() if peer is not None and peer.player.honest:
                self._failure = ShoalError(ERR_FAILURE, f"the download of {peer.player.name} failed: {event.error}")
            case ContentAnnounced():
                self._seeds = event.seeds

    def _sample(self) -> None:
        values = {name: float(value) for name, value in self._core.metrics().items()}
        self._writer.write(TRACKER, self._tracker, self.world.now, MetricsSample(values))
        self.world.at(SAMPLE, self._sample)

    # -- making --

    def _add_tracker(self) -> TrackerCore:
        loaded = configured(next(iter(self._scenario.groups.values())), SIMULATED)
        core = TrackerCore(limits_of(loaded.settings), random.Random(f"{self._seed} tracker"))

        def perform(host: Host, effect: Any) -> None:
            if isinstance(effect, SearchStore):
                self.world.feed(host, SearchFailed(effect.token, "simulated peers know their content's id"))

        self.world.add(Host(self._tracker, core, HostRates(), perform), [])
        return core

    def _peers(self, cast: Sequence[Player]) -> dict[str, SimulatedPeer]:
        struck_names = {
            player.name: True
            for number, failure in enumerate(self._scenario.failures)
            for player in struck(failure, cast, self._seed, number)
        }
        settings: dict[str, NodeSettings] = {}
        peers = {}
        for player in cast:
            if player.group not in settings:  # all peers of a group are configured alike
                settings[player.group] = self._settings(player)
            own = replace(settings[player.group], name=player.name)
            staged = player.name in struck_names or _may_go(player)
            peers[player.name] = SimulatedPeer(player, self._id_of(player, 0), own, staged)
        return peers

    def _id_of(self, player: Player, number: int) -> str:
        return _digest(self._seed, player.name, number)

    def _settings(self, player: Player) -> NodeSettings:
        more = player.settings(self._scenario.network.shaped_by == "limits")
        settings = node_settings(configured(player.config, {**SIMULATED, **more}), player.name, "", "/sim", 5000)
        return replace(
            settings,
            loopback=False,
            software="sim",
            trackers=(TrackerAddress("tcp://10.0.0.1:5570", self._tracker),),
            data_message_min=settings.data_message_max
            if _in_whole_chunks(self._scenario)
            else settings.data_message_min,
            progress_interval=inf if _silent(self._scenario) else settings.progress_interval,
        )


def record(scenario: Scenario, seed: int, name: str, folder: Path) -> Recording:
    """Simulate a scenario; see experiments/runner.py, Record.

    Raises:
        ShoalError: something did not happen in time, or a download failed; the events up to then are in the folder.
    """
    for problem in backend_problems(scenario, "sim"):
        raise ShoalError(ERR_CONFIG, f"scenario {name}: {problem}")
    with EventWriter(folder, single=scenario.peers > SEPARATE) as writer:
        run = SimulatedRun(scenario, seed, name, writer)
        run.carry_out()
    cast = [peer.player.member(peer.ids) for peer in run.peers.values()]
    lost = dict.fromkeys(writer.written, 0)
    return Recording(
        _shaping_of(scenario), writer.written, lost, cast, progress=not _silent(scenario), trace=run.world.trace
    )


def _shaping_of(scenario: Scenario) -> str:
    shaped_by = "the simulated world" if scenario.network.shaped_by == "world" else "Shoal's own limits, simulated"
    return shaped_by + (", in messages of whole chunks" if _in_whole_chunks(scenario) else "")


def _in_whole_chunks(scenario: Scenario) -> bool:
    return scenario.peers > WHOLE_CHUNKS


def _silent(scenario: Scenario) -> bool:
    return scenario.peers > SILENT


def _may_go(player: Player) -> bool:
    config = player.config
    return bool(config.leave.linger >= 0 or config.leave.session or config.latency or config.behaviour == "whitewasher")


def _layout(scenario: Scenario) -> Layout:
    content = scenario.content
    sizes = [row.size for row in content.tree for _ in range(row.files)]
    if not sizes:
        return Layout("file", [Entry("", content.size, False, _digest("file"))])
    files = [Entry(f"{place:06}", size, False, _digest("file", place)) for place, size in enumerate(sizes)]
    return Layout("tree", files)


def _digest(*words: object) -> str:
    """An id that is made of these words: as even as a real one, and the same every time."""
    return hashlib.sha256("\0".join(map(str, words)).encode()).hexdigest()
