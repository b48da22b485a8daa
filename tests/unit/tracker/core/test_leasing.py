from __future__ import annotations

import pytest

from bus.boundary import LinkBlocked, LinkLost, Misbehaved, Received
from bus.errors import ERR_DUPLICATE_KEY, ERR_LIMIT, ERR_PATH, ERR_PROTOCOL, ERR_RATE, ERR_USAGE, LocalProtocolError
from bus.events import PeerExpired, PeerRegistered
from bus.messages import Leave, Message, Query, Registered, TrackerFailed, TrackerPing, TrackerPong
from tests.unit.tracker.world import World, announce, entry, identity, register, renew
from tracker.core.interface import OfferGone, OfferRecord, PeerGone, PeerRecord


def failure(messages: list[Message]) -> tuple[int, str]:
    """Request and code of the one failure that was answered."""
    [message] = messages
    assert isinstance(message, TrackerFailed), message
    return message.request, message.code


def test_a_register_of_one_page_is_answered_ok_with_the_lease():
    world = World()
    assert world.say(world.up("a"), register(entry("x"), request=5)) == [Registered(5, "ok", 90.0)]


def test_a_register_in_pages_is_answered_once_and_counts_from_the_last_page_on():
    world = World()
    asker, peer = world.up("b"), world.up("a")
    assert world.say(peer, register(entry("x"), page=0, last=False, request=5)) == []
    assert world.members(asker, "x") == []
    assert world.say(peer, register(entry("y"), page=1, last=True, request=6)) == [Registered(6, "ok", 90.0)]
    assert (world.members(asker, "x"), world.members(asker, "y")) == (["a"], ["a"])


def test_a_register_replaces_the_list():
    world = World()
    peer, asker = world.join("a", entry("x"), entry("y")), world.up("b")
    world.say(peer, register(entry("y"), entry("z"), n=2))
    assert [world.members(asker, one) for one in "xyz"] == [[], ["a"], ["a"]]


def test_a_register_whose_link_is_lost_before_the_last_page_changes_nothing():
    world = World()
    peer, asker = world.join("a", entry("x")), world.up("b")
    world.say(peer, register(entry("y"), page=0, last=False, n=2))
    world.lose(peer)
    again = world.up("a")
    assert failure(world.say(again, register(entry("z"), page=1, last=True, n=2))) == (1, ERR_PROTOCOL)
    assert [world.members(asker, one) for one in "xyz"] == [["a"], [], []]


def test_pages_out_of_order_or_of_another_version_are_refused_and_the_register_is_dropped():
    world = World()
    for wrong in (register(page=2, request=8), register(page=1, n=2, request=8), register(page=1, epoch=8, request=8)):
        peer = world.up("a")
        world.say(peer, register(entry("x"), page=0, last=False))
        assert failure(world.say(peer, wrong)) == (8, ERR_PROTOCOL)
        assert failure(world.say(peer, register(page=1, request=9))) == (9, ERR_PROTOCOL)
        world.lose(peer)


def test_a_page_without_contents_that_is_not_the_last_is_refused():
    world = World()
    peer = world.up("a")
    assert failure(world.say(peer, register(page=0, last=False))) == (1, ERR_PROTOCOL)


def test_page_0_begins_again():
    world = World()
    peer, asker = world.up("a"), world.up("b")
    world.say(peer, register(entry("x"), page=0, last=False))
    assert world.say(peer, register(entry("y"))) == [Registered(1, "ok", 90.0)]
    assert [world.members(asker, one) for one in "xy"] == [[], ["a"]]


def test_an_announce_that_follows_the_version_changes_the_list():
    world = World()
    peer, asker = world.join("a", entry("x"), entry("y")), world.up("b")
    assert world.say(peer, announce(entry("z"), removed=("x",), n=2)) == [Registered(2, "ok", 90.0)]
    assert [world.members(asker, one) for one in "xyz"] == [[], ["a"], ["a"]]


