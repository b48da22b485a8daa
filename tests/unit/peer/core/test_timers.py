"""The timer heap."""

from __future__ import annotations

from peer.core.timers import Timers


def test_the_earliest_deadline_comes_first() -> None:
    timers = Timers()
    timers.set(("late",), 5.0)
    timers.set(("soon",), 2.0)
    assert timers.next() == 2.0
    assert list(timers.pop_due(9.0)) == [("soon",), ("late",)]
    assert timers.next() is None


def test_setting_a_timer_again_moves_it() -> None:
    timers = Timers()
    timers.set(("ping", 1), 2.0)
    timers.set(("ping", 1), 7.0)
    assert list(timers.pop_due(6.9)) == []
    assert list(timers.pop_due(7.0)) == [("ping", 1)]


def test_set_earlier_never_delays() -> None:
    timers = Timers()
    timers.set(("x",), 2.0)
    timers.set_earlier(("x",), 5.0)
    assert timers.next() == 2.0
    timers.set_earlier(("x",), 1.0)
    assert timers.next() == 1.0


def test_a_cleared_timer_does_not_fire() -> None:
    timers = Timers()
    timers.set(("x",), 2.0)
    timers.clear(("x",))
    assert timers.next() is None


def test_a_timer_set_while_others_fire_waits_for_its_own_time() -> None:
    timers = Timers()
    timers.set(("x",), 1.0)
    fired = []
    for key in timers.pop_due(3.0):
        fired.append(key)
        timers.set(("x",), 4.0)
    assert fired == [("x",)]
    assert timers.next() == 4.0
