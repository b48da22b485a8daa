"""What the gateway notes of its peer by its own clocks."""

from __future__ import annotations

import inspect
import time

from bus import events
from bus.state import PublishedState
from gateway.live import Live, since_boot
from gateway.view.page import PageView, PeerFacts

HOUR = 3600.0


def view_of_a_peer() -> PageView:
    view = PageView("e1", PeerFacts("north", 1000, stale=False))
    published = PublishedState()
    started = events.PeerStarted("north", "a" * 64, "0.1.0", 1e9, "tcp://127.0.0.1:0", "/d")
    published.apply(started)
    view.touch(published, [started])
    view.settle()
    return view


def test_rates_from_before_the_machine_slept_are_not_those_of_now():
    now = 100_000.0
    live = Live(view_of_a_peer(), "", "", clock=lambda: now)
    live._sample_rates()
    now += 8 * HOUR
    live._sample_rates()
    up = live.rates("24h", "").up
    assert [point for point in up if point is not None] == [0.0, 0.0]
    assert up[-1] == 0.0
    assert up[-1 - int(8 * HOUR // 288)] == 0.0


def test_the_clock_of_the_rates_goes_on_while_the_machine_sleeps():
    assert inspect.signature(Live).parameters["clock"].default is since_boot
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= since_boot() <= time.clock_gettime(time.CLOCK_BOOTTIME)