@pytest.mark.parametrize(("epoch", "n"), [(7, 1), (7, 3), (7, 0), (8, 2)])
def test_an_announce_that_does_not_follow_is_answered_resync_and_changes_nothing(epoch: int, n: int):
    world = World()
    peer, asker = world.join("a", entry("x")), world.up("b")
    assert world.say(peer, announce(entry("z"), removed=("x",), n=n, epoch=epoch)) == [Registered(2, "resync", 90.0)]
    assert [world.members(asker, one) for one in "xz"] == [["a"], []]


def test_an_announce_between_pages_is_refused_and_drops_them():
    world = World()
    peer, asker = world.join("a", entry("x")), world.up("b")
    world.say(peer, register(entry("y"), page=0, last=False, n=5))
    assert failure(world.say(peer, announce(entry("z"), n=2))) == (2, ERR_PROTOCOL)
    assert failure(world.say(peer, register(page=1, n=5))) == (1, ERR_PROTOCOL)
    assert world.members(asker, "x") == ["a"]


def test_a_content_that_is_both_removed_and_added_stays():
    world = World()
    peer, asker = world.join("a", entry("x", complete=False)), world.up("b")
    world.say(peer, announce(entry("x"), removed=("x", "x", "unknown"), n=2))
    swarm = world.swarm(asker, "x")
    assert (swarm.seeds, swarm.leechers) == (1, 0)


def test_renew_with_the_right_version_is_ok_and_with_any_other_resync():
    world = World()
    peer = world.join("a", entry("x"))
    assert world.say(peer, renew(1, request=4)) == [Registered(4, "ok", 90.0)]
    assert world.say(peer, renew(2)) == [Registered(3, "resync", 90.0)]
    assert world.say(peer, renew(1, epoch=8)) == [Registered(3, "resync", 90.0)]
    assert world.say(world.up("stranger"), renew(1)) == [Registered(3, "resync", 90.0)]


def test_renew_writes_and_publishes_nothing():
    world = World()
    peer = world.join("a", entry("x"))
    world.say(peer, renew(1))
    assert (world.saved(), world.published()) == ([], [])


def test_a_lease_ends_90_s_after_the_last_renewal_and_not_before():
    world = World()
    peer, asker = world.join("a", entry("x"), address="192.168.1.7"), world.up("b")
    world.keep_alive(60, peer, asker)
    world.keep_alive(89, asker)
    assert world.members(asker, "x") == ["a"]
    world.keep_alive(1, asker)
    assert PeerExpired(identity("a"), "silent for 90 s") in world.published()
    assert world.saved()[0] == PeerGone(identity("a"))
    assert world.members(asker, "x") == []


@pytest.mark.parametrize("message", [renew(1), announce(n=2), register(entry("x"), n=2)])
def test_what_is_answered_ok_extends_the_lease_by_90_s(message: Message):
    world = World()
    peer, asker = world.join("a", entry("x")), world.up("b")
    world.keep_alive(10, asker)
    world.say(peer, message)
    world.lose(peer)
    world.keep_alive(89, asker)
    assert world.members(asker, "x") == ["a"]
    world.keep_alive(1, asker)
    assert world.members(asker, "x") == []


def test_what_is_answered_resync_does_not_extend_the_lease():
    world = World()
    peer, asker = world.join("a", entry("x")), world.up("b")
    world.keep_alive(10, asker)
    world.say(peer, renew(5))
    world.lose(peer)
    world.keep_alive(80, asker)
    assert world.members(asker, "x") == []


def test_a_lease_survives_its_link():
    world = World()
    peer, asker = world.join("a", entry("x")), world.up("b")
    world.lose(peer)
    assert world.members(asker, "x") == ["a"]
    assert world.say(world.up("a"), renew(1)) == [Registered(3, "ok", 90.0)]


