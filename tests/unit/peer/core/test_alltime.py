"""What was ever uploaded of each content: counted once, told seldom, and begun anew only by a removal."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

from bus.boundary import LinkId, Publish
from bus.events import ContentUploaded, Event, UploadEnded
from bus.messages import Remove
from experiments.sim.disk import known_content
from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import Host, HostRates
from peer.core.alltime import AllTime
from peer.core.downloads import KEEP_EVERY
from peer.core.interface import Command, KeepUploaded
from peer.core.layout import Entry, Layout
from peer.core.node import PeerNode
from peer.core.settings import NodeSettings
from peer.core.turn import Turn

MIB = 2**20
A, B = "a" * 64, "b" * 64
SEED = peer_id(0)


def turn() -> Turn:
    return Turn(random.Random(1), 100.0, 0.0)


def uploaded(effects: list[Any]) -> list[ContentUploaded]:
    events = [effect.event for effect in effects if isinstance(effect, Publish)]
    return [event for event in events if isinstance(event, ContentUploaded)]


def kept(effects: list[Any]) -> list[tuple[tuple[str, int], ...]]:
    return [effect.uploaded for effect in effects if isinstance(effect, KeepUploaded)]


def test_it_goes_on_from_what_earlier_runs_uploaded() -> None:
    now = turn()
    counts = AllTime(now, {A: 7, B: 8})
    assert uploaded(now.take_effects()) == [ContentUploaded(A, 7), ContentUploaded(B, 8)]
    counts.count(counts.of(A), 3)
    counts.keep()
    effects = now.take_effects()
    assert uploaded(effects) == [ContentUploaded(A, 10)]
    assert kept(effects) == [((A, 10),)]


def test_ten_thousand_contents_that_grew_by_many_messages_are_one_write_and_an_event_each() -> None:
    now = turn()
    contents = [f"{number:064x}" for number in range(10_000)]
    counts = AllTime(now, dict.fromkeys(contents, 1))
    now.take_effects()
    for content in contents[:9_000]:
        for _ in range(5):
            counts.count(counts.of(content), 100)
    assert now.timers.next() == now.now + KEEP_EVERY
    counts.keep()
    effects = now.take_effects()
    assert kept(effects) == [tuple((content, 501) for content in contents[:9_000])]
    assert len(effects) == 9_000 + 1
    counts.keep()
    assert now.take_effects() == []


def test_what_is_removed_and_comes_again_begins_at_nothing() -> None:
    now = turn()
    counts = AllTime(now, {A: 7})
    flow = counts.of(A)
    counts.count(flow, 3)
    now.take_effects()
    counts.forget(A)
    counts.forget(B)
    counts.keep()
    assert now.take_effects() == [Publish(ContentUploaded(A, 0))]
    counts.count(flow, 5)  # a stream that was open all the while counts what is sent of it now
    counts.keep()
    assert kept(now.take_effects()) == [((A, 5),)]


class Watched:
    """A seed and its leechers in the simulator, and what the seed publishes of its uploads."""

    def __init__(self, leechers: int, size: int) -> None:
        rates = HostRates(up=2 * MIB)
        self.swarm = SimulatedSwarm(SwarmScenario(leechers, size, rates, rates))
        self.told: list[tuple[float, int]] = []
        self.ended = 0
        publish = self.swarm.world.on_publish
        assert publish is not None

        def heard(host: Host, event: Event) -> None:
            publish(host, event)
            if host.name == SEED and isinstance(event, ContentUploaded):
                self.told.append((self.swarm.world.now, event.bytes))
            self.ended += host.name == SEED and isinstance(event, UploadEnded)

        self.swarm.world.on_publish = heard

    def wait(self, seconds: float) -> None:
        self.swarm.world.run(self.swarm.world.now + seconds, lambda: False)


def test_a_whole_upload_counts_every_byte_once_and_stays_when_it_ends() -> None:
    size = 16 * MIB
    watched = Watched(1, size)
    assert watched.swarm.run(60.0)
    watched.wait(2 * KEEP_EVERY)
    assert watched.ended
    # Without the manifest, which goes out too.
    assert watched.told[-1][1] == size
    times = [time for time, _ in watched.told]
    assert len(times) >= 3
    assert min(later - earlier for earlier, later in pairwise(times)) >= KEEP_EVERY - 1e-6


def test_uploads_to_several_peers_are_summed() -> None:
    watched = Watched(3, 8 * MIB)
    assert watched.swarm.run(60.0)
    watched.wait(2 * KEEP_EVERY)
    nodes = watched.swarm.nodes.values()
    sent = sum(node.uploads.all_time.of(CONTENT).bytes for node in nodes)
    assert watched.told[-1][1] == watched.swarm.nodes[SEED].uploads.all_time.of(CONTENT).bytes
    assert sent >= 3 * 8 * MIB  # leechers count what they pass on while they fetch


def test_a_peer_that_stops_keeps_what_it_counted_to_the_last() -> None:
    watched = Watched(1, 16 * MIB)
    watched.wait(5.0)
    seed = watched.swarm.nodes[SEED]
    counted = seed.uploads.all_time.of(CONTENT).bytes
    assert watched.told[-1][1] < counted < 16 * MIB
    effects = seed.stop(watched.swarm.world.now)
    assert kept(effects) == [((CONTENT, counted),)]


def test_a_peer_tells_what_earlier_runs_uploaded_and_a_removal_ends_it() -> None:
    known = known_content(CONTENT, Layout("file", [Entry("", 1000, False, CONTENT)]), downloaded=False)
    settings = NodeSettings("1" * 64, "north", "test", "/d", 1, True)
    node = PeerNode(settings, random.Random(1), 0.0, 0.0, [known], uploaded={CONTENT: 2500})
    assert uploaded(node.start_effects()) == [ContentUploaded(CONTENT, 2500)]
    effects = node.handle(Command((LinkId(1), 1), Remove(0, CONTENT, False)), 1.0)
    assert uploaded(effects) == [ContentUploaded(CONTENT, 0)]
