from __future__ import annotations

from bus.codec import encode
from bus.events import ContentAnnounced, ContentForgotten
from bus.messages import Query, Swarm
from tests.unit.tracker.world import World, announce, entry, identity, register
from tracker.core.interface import ContentGone, ContentRecord


def test_an_unknown_content_has_an_empty_swarm():
    world = World()
    assert world.swarm(world.up("a"), "x") == Swarm(9, identity("x"), "", "", 0, 0, 0, [])


def test_a_swarm_counts_seeds_and_leechers_the_asker_too_and_names_everybody_else():
    world = World()
    asker = world.join("a", entry("x", complete=False))
    world.join("b", entry("x"))
    world.join("c", entry("x", complete=False))
    swarm = world.swarm(asker, "x")
    assert (swarm.seeds, swarm.leechers) == (1, 2)
    assert sorted((one.peer, one.complete) for one in swarm.peers) == [(identity("b"), True), (identity("c"), False)]


def test_a_leecher_that_completes_is_a_seed():
    world = World()
    peer = world.join("a", entry("x", complete=False))
    world.say(peer, announce(entry("x", complete=True), n=2))
    swarm = world.swarm(world.up("b"), "x")
    assert (swarm.seeds, swarm.leechers, [one.complete for one in swarm.peers]) == (1, 0, [True])


def test_the_name_most_members_give_is_the_name():
    world = World()
    world.join("a", entry("x", name="wrong"))
    world.join("b", entry("x", name="right"))
    third = world.join("c", entry("x", name="right"))
    asker = world.up("z")
    assert world.swarm(asker, "x").name == "right"
    world.leave(third)
    assert world.swarm(asker, "x").name == "right"  # a tie: the one that led stays


def test_in_a_tie_the_name_that_led_before_stays_also_when_its_member_completes():
    world = World()
    first = world.join("a", entry("x", name="first", complete=False))
    world.join("b", entry("x", name="second"))
    world.say(first, announce(entry("x", name="first", complete=True), n=2))
    assert world.swarm(world.up("z"), "x").name == "first"


def test_the_name_falls_to_what_is_left():
    world = World()
    first = world.join("a", entry("x", name="first"))
    second = world.join("b", entry("x", name="second"))
    asker = world.up("z")
    world.leave(first)
    assert world.swarm(asker, "x").name == "second"
    world.say(second, register(entry("x", name="", complete=False), n=2))
    assert world.swarm(asker, "x").name == ""


def test_kind_and_size_come_from_the_first_complete_announcer():
    world = World()
    world.join("a", entry("x", kind="", size=0, complete=False))
    asker = world.up("z")
    assert (world.swarm(asker, "x").kind, world.swarm(asker, "x").size) == ("", 0)
    world.join("b", entry("x", kind="tree", size=1, complete=False))
    assert (world.swarm(asker, "x").kind, world.swarm(asker, "x").size) == ("tree", 1)
    world.join("c", entry("x", kind="file", size=100))
    world.join("d", entry("x", kind="file", size=999))
    assert (world.swarm(asker, "x").kind, world.swarm(asker, "x").size) == ("file", 100)


def test_a_content_is_announced_with_every_change_and_forgotten_with_its_last_member():
    world = World()
    peer = world.join("a", entry("x", size=5))
    assert ContentAnnounced(identity("x"), "x", "file", 5, 1, 0) in world.published()
    world.join("b", entry("x", complete=False, size=5))
    assert ContentAnnounced(identity("x"), "x", "file", 5, 1, 1) in world.published()
    world.leave(peer)
    assert ContentAnnounced(identity("x"), "x", "file", 5, 0, 1) in world.published()
    world.pass_time(90)
    assert ContentForgotten(identity("x")) in world.published()
    assert ContentGone(identity("x")) in world.saved()


def test_what_searches_look_at_is_saved_when_it_changes_only():
    world = World()
    world.join("a", entry("x"))
    assert ContentRecord(identity("x"), "x", "file", 100) in world.saved()
    world.join("b", entry("x"))
    assert [change for change in world.saved() if isinstance(change, ContentRecord)] == []


def test_an_answer_names_at_most_50_peers_and_another_50_next_time():
    world = World()
    for n in range(300):
        world.join(f"p{n}", entry("x"), address=f"10.{n}.0.1")
    asker = world.up("z")
    first, second = (frozenset(world.members(asker, "x")) for _ in range(2))
    assert (len(first), len(second), first != second) == (50, 50, True)


def test_every_member_of_a_large_swarm_is_named_sooner_or_later():
    world = World(lookup_burst=1000)
    for n in range(150):
        world.join(f"p{n}", entry("x"), address=f"10.{n}.0.1")
    asker = world.up("z")
    named: dict[str, None] = {}
    for _ in range(30):
        named |= dict.fromkeys(world.members(asker, "x"))
    assert len(named) == 150


def test_an_answer_fits_16_kib_however_long_the_addresses_are():
    world = World()
    for n in range(60):
        peer = world.up(f"p{n}", f"10.{n}.0.1")
        advertise = tuple(f"{'h' * 60}{k}.example.org:{k}" for k in range(1, 25))
        world.say(peer, register(entry("x", name="\N{FISH}" * 60), advertise=advertise))
    swarm = world.swarm(world.up("z"), "x")
    size = sum(len(frame) for frame in encode(swarm))
    assert (len(swarm.peers) >= 15, size <= 16 * 1024) == (True, True)


def test_peers_that_the_asker_cannot_dial_are_counted_and_not_named():
    world = World()
    asker = world.up("z", "192.168.1.9")
    world.say(world.up("a", "127.0.0.1"), register(entry("x"), loopback=True))
    swarm = world.swarm(asker, "x")
    assert (swarm.seeds, swarm.peers) == (1, [])


def test_a_query_changes_nothing():
    world = World()
    peer = world.join("a", entry("x"))
    world.say(peer, Query(1, identity("x")))
    assert (world.saved(), world.published()) == ([], [])