def test_leave_ends_the_lease_at_once_and_is_not_answered():
    world = World()
    peer, asker = world.join("a", entry("x")), world.up("b")
    assert world.say(peer, Leave()) == []
    assert PeerExpired(identity("a"), "left") in world.published()
    assert world.members(asker, "x") == []
    assert world.say(peer, renew(1)) == [Registered(3, "resync", 90.0)]


def test_leave_and_register_again_on_one_link_has_a_whole_lease():
    world = World()
    peer = world.join("a", entry("x"))
    world.keep_alive(60, peer)
    world.leave(peer)
    world.say(peer, register(entry("x"), epoch=9))
    world.lose(peer)
    asker = world.up("b")
    world.keep_alive(89, asker)
    assert world.members(asker, "x") == ["a"]


def test_every_change_is_saved():
    world = World()
    peer = world.up("a", "192.168.1.7")
    world.say(peer, register(entry("x"), advertise=("example.org:1",), addresses=("192.168.1.7",)))
    record = PeerRecord(identity("a"), "north", "192.168.1.7", 4000, False, ["example.org:1"], ["192.168.1.7"], 7, 1)
    assert world.saved()[:2] == [record, OfferRecord(identity("a"), identity("x"), "x", "file", 100, True)]
    world.say(peer, announce(removed=("x",), n=2))
    assert world.saved()[1] == OfferGone(identity("a"), identity("x"))
    world.leave(peer)
    assert world.saved() == [PeerGone(identity("a"))]


def test_a_peer_is_listed_with_its_setting_of_encryption_and_the_setting_is_saved():
    world = World()
    asker = world.up("b")
    world.say(world.up("a", "192.168.1.7"), register(entry("x"), encrypted=False))
    assert PeerRecord(identity("a"), "north", "192.168.1.7", 4000, False, [], [], 7, 1, False) in world.saved()
    assert [one.encrypted for one in world.swarm(asker, "x").peers] == [False]
    world.say(world.up("c"), register(entry("y", complete=False)))
    assert [one.encrypted for one in world.swarm(asker, "y").peers] == [True]


def test_registering_the_same_list_again_saves_only_the_version():
    world = World()
    peer = world.join("a", entry("x"), entry("y"))
    world.say(peer, register(entry("x"), entry("y"), n=2))
    assert [type(change) for change in world.saved()] == [PeerRecord]
    assert world.published() == []


def test_a_registered_peer_is_published_and_again_when_its_address_or_list_changes():
    world = World()
    peer = world.up("a", "192.168.1.7")
    world.say(peer, register(entry("x")))
    assert PeerRegistered(identity("a"), "north", "192.168.1.7", 1) in world.published()
    world.say(peer, announce(entry("y"), n=2))
    assert PeerRegistered(identity("a"), "north", "192.168.1.7", 2) in world.published()
    world.lose(peer)
    world.say(world.up("a", "192.168.1.8"), renew(2))
    assert world.published() == [PeerRegistered(identity("a"), "north", "192.168.1.8", 2)]
    assert world.saved() == [PeerRecord(identity("a"), "north", "192.168.1.8", 4000, False, [], [], 7, 2)]


# --- bad lists ------------------------------------------------------------------------------------


def test_one_unsafe_name_refuses_the_whole_register_and_names_the_entry():
    world = World()
    peer, asker = world.up("a"), world.up("b")
    [answer] = world.say(peer, register(entry("x"), entry("y", name="../y")))
    assert isinstance(answer, TrackerFailed)
    assert (answer.code, answer.message.startswith(f"content {identity('y')[:16]}: ")) == (ERR_PATH, True)
    assert world.members(asker, "x") == []


def test_what_is_wrong_with_an_early_page_is_answered_with_the_last():
    world = World()
    peer = world.up("a")
    assert world.say(peer, register(entry("y", name="a/b"), page=0, last=False, request=5)) == []
    assert world.say(peer, register(entry("x"), page=1, last=False, request=6)) == []
    assert failure(world.say(peer, register(entry("z"), page=2, last=True, request=7))) == (7, ERR_PATH)
    assert world.say(peer, register(entry("x"))) == [Registered(1, "ok", 90.0)]


