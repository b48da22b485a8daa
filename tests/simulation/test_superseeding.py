"""Super-seeding in whole swarms: a lone seed sends everything about once, whatever the leechers do."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from bus.boundary import LinkId, Received
from bus.messages import Message, Refused
from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import HostRates
from peer.core.download import Download
from peer.core.interface import Prepared
from peer.core.seeding import Seeding
from peer.core.standing import REFUSED_UPLOAD
from peer.core.superseeding import SuperSeed

Kind = TypeVar("Kind", bound=Message)

KIB = 2**10
MIB = 2**20
RATE = 2 * MIB
FREE = HostRates()
"""The network is no limit: what peers set themselves is."""


def swarm_of(leechers: int, size: int = 8 * MIB, tree: tuple[int, ...] = (), latency: float = 0.0005) -> SimulatedSwarm:
    return SimulatedSwarm(
        SwarmScenario(leechers, size, FREE, FREE, latency=latency, limits_up=(RATE,), tree=tree, seed=3)
    )


def sent(swarm: SimulatedSwarm, number: int = 0) -> float:
    """What a peer uploaded, in contents."""
    return swarm.nodes[peer_id(number)].uploads.sending.meter.total / max(1, swarm.layout.size)


def seeding(swarm: SimulatedSwarm, number: int = 0) -> Seeding:
    return swarm.nodes[peer_id(number)].uploads.seeding


def super_seed(swarm: SimulatedSwarm, number: int = 0) -> SuperSeed | None:
    return seeding(swarm, number)._seeds.get(CONTENT)


def active(swarm: SimulatedSwarm, number: int = 0) -> bool:
    seed = super_seed(swarm, number)
    return seed is not None and seed.active


def all_have_it(swarm: SimulatedSwarm, *numbers: int) -> bool:
    """Whether these leechers are done; looks at the offers after every event."""
    if seed := super_seed(swarm):
        seed.check_invariants()
    return all(swarm.finished(number) for number in numbers)


def heard(swarm: SimulatedSwarm, number: int, kind: type[Kind]) -> list[Kind]:
    """The messages of a kind that a peer receives from now on."""
    node, messages = swarm.nodes[peer_id(number)], list[Kind]()
    handle = node.handle

    def listen(event: Any, now: float) -> list[Any]:
        if isinstance(event, Received) and isinstance(event.message, kind):
            messages.append(event.message)
        return handle(event, now)

    node.handle = listen  # type: ignore[method-assign]
    return messages


def duplicates(swarm: SimulatedSwarm) -> int:
    return sum(result.duplicate_bytes for result in swarm.results.values())


def once(swarm: SimulatedSwarm, leechers: int) -> float:
    """At most this is sent, in contents: everything once, at the end an offer for each more, and manifests."""
    return 1 + (leechers + 3) * 128 * KIB / max(1, swarm.layout.size)


@pytest.mark.parametrize(("leechers", "size"), [(2, 8 * MIB), (3, 8 * MIB), (6, 12 * MIB)])
def test_a_lone_seed_sends_the_content_about_once(leechers: int, size: int) -> None:
    swarm = swarm_of(leechers, size)
    assert swarm.world.run(100.0, lambda: all_have_it(swarm, *range(1, leechers + 1)))
    assert sent(swarm) <= min(1.1, once(swarm, leechers))
    assert duplicates(swarm) <= 0.01 * leechers * swarm.layout.size


def test_it_ends_when_everything_was_offered_once() -> None:
    swarm = swarm_of(4)
    assert swarm.world.run(10.0, lambda: active(swarm))
    assert swarm.world.run(100.0, lambda: not active(swarm))
    seed = super_seed(swarm)
    assert seed is not None
    # Each leecher's last offer is on its way.
    assert (swarm.layout.all_chunks & ~seed.spread).bit_count() <= 4
    assert not swarm.finished(1)
    assert swarm.world.run(100.0, lambda: active(swarm) or all_have_it(swarm, 1, 2, 3, 4))
    assert not active(swarm)


def test_one_leecher_alone_is_offered_everything_at_once() -> None:
    swarm = swarm_of(1)
    assert swarm.world.run(100.0, lambda: active(swarm) or all_have_it(swarm, 1))
    assert not active(swarm)
    assert swarm.finished(1)
    assert swarm.world.now < 1.1 * swarm.layout.size / RATE + 1


def test_offers_are_taken_back_when_a_second_leecher_comes_and_wants_that_cross_are_refused() -> None:
    # Far away, so that there is always a want on its way.
    swarm = swarm_of(1, latency=0.05)
    assert swarm.world.run(10.0, lambda: sent(swarm) > 0.2)
    refused = heard(swarm, 1, Refused)
    swarm.add_peer(2)
    assert swarm.world.run(10.0, lambda: active(swarm))
    assert swarm.world.run(100.0, lambda: all_have_it(swarm, 1, 2))
    assert sent(swarm) <= 1.35
    assert duplicates(swarm) == 0
    # Wants that crossed were refused, and that broke no promise.
    assert refused
    assert {message.reason for message in refused} == {"withdrawn"}
    for number in (1, 2):
        standing = swarm.nodes[peer_id(number)].opinions.book.standing(peer_id(0))
        assert standing is None or REFUSED_UPLOAD not in standing.events


def test_it_ends_when_a_second_seed_appears() -> None:
    swarm = swarm_of(3, size=24 * MIB)
    assert swarm.world.run(10.0, lambda: active(swarm) and sent(swarm) > 0.1)
    swarm.add_peer(9, complete=True)
    # The tracker tells the first of it within 5 s; the second asks.
    assert swarm.world.run(10.0, lambda: not active(swarm) and not active(swarm, 9) and sent(swarm, 9) > 0)
    assert sent(swarm) < 0.6
    assert swarm.world.run(100.0, lambda: active(swarm) or active(swarm, 9) or all_have_it(swarm, 1, 2, 3))
    assert all_have_it(swarm, 1, 2, 3)
    assert sent(swarm) + sent(swarm, 9) < 2


def test_the_offer_of_a_leecher_that_vanishes_goes_to_others() -> None:
    swarm = swarm_of(4)
    assert swarm.world.run(10.0, lambda: active(swarm) and sent(swarm) > 0.3)
    swarm.world.remove(swarm.world.hosts[peer_id(1)])
    assert swarm.world.run(100.0, lambda: all_have_it(swarm, 2, 3, 4))
    # What the vanished one had and passed on to nobody is sent again.
    assert sent(swarm) <= 1.25


def test_a_free_rider_holds_nobody_up() -> None:
    swarm = swarm_of(0)
    swarm.add_peer(1, {"upload_slots": 0})
    for number in (2, 3, 4):
        swarm.add_peer(number)
    assert swarm.world.run(200.0, lambda: all_have_it(swarm, 1, 2, 3, 4))
    # What only the free rider was given comes from the seed once more; nobody waits for an offer to time out.
    assert sent(swarm) <= 1.6
    assert swarm.world.now < 10


def test_a_leecher_that_asks_for_nothing_of_its_offers_holds_up_nothing_for_long() -> None:
    swarm = swarm_of(3, size=4 * MIB)
    assert swarm.world.run(10.0, lambda: active(swarm))
    silent = swarm.nodes[peer_id(1)]
    silent.downloads.fetching.asking.fill = lambda source: None  # type: ignore[method-assign]
    assert swarm.world.run(100.0, lambda: all_have_it(swarm, 2, 3))
    assert swarm.world.now < 25


@pytest.mark.parametrize(("said", "within"), [(True, 3), (False, 25)])
def test_leechers_that_want_a_part_only_are_shown_everything_once_they_say_so_or_let_an_offer_pass(
    monkeypatch: pytest.MonkeyPatch, said: bool, within: float
) -> None:
    prepared = Download.prepared

    def prepared_in_part(download: Download, event: Prepared) -> None:
        prepared(download, replace(event, wanted=event.wanted & 0xFFFF))

    monkeypatch.setattr(Download, "prepared", prepared_in_part)
    swarm = swarm_of(2)
    for number in (1, 2) if said else ():
        swarm.nodes[peer_id(number)].haves.parts[CONTENT] = True
    assert swarm.world.run(100.0, lambda: all_have_it(swarm, 1, 2))
    assert swarm.world.now < within


def test_a_chunk_that_takes_long_to_send_or_waits_for_its_turn_stays_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    overdue, late = SuperSeed.overdue, list[LinkId]()

    def watched(seed: SuperSeed, now: float) -> list[LinkId]:
        late.extend(overdue(seed, now))
        return late

    monkeypatch.setattr(SuperSeed, "overdue", watched)
    # Chunks of 16 MiB take 16 s each; two wait for the third.
    swarm = SimulatedSwarm(SwarmScenario(3, 16 * 2**30, FREE, FREE, latency=0.01, limits_up=(MIB,), seed=3))
    assert not swarm.world.run(45.0, lambda: all_have_it(swarm, 1, 2, 3))
    assert active(swarm)
    assert late == []


@pytest.mark.parametrize("size", [0, 1, 128 * KIB, 128 * KIB + 1])
def test_contents_of_hardly_any_chunks_arrive_everywhere(size: int) -> None:
    swarm = swarm_of(3, size=size)
    assert swarm.world.run(10.0, lambda: all_have_it(swarm, 1, 2, 3))
    assert swarm.world.now < 5


@pytest.mark.parametrize(
    "tree",
    [
        pytest.param((4 * KIB,) * 600, id="small files"),
        pytest.param((0, MIB, 10, 0, 2 * MIB + 1, 300 * KIB, 0, 5000) * 2, id="mixed"),
        pytest.param((0, 0, 0), id="nothing but empty files"),
    ],
)
def test_a_tree_is_sent_about_once_too(tree: tuple[int, ...]) -> None:
    swarm = swarm_of(4, tree=tree)
    assert swarm.world.run(100.0, lambda: all_have_it(swarm, 1, 2, 3, 4))
    assert sent(swarm) <= once(swarm, 4)


def test_all_leechers_but_the_seed_gone_and_new_ones_come() -> None:
    swarm = swarm_of(2)
    assert swarm.world.run(10.0, lambda: active(swarm) and sent(swarm) > 0.5)
    for number in (1, 2):
        swarm.world.remove(swarm.world.hosts[peer_id(number)])
    assert swarm.world.run(60.0, lambda: not active(swarm))
    for number in (3, 4):
        swarm.add_peer(number)
    assert swarm.world.run(200.0, lambda: all_have_it(swarm, 3, 4))
    assert sent(swarm) <= 1.7


def test_a_leecher_that_completes_beside_the_seed_does_not_super_seed() -> None:
    swarm = swarm_of(12, 2 * MIB)
    began: list[int] = []

    def look() -> bool:
        began.extend(number for number in range(1, 13) if number not in began and active(swarm, number))
        return all_have_it(swarm, *range(1, 13))

    assert swarm.world.run(60.0, look)
    # The count of one seed that each was told while it fetched is of the other one.
    assert not began
