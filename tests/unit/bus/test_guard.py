"""The guard of a listener: for whom there is room, for how long, and when a suspect is ended."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from bus.guard import ENDLESS, MAX_UNPROVED, PATIENCE, PROOF_PATIENCE, Guard, Room, Standing
from bus.reactor import Reactor


class Clocked:
    """A guard whose clock a test turns; its connections have no descriptors."""

    def __init__(self, *, clear: bool = False, room: Room = Room()) -> None:  # noqa: B008
        self.time = 100.0
        self.reactor = Reactor(lambda: self.time)
        self.standing: dict[int, Standing] = {}
        self.ended: list[tuple[int, str]] = []
        self.all_is_read = True
        self.guard: Guard[Standing] = Guard(self.reactor, self.standing, 2**21, clear, room, self._read, self._end)

    def come(self, number: int, host: str = "10.0.0.1") -> str:
        connection = self.standing[number] = Standing(-1)
        connection.taken = number
        return self.guard.enter(connection, host)

    def go(self, number: int) -> None:
        self.guard.leave(self.standing.pop(number))

    def pass_(self, seconds: float) -> None:
        """Let time pass; a turn of the loop counts at most a second of it."""
        for _ in range(round(seconds * 4)):
            self.time += 0.25
            self.reactor.post(lambda: None)  # so that the turn does not wait
            self.reactor._turn()

    def _read(self) -> None:
        if self.all_is_read:
            self.guard.judge(None)

    def _end(self, connection: Standing, why: str) -> None:
        self.ended.append((connection.taken, why))


@pytest.fixture
def one() -> Iterator[Clocked]:
    clocked = Clocked()
    yield clocked
    clocked.guard.close()


@pytest.mark.parametrize(("clear", "patience"), [(True, PROOF_PATIENCE), (False, PATIENCE)])
def test_who_does_not_say_who_it_is_in_time_is_ended_once(clear: bool, patience: float):
    one = Clocked(clear=clear)
    one.come(1)
    one.come(2)
    one.guard.known(one.standing[2])
    one.pass_(3)
    one.come(3)
    one.come(4)
    one.go(4)
    one.pass_(patience - 3.5)
    assert one.ended == []
    one.pass_(1)
    assert [number for number, _ in one.ended] == [1]
    one.pass_(2 * patience)
    assert [number for number, _ in one.ended] == [1, 3]
    one.guard.close()


def test_in_clear_text_so_many_may_be_unproved_at_a_time():
    one = Clocked(clear=True, room=Room(10**6))
    assert not any(one.come(number) for number in range(MAX_UNPROVED))
    assert "256 others have not said who they are yet" in one.come(-1)
    one.go(-1)
    one.go(7)
    assert one.come(-2) == ""
    assert one.come(-3)
    one.guard.close()


@pytest.mark.parametrize(
    ("host", "same"), [("10.0.0.1", "10.0.0.1"), ("2001:db8::1", "2001:db8::2:3"), ("fe80::1%eth0", "fe80::2%eth1")]
)
def test_an_address_has_room_for_so_many_and_for_more_when_one_goes(host: str, same: str):
    one = Clocked(room=Room(2))
    assert [one.come(1, host), one.come(2, same)] == ["", ""]
    assert "2 connections of its address" in one.come(3, host)
    assert one.come(4, "10.0.0.2") == one.come(5, "2001:db8:1::1") == ""
    one.go(3)
    assert one.come(6, same)
    one.go(1)
    assert one.come(7, same) == ""
    one.guard.close()


def test_exempt_networks_and_hosts_that_are_not_known_count_for_none():
    one = Clocked(room=Room(1, ("127.0.0.0/8", "::1/128")))
    assert not any(
        one.come(number, host) for number, host in enumerate(["127.0.0.1", "127.9.9.9", "::1", "::1", "", ""])
    )
    one.guard.close()


def test_half_of_the_files_that_may_be_open_are_not_for_connections(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (10, 10))
    one = Clocked()
    assert [bool(one.come(number)) for number in range(7)] == [False] * 5 + [True] * 2
    one.guard.close()


def test_a_suspect_is_ended_only_after_so_many_messages_that_it_would_have_been_heard(one: Clocked):
    one.all_is_read = False
    for number in (1, 2, 3):
        one.come(number)
        one.guard.known(one.standing[number])
        one.standing[number].heard = number == 2
    one.guard.suspects = [one.standing[1], one.standing[2]]
    one.guard._unread = 2 * 3
    one.guard.judge(5)
    assert one.ended == []
    one.pass_(1)
    assert len(one.guard.suspects) == 2, "a look while others wait forgets nobody"
    one.guard.judge(1)
    assert one.ended == [(1, ENDLESS)]
    assert one.guard.suspects == []