def test_an_announce_with_an_unsafe_name_is_refused_and_the_version_stays():
    world = World()
    peer = world.join("a", entry("x"))
    assert failure(world.say(peer, announce(entry("y", name="\0"), n=2))) == (2, ERR_PATH)
    assert world.say(peer, announce(entry("y"), n=2)) == [Registered(2, "ok", 90.0)]


def test_a_leecher_may_have_no_name_for_a_content():
    world = World()
    assert world.say(world.up("a"), register(entry("x", name="", kind="", size=0, complete=False))) == [
        Registered(1, "ok", 90.0)
    ]


def test_an_unsafe_peer_name_is_refused():
    world = World()
    assert failure(world.say(world.up("a"), register(name="a/b"))) == (1, ERR_PATH)


@pytest.mark.parametrize(
    "fields", [{"advertise": ("nowhere",)}, {"advertise": ("0.0.0.0:1",)}, {"addresses": ("host.example",)}]
)
def test_an_address_that_is_none_is_refused(fields: dict[str, tuple[str, ...]]):
    world = World()
    assert failure(world.say(world.up("a"), register(**fields))) == (1, ERR_USAGE)  # type: ignore[arg-type]


def test_more_contents_than_a_peer_may_have_are_refused_with_the_limit():
    world = World(contents_per_key=2)
    peer = world.up("a")
    assert world.say(peer, register(entry("x"), page=0, last=False)) == []
    assert failure(world.say(peer, register(entry("y"), entry("z"), page=1))) == (1, ERR_LIMIT)
    assert world.say(peer, register(entry("x"), entry("y"))) == [Registered(1, "ok", 90.0)]
    assert failure(world.say(peer, announce(entry("z"), n=2))) == (2, ERR_LIMIT)
    assert world.say(peer, announce(entry("z"), removed=("x",), n=2)) == [Registered(2, "ok", 90.0)]


# --- addresses and rates --------------------------------------------------------------------------


def test_one_address_holds_at_most_so_many_keys():
    world = World(keys_per_address=2)
    first, _ = world.join("a", address="10.0.0.1"), world.join("b", address="10.0.0.1")
    [answer] = world.say(world.up("c", "10.0.0.1"), register())
    assert isinstance(answer, TrackerFailed)
    assert (answer.code, "10.0.0.1" in answer.message, "2" in answer.message) == (ERR_LIMIT, True, True)
    assert world.say(world.up("e", "10.0.0.2"), register()) == [Registered(1, "ok", 90.0)]
    world.leave(first)
    assert world.say(world.up("d", "10.0.0.1"), register()) == [Registered(1, "ok", 90.0)]


def test_a_whole_ipv6_host_counts_as_one_address():
    world = World(keys_per_address=1)
    world.join("a", address="2001:db8::1")
    assert failure(world.say(world.up("b", "2001:db8::2"), register())) == (1, ERR_LIMIT)
    assert world.say(world.up("c", "2001:db8:0:1::1"), register()) == [Registered(1, "ok", 90.0)]


def test_moving_to_a_full_address_is_refused_and_the_peer_stays_where_it_was():
    world = World(keys_per_address=1)
    peer, _ = world.join("a", entry("x"), address="10.0.0.1"), world.join("b", address="10.0.0.2")
    world.lose(peer)
    assert failure(world.say(world.up("a", "10.0.0.2"), renew(1))) == (3, ERR_LIMIT)
    assert [one.endpoints for one in world.swarm(world.up("z"), "x").peers] == [["tcp://10.0.0.1:4000"]]


