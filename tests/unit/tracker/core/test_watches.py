from __future__ import annotations

from random import Random

from bus.boundary import LinkBlocked, LinkWritable
from bus.errors import ERR_LIMIT, ERR_RATE
from bus.messages import SwarmChanged, TrackerFailed, Unwatch, Watch
from tests.unit.tracker.world import World, announce, entry, identity, limits, name_of, register, renew
from tracker.core.watches import Pace, Watched


def summary(push: SwarmChanged) -> tuple[int, int, list[str], list[str]]:
    return (
        push.seeds,
        push.leechers,
        sorted(name_of(one.peer) for one in push.joined),
        sorted(name_of(one) for one in push.left),
    )


def test_the_first_change_is_pushed_at_once():
    world = World()
    watcher = world.join("a", entry("x"), watch=True)
    world.join("b", entry("x", complete=False))
    assert [summary(one) for one in world.sent_of(watcher, SwarmChanged)] == [(1, 1, ["b"], [])]


def test_the_next_push_waits_5_s_and_tells_what_came_and_went_meanwhile():
    world = World()
    watcher = world.join("a", entry("x"), watch=True)
    world.join("b", entry("x"))
    world.pass_time(1.0)
    short = world.join("c", entry("x"))
    world.join("d", entry("x"))
    world.leave(short)
    assert world.sent_of(watcher, SwarmChanged) == []
    world.pass_time(3.9)
    assert world.sent_of(watcher, SwarmChanged) == []
    world.pass_time(0.1)
    assert [summary(one) for one in world.sent_of(watcher, SwarmChanged)] == [(3, 0, ["d"], ["c"])]


def test_after_5_quiet_seconds_a_change_is_pushed_at_once_again():
    world = World()
    watcher = world.join("a", entry("x"), watch=True)
    world.join("b", entry("x"))
    world.keep_alive(5, watcher)
    world.join("c", entry("x"))
    assert [summary(one) for one in world.sent_of(watcher, SwarmChanged)] == [(3, 0, ["c"], [])]


def test_a_watcher_is_never_pushed_twice_in_5_s_however_many_come():
    world = World()
    watcher = world.join("a", entry("x"), watch=True)
    times = []
    for n in range(40):
        world.join(f"p{n}", entry("x"), address=f"10.{n}.0.1")
        times += [world.now] * len(world.sent_of(watcher, SwarmChanged))
        for _ in range(5):
            world.pass_time(0.1)
            times += [world.now] * len(world.sent_of(watcher, SwarmChanged))
        world.say(watcher, renew())
    assert [round(time, 6) for time in times] == [1000, 1005, 1010, 1015, 1020]


def test_a_push_names_at_most_16_random_peers():
    world = World()
    watchers = [world.join(f"w{n}", entry("x"), watch=True, address=f"10.1.{n}.1") for n in range(2)]
    world.join("first", entry("x"))
    for n in range(30):
        world.join(f"p{n}", entry("x"), address=f"10.{n}.9.1")
    world.pass_time(5.0)
    named = [[one.peer for one in world.sent_of(watcher, SwarmChanged)[0].joined] for watcher in watchers]
    assert [len(one) for one in named] == [16, 16]
    assert named[0] != named[1]


def test_a_watcher_is_not_told_of_itself():
    world = World()
    watcher = world.join("a", entry("x", complete=False), watch=True)
    world.say(watcher, announce(entry("x"), n=2))
    assert world.sent_of(watcher, SwarmChanged) == []
    world.join("b", entry("x"))
    assert [summary(one) for one in world.sent_of(watcher, SwarmChanged)] == [(2, 0, ["b"], [])]


def test_a_leecher_that_completes_is_pushed_as_a_seed():
    world = World()
    watcher, leecher = world.join("a", entry("x"), watch=True), world.join("b", entry("x", complete=False))
    world.pass_time(5.0)
    world.say(leecher, announce(entry("x"), n=2))
    [push] = world.sent_of(watcher, SwarmChanged)
    assert (push.seeds, [one.complete for one in push.joined]) == (2, [True])


def test_the_end_of_a_lease_is_pushed():
    world = World()
    watcher, leecher = world.up("a"), world.join("b", entry("x"))
    world.say(watcher, Watch([identity("x")]))
    world.lose(leecher)
    world.keep_alive(89, watcher)
    world.keep_alive(1, watcher)
    assert [summary(one) for one in world.sent_of(watcher, SwarmChanged)] == [(0, 0, [], ["b"])]


def test_a_content_that_nobody_has_yet_can_be_watched():
    world = World()
    watcher = world.up("a")
    world.say(watcher, Watch([identity("x")]))
    world.join("b", entry("x"))
    assert [summary(one) for one in world.sent_of(watcher, SwarmChanged)] == [(1, 0, ["b"], [])]


def test_a_watched_content_that_never_changes_keeps_no_list_of_changes():
    watched = Watched()
    assert watched.since(0, 32, Random(1)) == []
    assert watched.changed is None


