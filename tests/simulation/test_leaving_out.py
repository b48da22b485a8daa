"""Files of a tree that are left out while it is fetched, through whole peers in virtual time."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bus.boundary import LinkId, Send
from bus.messages import Cancel, ChangeDownload, Done, Get, Message
from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import HostRates
from peer.core.download import Download, DownloadState
from peer.core.interface import Command, Forget, Reply
from peer.core.node import PeerNode
from peer.core.selection import wanted_chunks
from peer.core.source import SourceState

MIB = 2**20
RATES = HostRates(up=4 * MIB)


def swarm_of(leechers: int = 1, tree: tuple[int, ...] = (8 * MIB,) * 4, seed: int = 3) -> SimulatedSwarm:
    swarm = SimulatedSwarm(SwarmScenario(leechers, 0, RATES, RATES, tree=tree, latency=0.002, seed=seed))
    assert swarm.world.run(30.0, lambda: all(download_of(swarm, n + 1).held for n in range(leechers)))
    return swarm


def node_of(swarm: SimulatedSwarm, number: int = 1) -> PeerNode:
    return swarm.nodes[peer_id(number)]


def download_of(swarm: SimulatedSwarm, number: int = 1) -> Download:
    return node_of(swarm, number).downloads.active[CONTENT]


def ask(swarm: SimulatedSwarm, message: Message, number: int = 1) -> list[Any]:
    """What follows from a request of the user."""
    name = peer_id(number)
    effects = swarm.nodes[name].handle(Command((LinkId(0), 1), message), swarm.world.now)
    swarm.world.carry_out(swarm.world.hosts[name], effects)
    return effects


def leave_out(swarm: SimulatedSwarm, *paths: str, number: int = 1) -> list[Any]:
    return ask(swarm, ChangeDownload(0, CONTENT, leave_out=list(paths)), number)


def asked_of_sources(swarm: SimulatedSwarm, number: int = 1) -> int:
    """Chunks that wants are out for; every count is what a recount gives."""
    chunks = 0
    for source in node_of(swarm, number).downloads.fetching.sources.values():
        source.check_invariants()
        for asked in source.asked.values() if source.state is SourceState.OPEN else ():
            chunks |= asked.mask
    return chunks


def test_wants_of_what_is_left_out_are_cancelled_and_not_a_chunk_of_it_is_asked_for_again() -> None:
    swarm = swarm_of()
    ask(swarm, ChangeDownload(0, CONTENT, "high", paths=["00002"]))
    film = swarm.layout.mask_of(["00002"])
    assert swarm.world.run(30.0, lambda: bool(asked_of_sources(swarm) & film))
    effects = leave_out(swarm, "00002")
    cancelled = [
        effect.message for effect in effects if isinstance(effect, Send) and isinstance(effect.message, Cancel)
    ]
    assert cancelled
    download = download_of(swarm)
    download.check_invariants()
    assert not asked_of_sources(swarm) & film
    assert not any(
        chunk for effect in effects if isinstance(effect, Forget) for chunk in effect.chunks if not film >> chunk & 1
    )
    held, size = download.held & film, 24 * MIB
    assert download.size == size
    assert swarm.run(60.0)
    result = swarm.results[peer_id(1)]
    assert result.bytes_done == size
    assert (download.held & film & ~held).bit_count() <= 16  # what was on its way to the disk already
    offer = node_of(swarm).shelf.offers[CONTENT]
    assert offer.held == swarm.layout.all_chunks & ~film


def test_what_was_left_out_can_be_fetched_after_all() -> None:
    swarm = swarm_of()
    leave_out(swarm, "00002", "00003")
    assert swarm.world.run(60.0, lambda: download_of(swarm).held.bit_count() > swarm.layout.chunks // 4)
    answer = [effect.message for effect in ask(swarm, Get(0, CONTENT, only=["00003"])) if isinstance(effect, Reply)]
    assert answer == [Done(0, CONTENT)]
    assert swarm.run(120.0)
    assert swarm.results[peer_id(1)].bytes_done == 24 * MIB


def test_a_stream_that_serves_nothing_that_is_still_wanted_is_closed() -> None:
    swarm = swarm_of(leechers=2)
    first = swarm.layout.mask_of(["00000"])
    ask(swarm, ChangeDownload(0, CONTENT, "high", paths=["00000"]))
    assert swarm.world.run(30.0, lambda: not first & ~download_of(swarm).held)
    leave_out(swarm, "00001", "00002", "00003")
    assert all(source.state is SourceState.IDLE for source in node_of(swarm).downloads.fetching.sources.values())
    assert swarm.world.run(60.0, lambda: CONTENT not in node_of(swarm).downloads.active)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_each_of_many_peers_leaves_out_and_fetches_after_all_each_ends_with_what_it_wants(seed: int) -> None:
    rng = random.Random(seed)
    tree = tuple(rng.choice([40_000, 300_000, MIB, 3 * MIB + 1]) for _ in range(12))
    swarm = swarm_of(leechers=6, tree=tree, seed=seed)
    sizes = dict.fromkeys(range(1, 7), 0)
    for _ in range(5):
        for number in range(1, 7):
            if CONTENT not in node_of(swarm, number).downloads.active:
                continue
            paths = [f"{n:05}" for n in rng.sample(range(12), 3)]
            request = ChangeDownload(0, CONTENT, leave_out=paths) if rng.random() < 0.7 else Get(0, CONTENT, only=paths)
            ask(swarm, request, number)
            if download := node_of(swarm, number).downloads.active.get(CONTENT):
                download.check_invariants()
                if download.state is DownloadState.FETCHING:
                    assert not asked_of_sources(swarm, number) & ~download.wanted
                sizes[number] = swarm.layout.bytes_in(wanted_chunks(swarm.layout, download.record))
        until = swarm.world.now + rng.random()
        swarm.world.run(until, lambda: False)
        swarm.world.now = max(swarm.world.now, until)
    assert swarm.run(swarm.world.now + 120.0)
    for number, size in sizes.items():
        assert swarm.results[peer_id(number)].bytes_done == size or not size
        offer = node_of(swarm, number).shelf.offers[CONTENT]
        assert swarm.layout.bytes_in(offer.held) == swarm.results[peer_id(number)].bytes_done
