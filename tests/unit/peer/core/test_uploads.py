"""All streams of a peer together."""

from __future__ import annotations

import pytest

from bus.boundary import LinkId
from bus.events import StreamClosed, UploadEnded, UploadProgress
from bus.messages import Pause
from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import Host, HostRates
from peer.core.interface import Command
from peer.core.standing import CORRUPTED_DATA

KIB = 2**10
MIB = 2**20
LEECHERS = 4


def test_streams_share_a_limited_rate_evenly() -> None:
    fast = HostRates(up=100 * MIB)
    swarm = SimulatedSwarm(SwarmScenario(leechers=LEECHERS, size=64 * MIB, seed_rates=fast, leecher_rates=fast))
    seed = swarm.nodes[peer_id(0)]
    seed.limits.set("up", 2 * MIB, swarm.world.now)
    leechers = [peer_id(number) for number in range(1, LEECHERS + 1)]

    def sent() -> list[int]:
        return [seed.neighbours.traffic[peer].up.total if peer in seed.neighbours.traffic else 0 for peer in leechers]

    assert swarm.world.run(30.0, lambda: sum(sent()) >= 8 * MIB)
    assert max(sent()) < 1.5 * min(sent())


@pytest.mark.parametrize(("listed", "gets_it"), [(0, False), (1, True)])
def test_over_a_link_that_stands_only_listed_peers_fetch_from_a_private_one(listed: int, gets_it: bool) -> None:
    fast = HostRates(up=100 * MIB)
    swarm = SimulatedSwarm(SwarmScenario(leechers=0, size=2 * MIB, seed_rates=fast, leecher_rates=fast))
    only = frozenset([peer_id(2)] if listed else [peer_id(7)])
    swarm.add_peer(1, {"only": only})
    assert swarm.world.run(60.0, lambda: swarm.finished(1)), "a private peer fetches from anybody"
    swarm.world.remove(swarm.world.hosts[peer_id(0)])
    swarm.add_peer(2)
    assert swarm.world.run(swarm.world.now + 60, lambda: swarm.finished(2)) is gets_it
    uploads = swarm.nodes[peer_id(1)].neighbours.traffic[peer_id(2)].up.total
    assert (uploads > 0) is gets_it


@pytest.mark.parametrize("how", ["the downloader pauses", "the seed offers it no longer"])
def test_an_upload_that_does_not_move_has_no_rate(how: str) -> None:
    fast = HostRates(up=MIB)
    swarm = SimulatedSwarm(SwarmScenario(1, 64 * MIB, fast, fast, settings={"progress_interval": 0.25}))
    rates: list[float] = []

    def published(host: Host, event: object) -> None:
        if host.name == peer_id(0) and isinstance(event, UploadProgress | UploadEnded):
            rates.append(event.rate if isinstance(event, UploadProgress) else 0.0)

    swarm.world.on_publish = published
    swarm.world.run(5.0, lambda: False)
    assert rates[-1] > MIB / 2
    stops = peer_id(0 if "seed" in how else 1)
    if "seed" in how:
        swarm.nodes[stops].library._damaged(CONTENT, "it is gone")
        swarm.world.carry_out(swarm.world.hosts[stops], swarm.nodes[stops].turn.take_effects())
    else:
        effects = swarm.nodes[stops].handle(Command((LinkId(0), 1), Pause(0, CONTENT)), swarm.world.now)
        swarm.world.carry_out(swarm.world.hosts[stops], effects)
    swarm.world.run(swarm.world.now + 4.0, lambda: False)
    assert rates[-1] == 0.0


def test_who_waits_for_our_limit_is_not_idle() -> None:
    fast = HostRates(up=100 * MIB)
    swarm = SimulatedSwarm(SwarmScenario(leechers=12, size=64 * MIB, seed_rates=fast, leecher_rates=fast))
    swarm.nodes[peer_id(0)].limits.set("up", 128 * KIB, swarm.world.now)  # a chunk a second, for eight slots
    ended: list[float] = []

    def published(host: Host, event: object) -> None:
        if host.name == peer_id(0) and isinstance(event, StreamClosed):
            ended.append(swarm.world.now)

    swarm.world.on_publish = published
    swarm.world.run(30.0, lambda: False)
    # Twelve take turns of at least ten seconds.
    assert 0 < len(ended) <= 3 * 8


def test_a_manifest_goes_before_the_chunks_of_others() -> None:
    fast = HostRates(up=100 * MIB)
    swarm = SimulatedSwarm(SwarmScenario(leechers=6, size=64 * MIB, seed_rates=fast, leecher_rates=fast))
    swarm.nodes[peer_id(0)].limits.set("up", 128 * KIB, swarm.world.now)  # a chunk takes eight seconds
    swarm.world.run(20.0, lambda: False)
    swarm.add_peer(7)
    came = swarm.world.now

    def has_manifest() -> bool:
        download = swarm.nodes[peer_id(7)].downloads.active.get(CONTENT)
        return download is not None and download.layout is not None

    assert swarm.world.run(came + 30, has_manifest)
    assert swarm.world.now - came < 2, "a round trip, a slot that is free, and a message of 16 KiB"


def test_who_is_banned_while_it_has_a_slot_loses_it() -> None:
    fast = HostRates(up=MIB)
    swarm = SimulatedSwarm(SwarmScenario(1, 64 * MIB, fast, fast))
    seed, leecher = swarm.nodes[peer_id(0)], peer_id(1)
    assert swarm.world.run(20.0, lambda: seed.uploads.slots_used == 1)
    for _ in range(2):
        seed.opinions.record(leecher, CORRUPTED_DATA, CONTENT, 1)
    assert swarm.world.run(swarm.world.now + 1.5, lambda: seed.uploads.slots_used == 0)
    sent = seed.neighbours.traffic[leecher].up.total
    swarm.world.run(swarm.world.now + 10, lambda: False)
    assert seed.neighbours.traffic[leecher].up.total == sent


def test_an_upload_whose_downloader_takes_nothing_any_more_comes_to_rest() -> None:
    fast = HostRates(up=MIB)
    swarm = SimulatedSwarm(SwarmScenario(1, 64 * MIB, fast, fast, settings={"progress_interval": 0.25}))
    rates: list[float] = []

    def published(host: Host, event: object) -> None:
        if host.name == peer_id(0) and isinstance(event, UploadProgress):
            rates.append(event.rate)

    swarm.world.on_publish = published
    swarm.world.run(5.0, lambda: False)
    swarm.nodes[peer_id(0)].limits.set("up", 1, swarm.world.now)
    swarm.world.run(swarm.world.now + 5.0, lambda: False)
    assert rates[-1] == 0.0
