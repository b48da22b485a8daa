from __future__ import annotations

from collections import Counter
from random import Random

import msgspec
import pytest

from tests.unit.tracker.world import World, entry, identity, register
from tracker.core.addresses import place_of, reach_of
from tracker.core.leases import Lease
from tracker.core.selection import pick


@pytest.mark.parametrize(
    ("size", "count", "picked"), [(0, 5, 0), (3, 5, 3), (5, 5, 5), (10, 5, 5), (11, 5, 5), (1000, 5, 5)]
)
def test_so_many_different_ones_are_picked(size: int, count: int, picked: int):
    chosen = pick(range(size), count, Random(1))
    assert len(chosen) == len(dict.fromkeys(chosen)) == picked


@pytest.mark.parametrize("size", [8, 40])
def test_everyone_is_picked_equally_often_and_in_any_order(size: int):
    rng = Random(3)
    rounds = 4000
    picks = [pick(range(size), 8, rng) for _ in range(rounds)]
    anywhere, first = Counter(one for chosen in picks for one in chosen), Counter(chosen[0] for chosen in picks)
    # Eight standard deviations of a fair draw: it fails by chance once in 10^15 times.
    for counted, share in ((anywhere, 8 / size), (first, 1 / size)):
        slack = 8 * (rounds * share * (1 - share)) ** 0.5
        assert all(abs(counted[one] - rounds * share) <= slack for one in range(size))


def test_two_askers_of_one_zone_are_told_different_addresses_when_one_shares_the_peers_router():
    world = World()
    world.say(world.up("a", "203.0.113.7"), register(entry("x"), addresses=("192.168.1.20",)))
    outside, inside = world.up("b", "198.51.100.9"), world.up("c", "203.0.113.7")
    for _ in range(2):
        assert [one.endpoints for one in world.swarm(outside, "x").peers] == [["tcp://203.0.113.7:4000"]]
        assert [one.endpoints for one in world.swarm(inside, "x").peers] == [
            ["tcp://203.0.113.7:4000", "tcp://192.168.1.20:4000"]
        ]


@pytest.mark.parametrize("encrypted", [True, False])
def test_a_listed_peer_takes_no_more_room_in_a_message_than_was_counted(encrypted: bool):
    reach = reach_of(4000, False, [f"host-{n}.example.org:1" for n in range(7)], [], encrypted)
    lease = Lease(identity("a"), place_of("203.0.113.7"), reach)
    for seed in (True, False):
        listed = lease.listed_for(place_of("198.51.100.9"), seed)
        assert len(msgspec.msgpack.encode(listed)) <= lease.size <= len(msgspec.msgpack.encode(listed)) + 40


def test_a_peer_that_moves_is_listed_where_it_is_now():
    world = World()
    asker, peer = world.up("b", "198.51.100.9"), world.join("a", entry("x"), address="203.0.113.7")
    assert [one.endpoints for one in world.swarm(asker, "x").peers] == [["tcp://203.0.113.7:4000"]]
    world.lose(peer)
    world.say(world.up("a", "203.0.113.8"), register(entry("x"), n=2, port=4001))
    assert [one.endpoints for one in world.swarm(asker, "x").peers] == [["tcp://203.0.113.8:4001"]]
