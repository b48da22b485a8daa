"""Connections that have a thread and no token: when they are cut off."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from gateway.strangers import GRACE, Strangers


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Ends:
    """Both ends of some connections."""

    def __init__(self, number: int) -> None:
        self.pairs = [socket.socketpair() for _ in range(number)]

    def cut(self) -> list[bool]:
        """Which of them have ended, as their other sides see it."""
        return [self._has_ended(other) for _, other in self.pairs]

    def _has_ended(self, other: socket.socket) -> bool:
        other.setblocking(False)
        try:
            return other.recv(1) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def strangers(clock: Clock) -> Strangers:
    return Strangers(clock)


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends(3)
    yield ends
    for pair in ends.pairs:
        for end in pair:
            end.close()


def test_who_stays_too_long_is_cut_off_and_nobody_else(strangers, clock, ends):
    for (ours, _), within in zip(ends.pairs, (5.0, 5.0, 10.0), strict=True):
        strangers.enter(ours, within)
    strangers.leave(ends.pairs[1][0])
    clock.now = 4.9
    strangers.cut_late()
    assert ends.cut() == [False, False, False]
    clock.now = 5.0
    strangers.cut_late()
    assert ends.cut() == [True, False, False]


def test_a_connection_that_enters_again_has_its_new_time(strangers, clock, ends):
    strangers.enter(ends.pairs[0][0], 30.0)
    strangers.enter(ends.pairs[0][0], 5.0)
    clock.now = 5.0
    strangers.cut_late()
    assert ends.cut() == [True, False, False]


def test_where_threads_are_short_the_oldest_gives_way_after_its_grace(strangers, clock, ends):
    for ours, _ in ends.pairs:
        strangers.enter(ours, 30.0)
        clock.now += GRACE / 10
    strangers.make_room()
    assert ends.cut() == [False, False, False]
    clock.now = GRACE + GRACE / 20
    for expected in ([True, False, False], [True, False, False]):
        strangers.make_room()
        assert ends.cut() == expected
    clock.now = 2 * GRACE
    strangers.make_room()
    assert ends.cut() == [True, True, False]


def test_a_connection_that_is_gone_already_is_no_failure(strangers, clock, ends):
    ends.pairs[0][0].close()
    strangers.enter(ends.pairs[0][0], 1.0)
    strangers.enter(None, 1.0)
    clock.now = 1.0
    strangers.cut_late()
    strangers.leave(ends.pairs[0][0])
    strangers.make_room()