def test_unwatch_and_the_end_of_the_link_end_pushes():
    world = World()
    first, second = world.up("a"), world.up("b")
    for one in (first, second):
        world.say(one, Watch([identity("x"), identity("y")]))
    world.say(first, Unwatch([identity("x")]))
    world.lose(second)
    world.join("c", entry("x"), entry("y"))
    assert [push.content for push in world.sent_of(first, SwarmChanged)] == [identity("y")]
    assert world.sent(second) == []


def test_a_push_that_is_timed_is_not_sent_after_unwatch():
    world = World()
    watcher = world.join("a", entry("x"), watch=True)
    world.join("b", entry("x"))
    world.join("c", entry("x"))
    world.say(watcher, Unwatch([identity("x")]))
    world.pass_time(6.0)
    assert world.sent_of(watcher, SwarmChanged) == []


def test_a_blocked_link_is_pushed_nothing_until_it_takes_messages_again():
    world = World()
    watcher = world.join("a", entry("x"), watch=True)
    world.handle(LinkBlocked(watcher))
    world.join("b", entry("x"))
    assert world.sent_of(watcher, SwarmChanged) == []
    world.join("c", entry("x"))
    world.pass_time(4.0)
    world.handle(LinkWritable(watcher))
    world.pass_time(1.0)
    assert [summary(one) for one in world.sent_of(watcher, SwarmChanged)] == [(3, 0, ["b", "c"], [])]


def test_watching_twice_is_watching_once():
    world = World()
    watcher = world.up("a")
    world.say(watcher, Watch([identity("x"), identity("x")]), Watch([identity("x")]))
    world.join("b", entry("x"))
    assert len(world.sent_of(watcher, SwarmChanged)) == 1


def test_two_thousand_watches_one_by_one_are_all_taken_and_one_more_is_too_many():
    world = World()
    watcher = world.up("a")
    assert world.say(watcher, *[Watch([identity(f"c{n}")]) for n in range(2000)]) == []
    [answer] = world.say(watcher, Watch([identity("x")]))
    assert isinstance(answer, TrackerFailed)
    assert (answer.request, answer.code) == (0, ERR_RATE)


def test_a_link_watches_at_most_twice_what_a_peer_may_announce():
    world = World(contents_per_key=1)
    watcher = world.up("a")
    assert world.say(watcher, Watch([identity("x"), identity("y")])) == []
    [answer] = world.say(watcher, Watch([identity("z")]))
    assert isinstance(answer, TrackerFailed)
    assert answer.code == ERR_LIMIT
    assert world.say(watcher, Unwatch([identity("x")]), Watch([identity("z")])) == []


def test_a_second_seed_of_everything_does_not_overflow_a_watchers_link():
    world = World()
    contents = [entry(f"c{n}") for n in range(300)]
    watcher = world.join("a", *contents)
    world.say(watcher, Watch([one.id for one in contents]))
    world.join("b", *contents)
    at_once = len(world.sent_of(watcher, SwarmChanged))
    world.pass_time(1.0)
    in_the_next_second = len(world.sent_of(watcher, SwarmChanged))
    world.pass_time(9.0)
    assert (at_once, in_the_next_second) == (64, 200)
    assert at_once + in_the_next_second + len(world.sent_of(watcher, SwarmChanged)) == 300


def test_watching_and_unwatching_what_changes_piles_up_no_timers():
    world = World(contents_per_key=20, exempt_networks=("192.168.0.0/16",))
    contents = [f"c{n}" for n in range(20)]
    ids = [identity(one) for one in contents]
    seed, watcher = world.join("b", *map(entry, contents)), world.up("a")
    for n in range(2, 202):
        world.pass_time(0.005)
        world.say(watcher, Unwatch(ids), Watch(ids))
        world.say(seed, announce(*[entry(one, complete=n % 2 == 0) for one in contents], n=n))
    assert len(world.core._timers._heap) < 200
    world.say(watcher, Unwatch(ids))
    [answer] = world.say(watcher, Watch(ids))
    assert isinstance(answer, TrackerFailed)
    assert (answer.request, answer.code) == (0, ERR_RATE)
    world.pass_time(1.0)
    assert world.say(watcher, Watch(ids)) == []


def test_a_pace_gives_64_slots_at_once_and_then_one_every_5_ms():
    pace = Pace(limits())
    slots = [round(pace.reserve(10.0) - 10.0, 6) for _ in range(67)]
    assert slots == [0.0] * 64 + [0.005, 0.01, 0.015]
    assert pace.reserve(20.0) == 20.0


def test_registering_anew_while_watching_tells_the_others():
    world = World()
    watcher, peer = world.join("a", entry("x"), watch=True), world.join("b", entry("x"))
    world.pass_time(5.0)
    world.say(peer, register(n=2))
    assert [summary(one) for one in world.sent_of(watcher, SwarmChanged)] == [(1, 0, [], ["b"])]
