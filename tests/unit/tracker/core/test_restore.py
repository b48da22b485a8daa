"""What a core takes over from before a restart."""

from __future__ import annotations

from msgspec.structs import replace

from bus.events import ContentAnnounced, PeerExpired, PeerRegistered
from bus.messages import Registered
from tests.unit.tracker.world import World, entry, identity, register, renew
from tracker.core.interface import (
    Change,
    ContentGone,
    ContentRecord,
    OfferGone,
    OfferRecord,
    PeerGone,
    PeerRecord,
    SavedState,
)


def saved_by(changes: list[Change]) -> SavedState:
    """What a store would hold after these changes: the naive store."""
    peers: dict[str, PeerRecord] = {}
    offers: dict[tuple[str, str], OfferRecord] = {}
    contents: dict[str, ContentRecord] = {}
    for change in changes:
        if isinstance(change, PeerRecord):
            peers[change.peer] = change
        elif isinstance(change, OfferRecord):
            offers[change.peer, change.content] = change
        elif isinstance(change, ContentRecord):
            contents[change.id] = change
        elif isinstance(change, OfferGone):
            del offers[change.peer, change.content]
        elif isinstance(change, ContentGone):
            del contents[change.id]
        else:
            del peers[change.peer]
            offers = {key: offer for key, offer in offers.items() if key[0] != change.peer}
    return SavedState(tuple(peers.values()), tuple(offers.values()), tuple(contents.values()))


def restarted(state: SavedState, **changes: object) -> World:
    world = World(seed=2, **changes)
    world.effects = world.core.restore(state, world.now)
    world.core.check_invariants()
    return world


A_PEER = PeerRecord(identity("a"), "north", "192.168.1.7", 4000, False, [], [], 7, 3)
ITS_OFFER = OfferRecord(identity("a"), identity("x"), "book", "file", 10, True)
THE_CONTENT = ContentRecord(identity("x"), "book", "file", 10)
STATE = SavedState((A_PEER,), (ITS_OFFER,), (THE_CONTENT,))


def test_swarms_names_and_addresses_are_back():
    world = restarted(STATE)
    swarm = world.swarm(world.up("z"), "x")
    assert (swarm.name, swarm.kind, swarm.size, swarm.seeds) == ("book", "file", 10, 1)
    assert [(one.peer, one.endpoints) for one in swarm.peers] == [(identity("a"), ["tcp://192.168.1.7:4000"])]


def test_a_peer_in_clear_text_is_back_as_one():
    state = SavedState((replace(A_PEER, encrypted=False),), (ITS_OFFER,), (THE_CONTENT,))
    world = restarted(state)
    assert [one.encrypted for one in world.swarm(world.up("z"), "x").peers] == [False]


def test_what_is_back_is_published_and_not_saved_again():
    world = restarted(STATE)
    assert world.published() == [
        PeerRegistered(identity("a"), "north", "192.168.1.7", 1),
        ContentAnnounced(identity("x"), "book", "file", 10, 1, 0),
    ]
    assert world.saved() == []


def test_a_renewal_with_the_version_of_before_is_ok():
    world = restarted(STATE)
    assert world.say(world.up("a"), renew(3)) == [Registered(3, "ok", 90.0)]


def test_every_lease_begins_anew_and_ends_after_90_s():
    world = restarted(STATE)
    world.pass_time(89.9)
    assert world.published() == []
    world.pass_time(0.1)
    assert PeerExpired(identity("a"), "silent for 90 s") in world.published()


def test_a_content_that_nobody_has_any_more_is_dropped_from_the_store():
    world = restarted(SavedState((A_PEER,), (), (THE_CONTENT,)))
    assert world.saved() == [ContentGone(identity("x"))]


def test_an_offer_of_nobody_is_ignored():
    world = restarted(SavedState((), (ITS_OFFER,), ()))
    assert world.swarm(world.up("z"), "x").seeds == 0


def test_the_wording_of_before_stays_where_the_members_still_agree():
    offers = tuple(OfferRecord(identity(peer), identity("x"), peer, "file", 1, False) for peer in "ab")
    other = PeerRecord(identity("b"), "south", "192.168.1.8", 4000, False, [], [], 7, 1)
    world = restarted(SavedState((A_PEER, other), offers, (ContentRecord(identity("x"), "b", "file", 99),)))
    swarm = world.swarm(world.up("z"), "x")
    assert (swarm.name, swarm.size) == ("b", 99)


def test_a_wording_that_nobody_uses_is_replaced_and_saved():
    world = restarted(SavedState((A_PEER,), (ITS_OFFER,), (ContentRecord(identity("x"), "junk", "file", 10),)))
    assert world.swarm(world.up("z"), "x").name == "book"


def test_a_damaged_registration_is_dropped_and_the_rest_kept():
    damaged = PeerRecord(identity("b"), "", "192.168.1.8", 4000, False, ["nowhere"], [], 7, 1)
    world = restarted(SavedState((damaged, A_PEER), (ITS_OFFER,), (THE_CONTENT,)))
    assert world.saved() == [PeerGone(identity("b"))]
    assert world.members(world.up("z"), "x") == ["a"]


def test_a_lower_limit_of_keys_holds_after_a_restart_too():
    second = PeerRecord(identity("b"), "", "192.168.1.7", 4001, False, [], [], 7, 1)
    world = restarted(SavedState((A_PEER, second), (), ()), keys_per_address=1)
    assert world.saved() == [PeerGone(identity("b"))]


def test_a_core_given_what_another_saved_answers_as_that_one():
    before = World()
    changes: list[Change] = []
    for n in range(20):
        link = before.up(f"p{n}", f"10.{n}.0.1")
        before.say(link, register(*[entry(f"c{k}", name=f"n{(k + n) % 3}", complete=k % 2 == 0) for k in range(n)]))
        changes += before.saved()
        if n % 4 == 0:
            before.leave(link)
            changes += before.saved()
    after = restarted(saved_by(changes))
    old, new = before.up("z"), after.up("z")
    for k in range(20):
        assert before.members(old, f"c{k}") == after.members(new, f"c{k}")
        one, other = before.swarm(old, f"c{k}"), after.swarm(new, f"c{k}")
        assert (one.name, one.kind, one.size, one.seeds) == (other.name, other.kind, other.size, other.seeds)
        before.pass_time(1.0)
        after.pass_time(1.0)
        before.say(old, renew())
        after.say(new, renew())