def test_exempt_networks_skip_keys_per_address_and_rates():
    world = World(keys_per_address=1, exempt_networks=("127.0.0.0/8",))
    for number in range(60):
        peer = world.up(f"p{number}", "127.0.0.1")
        for _ in range(7):
            assert world.say(peer, register()) == [Registered(1, "ok", 90.0)]


def test_six_registers_in_one_moment_are_one_too_many_and_a_second_later_one_more_is_taken():
    world = World()
    peer = world.up("a")
    answers = [world.say(peer, register(n=n))[0] for n in range(1, 7)]
    assert [type(one) for one in answers] == [Registered] * 5 + [TrackerFailed]
    assert isinstance(answers[5], TrackerFailed)
    assert answers[5].code == ERR_RATE
    world.pass_time(1.0)
    assert world.say(peer, register(n=9)) == [Registered(1, "ok", 90.0)]


def test_a_register_counts_once_whatever_its_pages():
    world = World()
    peer = world.up("a")
    pages = [register(entry(f"c{page}"), page=page, last=page == 99) for page in range(100)]
    assert world.say(peer, *pages) == [Registered(1, "ok", 90.0)]


def test_a_network_registers_40_times_in_one_moment_and_no_more():
    world = World()
    answers = [world.say(world.up(f"p{n}", f"10.0.0.{n}"), register())[0] for n in range(41)]
    assert [type(one) for one in answers].count(Registered) == 40
    assert world.say(world.up("q", "10.0.1.1"), register()) == [Registered(1, "ok", 90.0)]


def test_a_new_link_brings_no_new_tokens():
    world = World()
    for _ in range(5):
        peer = world.up("a")
        world.say(peer, register())
        world.lose(peer)
    assert failure(world.say(world.up("a"), register())) == (1, ERR_RATE)


def test_the_41st_request_and_the_21st_lookup_in_one_moment_are_refused():
    world = World()
    peer = world.join("a", entry("x"))
    assert [type(one) for one in world.say(peer, *[renew(1)] * 41)] == [Registered] * 40 + [TrackerFailed]
    assert failure(world.say(peer, *[Query(5, identity("x"))] * 21)[20:]) == (5, ERR_RATE)


# --- life -----------------------------------------------------------------------------------------


def test_ping_is_answered_with_its_nonce():
    world = World()
    assert world.say(world.up("a"), TrackerPing(77)) == [TrackerPong(77)]


def test_a_link_is_pinged_after_5_s_of_sending_nothing():
    world = World()
    peer = world.join("a")
    world.pass_time(4.9)
    assert world.sent(peer) == []
    world.pass_time(0.1)
    assert [type(message) for message in world.sent(peer)] == [TrackerPing]


def test_a_blocked_link_is_not_pinged():
    world = World()
    peer = world.join("a")
    world.handle(LinkBlocked(peer))
    world.pass_time(14.9)
    assert world.sent(peer) == []


def test_15_s_without_hearing_hangs_up_and_the_lease_stays():
    world = World()
    peer, asker = world.join("a", entry("x")), world.up("b")
    world.keep_alive(14, asker)
    assert world.hung_up() == []
    world.keep_alive(1, asker)
    assert world.hung_up() == [peer]
    assert world.members(asker, "x") == ["a"]
    assert world.handle(Received(peer, renew(1))) == []  # what was still on its way


def test_a_pong_counts_as_life():
    world = World()
    peer = world.join("a")
    for _ in range(10):
        world.pass_time(5.0)
        [ping] = world.sent_of(peer, TrackerPing)
        world.say(peer, TrackerPong(ping.nonce))
    assert world.hung_up() == []


def test_the_third_broken_message_hangs_up():
    world = World()
    peer = world.up("a")
    world.handle(Misbehaved(peer, "no map"))
    world.say(peer, register(page=3))
    assert world.hung_up() == []
    world.handle(Misbehaved(peer, "no map"))
    assert world.hung_up() == [peer]


def test_what_a_tracker_cannot_be_told_is_a_bug_of_ours():
    world = World()
    with pytest.raises(LocalProtocolError):
        world.handle(Received(world.up("a"), Registered(1, "ok", 1.0)))


