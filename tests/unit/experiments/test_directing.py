"""What a stage is told, and when."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count

from experiments.casting import players
from experiments.directing import AGAIN, Director
from experiments.scenario import scenario_of


class NotingStage:
    """Has time, and notes what it is told as (when, what, who)."""

    def __init__(self):
        self.now = 0.0
        self.told = []
        self.unreachable_until = 0.0
        self._agenda = []
        self._numbers = count()

    def pass_time(self, until):
        while self._agenda and self._agenda[0][0] <= until:
            self.now, _, call = heappop(self._agenda)
            call()
        self.now = until

    def later(self, seconds, call):
        heappush(self._agenda, (self.now + seconds, next(self._numbers), call))

    def enter(self, player):
        return self._note("enter", player)

    def leave(self, player, away):
        return self._note("leave", player)

    def kill(self, player, away):
        self._note("kill", player)

    def pause(self, player, lasts):
        self._note("pause", player)

    def order(self, player, order):
        self._note(order.do, player)

    def cap(self, player, rate):
        return self._note(f"cap {rate}", player)

    def ids_of(self, players):
        return ()

    def _note(self, what, player):
        self.told.append((self.now, what, player.name))
        return self.now >= self.unreachable_until


class Directed:
    """One seed and one leecher that is like `leecher`, directed up to a time."""

    def __init__(self, leecher=None, *failures):
        tree = {
            "content": {"size": "1 MiB"},
            "groups": {"seed": {"peers": 1, "complete": True}, "leecher": {"peers": 1, **(leecher or {})}},
            "failures": [{"group": "leecher", **failure} for failure in failures],
            "backend": "sim",
        }
        scenario = scenario_of(tree)
        self.stage = NotingStage()
        self.director = Director(scenario, players(scenario, 1), 1, self.stage)
        self.director.open()
        self.director.begin()

    def told(self, until):
        """(when, what) the leecher was told up to then."""
        self.stage.pass_time(until)
        return [(when, what) for when, what, name in self.stage.told if name == "leecher-1"]


LATE = {"arrival": {"at": "20 s"}}


def test_who_was_killed_for_good_before_it_arrives_is_not_told_to_begin():
    directed = Directed(LATE, {"at": "5 s", "do": "kill"})
    assert directed.told(100.0) == [(5.0, "kill")]
    assert directed.director.over


def test_who_returns_before_it_arrives_begins_at_its_time():
    assert Directed(LATE, {"at": "5 s", "do": "kill", "lasts": "5 s"}).told(100.0) == [(5.0, "kill"), (20.0, "enter")]


def test_who_is_away_when_it_is_to_arrive_begins_when_it_is_back():
    for do in ("kill", "pause"):
        assert Directed(LATE, {"at": "5 s", "do": do, "lasts": "30 s"}).told(100.0) == [(5.0, do), (35.0, "enter")]


def test_who_cannot_be_reached_is_told_again_until_it_hears_or_is_gone_for_good():
    directed = Directed(LATE)
    directed.stage.unreachable_until = 20.0 + 1.5 * AGAIN
    enters = [(20.0 + tries * AGAIN, "enter") for tries in range(3)]
    assert directed.told(100.0) == enters
    lost = Directed(LATE, {"at": "20200 ms", "do": "kill"})
    lost.stage.unreachable_until = 100.0
    assert lost.told(100.0) == [(20.0, "enter"), (20.2, "kill")]


def test_who_is_away_when_it_has_lingered_long_enough_leaves_when_it_is_back():
    directed = Directed({"leave": {"linger": "10 s"}}, {"at": "15 s", "do": "pause", "lasts": "20 s"})
    assert directed.told(8.0) == [(0.0, "enter")]
    directed.director.completed("leecher-1")
    assert directed.told(100.0)[1:] == [(15.0, "pause"), (35.0, "leave")]


def test_who_comes_and_goes_leaves_for_good_though_it_was_away_when_it_was_to():
    directed = Directed({"leave": {"linger": "10 s", "session": "5 s", "pause": "30 s"}})
    directed.told(1.0)
    directed.director.completed("leecher-1")
    told = directed.told(10_000.0)
    assert [what for _, what in told] == ["enter", "leave", "leave"]
    assert told[1][0] < 11.0 < told[2][0]  # away when it had lingered


def test_who_cannot_be_reached_when_it_is_to_leave_is_not_taken_for_gone():
    directed = Directed({"leave": {"linger": "10 s"}})
    directed.told(1.0)
    directed.stage.unreachable_until = 11.0 + 0.5 * AGAIN
    directed.director.completed("leecher-1")
    assert directed.told(100.0)[1:] == [(11.0, "leave"), (11.0 + AGAIN, "leave")]


def test_a_cap_that_ends_while_its_peer_is_away_ends_when_it_is_back():
    cap = {"at": "5 s", "do": "cap", "rate": "1 KiB/s", "lasts": "10 s"}
    for do in ("kill", "pause"):
        told = Directed({}, cap, {"at": "10 s", "do": do, "lasts": "30 s"}).told(100.0)
        assert told[1:] == [(5.0, "cap 1024"), (10.0, do), (40.0, "cap None")]
    assert Directed({}, cap, {"at": "10 s", "do": "kill"}).told(100.0)[1:] == [(5.0, "cap 1024"), (10.0, "kill")]
