"""Who is never dialled: peers of which only one encrypts (said in one line), and by a private one those not listed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bus.boundary import DialFailed
from bus.events import Transfer
from bus.messages import SwarmChanged, SwarmPeer
from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import HostRates
from peer.core.download import Candidate

MIB = 2**20
FAST = HostRates(up=10 * MIB)
ALONE = SwarmScenario(leechers=0, size=2 * MIB, seed_rates=FAST, leecher_rates=FAST)
LINE = "security.encryption is {} here and {} at 1 peer of the swarm; make it the same on both sides"


def result(swarm: SimulatedSwarm, leecher: int) -> Transfer:
    """The newest record that a leecher published of its download."""
    return swarm.results[peer_id(leecher)]


def dialled(swarm: SimulatedSwarm, host: int, other: int) -> bool:
    return swarm.nodes[peer_id(host)].neighbours.connected(peer_id(other))


def test_peers_without_encryption_find_each_other() -> None:
    swarm = SimulatedSwarm(SwarmScenario(leechers=0, size=2 * MIB, seed_rates=FAST, leecher_rates=FAST))
    swarm.add_peer(2, {"encryption": False})
    swarm.add_peer(3, {"encryption": False})
    for number in (2, 3):
        swarm.world.run(swarm.world.now + 12, lambda: False)
        assert not dialled(swarm, number, 0)
    assert dialled(swarm, 2, 3)
    assert not dialled(swarm, 0, 2)


def test_a_peer_with_the_other_setting_is_not_dialled_and_the_line_says_why() -> None:
    swarm = SimulatedSwarm(ALONE)
    swarm.add_peer(1, {"encryption": False})
    assert not swarm.world.run(20.0, lambda: swarm.finished(1))
    node = swarm.nodes[peer_id(1)]
    assert not dialled(swarm, 1, 0)
    assert not dialled(swarm, 0, 1), "the seed is told of the leecher, and need not dial it either"
    assert node.downloads.active[CONTENT].candidates == {}
    assert (result(swarm, 1).state, result(swarm, 1).error) == ("no_sources", LINE.format("false", "true"))


def test_another_source_is_used_and_the_line_is_gone() -> None:
    swarm = SimulatedSwarm(ALONE)
    swarm.add_peer(1, {"encryption": False})
    swarm.world.run(5.0, lambda: False)
    assert result(swarm, 1).error
    swarm.add_peer(2)
    assert swarm.world.run(60.0, lambda: swarm.finished(2))
    assert result(swarm, 2).error == ""


def test_a_dial_that_found_the_other_setting_is_the_line_until_a_link_stands() -> None:
    far = SwarmScenario(leechers=0, size=2 * MIB, seed_rates=FAST, leecher_rates=FAST, latency=0.4)
    swarm = SimulatedSwarm(far)
    swarm.add_peer(1)
    node, host = swarm.nodes[peer_id(1)], swarm.world.hosts[peer_id(1)]
    download = node.downloads.active[CONTENT]
    download.candidates[peer_id(0)] = Candidate(("tcp://10.0.0.2:5000",), True, 0.0)
    swarm.world.feed(host, DialFailed("data", peer_id(0), "encrypts its links", unequal=True))
    swarm.world.run(0.3, lambda: False)
    assert (result(swarm, 1).state, result(swarm, 1).error) == ("no_sources", LINE.format("true", "false"))
    assert swarm.world.run(60.0, lambda: swarm.finished(1))
    assert download.unequal == {}
    assert result(swarm, 1).error == ""


def test_a_tracker_that_lists_the_right_setting_now_takes_back_that_it_was_another() -> None:
    swarm = SimulatedSwarm(ALONE)
    swarm.add_peer(1)
    download = swarm.nodes[peer_id(1)].downloads.active[CONTENT]
    download.unequal.update({peer_id(0): False, peer_id(7): False})
    swarm.world.run(60.0, lambda: swarm.finished(1))
    assert list(download.unequal) == [peer_id(7)]


@pytest.mark.parametrize("only", [None, frozenset({peer_id(9)}), frozenset({peer_id(8)})])
def test_a_private_seed_dials_no_leecher_that_may_not_fetch(only: frozenset[str] | None) -> None:
    swarm = SimulatedSwarm(ALONE)
    swarm.add_peer(1, {"only": only}, complete=True)
    node = swarm.nodes[peer_id(1)]
    node.swarms.changed(SwarmChanged(CONTENT, 1, 1, [SwarmPeer(peer_id(9), ["tcp://10.0.0.11:5000"], False)], []))
    node.swarms.introduce_due(peer_id(9))
    assert dialled(swarm, 1, 9) is (only is None or peer_id(9) in only)


def test_links_over_which_nothing_goes_any_more_make_room_for_new_ones() -> None:
    swarm = SimulatedSwarm(replace(ALONE, settings={"links": 2}))
    for number in (1, 2):
        swarm.add_peer(number)
    assert swarm.world.run(60.0, lambda: swarm.finished(1) and swarm.finished(2))
    assert dialled(swarm, 1, 0)
    assert dialled(swarm, 2, 0)
    swarm.world.run(swarm.world.now + 90, lambda: False)
    assert [dialled(swarm, 0, number) for number in (1, 2)].count(True) == 1


def test_links_stay_while_there_is_room_and_while_something_goes_over_them() -> None:
    slow = SwarmScenario(2, 64 * MIB, HostRates(up=100_000), FAST, settings={"links": 4})
    swarm = SimulatedSwarm(slow)
    swarm.world.run(200.0, lambda: False)
    lost = [node for node in swarm.nodes.values() if len(node.neighbours.by_link) < 2]
    assert lost == []