# --- one key twice --------------------------------------------------------------------------------


def test_a_newer_link_takes_the_route_when_the_older_is_silent_for_5_s():
    world = World()
    old = world.join("a", entry("x"), address="10.0.0.1")
    new, asker = world.up("a", "10.0.0.2"), world.up("b")
    assert world.say(new, register(entry("y"), n=2, request=8)) == []
    assert world.keep_alive(4, asker)
    assert world.sent(new) == []
    world.pass_time(1.0)
    assert world.hung_up() == [old]
    assert world.sent_of(new, Registered) == [Registered(8, "ok", 90.0)]
    assert (world.members(asker, "x"), world.members(asker, "y")) == ([], ["a"])


def test_the_older_link_is_asked_once_and_its_answer_refuses_the_newcomer():
    world = World()
    old = world.join("a", entry("x"))
    new = world.up("a")
    world.say(new, register(entry("y"), n=2, request=8), renew(1, request=9))
    [ping] = world.sent_of(old, TrackerPing)
    world.say(old, TrackerPong(ping.nonce))
    assert [(one.request, one.code) for one in world.sent_of(new, TrackerFailed)] == [
        (8, ERR_DUPLICATE_KEY),
        (9, ERR_DUPLICATE_KEY),
    ]
    world.pass_time(6.0)
    assert world.hung_up() == []
    assert world.say(old, renew(1)) == [Registered(3, "ok", 90.0)]


def test_another_nonce_is_no_answer():
    world = World()
    old = world.join("a", entry("x"))
    new = world.up("a")
    world.say(new, renew(1))
    world.say(old, TrackerPong(1), TrackerPing(2))
    assert world.sent(new) == []


def test_a_newcomer_is_let_in_at_once_when_the_older_link_is_lost():
    world = World()
    old = world.join("a", entry("x"))
    new = world.up("a")
    world.say(new, renew(1, request=8))
    world.handle(LinkLost(old, "gone"))
    assert world.sent(new) == [Registered(8, "ok", 90.0)]


def test_a_newcomer_may_ask_while_it_waits():
    world = World()
    world.join("a", entry("x"))
    new = world.up("a")
    world.say(new, renew(1))
    assert world.swarm(new, "x").seeds == 1


def test_the_newest_of_two_newcomers_is_let_in_and_the_question_is_not_put_off():
    world = World()
    world.join("a", entry("x"))
    first = world.up("a")
    world.say(first, renew(1, request=8))
    world.pass_time(3.0)
    second = world.up("a")
    world.say(second, renew(1, request=9))
    assert [(one.request, one.code) for one in world.sent_of(first, TrackerFailed)] == [(8, ERR_DUPLICATE_KEY)]
    world.pass_time(2.0)
    assert world.sent_of(second, Registered) == [Registered(9, "ok", 90.0)]


def test_a_newcomer_that_goes_away_leaves_the_route_alone():
    world = World()
    old = world.join("a", entry("x"))
    new = world.up("a")
    world.say(new, renew(1))
    world.lose(new)
    world.pass_time(6.0)
    assert world.hung_up() == []
    assert world.say(old, renew(1)) == [Registered(3, "ok", 90.0)]


def test_a_newcomer_with_nine_requests_is_told_to_wait():
    world = World()
    world.join("a", entry("x"))
    assert failure(world.say(world.up("a"), *[renew(1, request=n) for n in range(9)])) == (8, ERR_RATE)


def test_a_copy_that_leaves_does_not_take_the_lease_with_it():
    world = World()
    old, asker = world.join("a", entry("x")), world.up("b")
    copy = world.up("a")
    world.say(copy, Leave())
    [ping] = world.sent_of(old, TrackerPing)
    world.say(old, TrackerPong(ping.nonce))
    assert world.members(asker, "x") == ["a"]
