"""Links to other peers: what is remembered of those that are gone."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from bus.boundary import Dial, DialFailed, HangUp, LinkId, LinkUp, Send
from bus.messages import Hello, Ping, Pong
from peer.core import neighbours
from peer.core.neighbours import Neighbours
from peer.core.settings import NodeSettings
from peer.core.turn import Turn

SETTINGS = NodeSettings("0" * 64, "north", "test", "/d", 1, True)


def peer(number: int) -> str:
    return f"{number:064x}"


def linked(book: Neighbours, number: int) -> None:
    book.up(LinkUp(LinkId(number), "data", peer(number), "10.0.0.1", False))
    book.greeted(book.by_link[LinkId(number)], Hello("test", "name"))


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> Neighbours:
    monkeypatch.setattr(neighbours, "REMEMBERED", 3)
    return Neighbours(SETTINGS, Turn(random.Random(1), 0.0, 0.0))


def test_the_traffic_of_peers_long_gone_is_forgotten_and_of_linked_ones_never(book: Neighbours) -> None:
    linked(book, 1)
    for number in range(2, 9):
        linked(book, number)
        book.lost(LinkId(number), "gone")
    assert list(book.traffic) == [peer(1), peer(7), peer(8)]


def test_a_peer_that_comes_back_finds_its_traffic_counted_on(book: Neighbours) -> None:
    linked(book, 1)
    book.traffic[peer(1)].up.add(5, 0.0)
    book.lost(LinkId(1), "gone")
    linked(book, 1)
    assert book.traffic[peer(1)].up.total == 5


def test_failed_dials_of_long_ago_are_forgotten(book: Neighbours) -> None:
    for number in range(1, 9):
        book.dial_failed(DialFailed("data", peer(number), "nobody is there"))
    assert [number for number in range(1, 9) if book.may_dial_at(peer(number))] == [6, 7, 8]


def test_whoever_is_barred_is_neither_dialled_nor_accepted_nor_kept_when_a_dial_was_under_way() -> None:
    barred: list[str] = []
    turn = Turn(random.Random(1), 0.0, 0.0)
    book = Neighbours(SETTINGS, turn, barred.__contains__)
    assert book.dial(peer(1), ("tcp://10.0.0.1:1",))
    barred.append(peer(1))
    book.up(LinkUp(LinkId(1), "data", peer(1), "10.0.0.1", True))
    book.up(LinkUp(LinkId(2), "data", peer(1), "10.0.0.1", False))
    assert not book.dial(peer(1), ("tcp://10.0.0.1:1",))
    assert turn.take_effects() == [Dial("data", peer(1), ("tcp://10.0.0.1:1",)), HangUp(LinkId(1)), HangUp(LinkId(2))]
    assert not book.connected(peer(1))
    linked(book, 2)
    assert book.connected(peer(2))


def pings(book: Neighbours, until: float) -> list[tuple[float, LinkId]]:
    """When which link is pinged, looked at every second."""
    turn = book._turn
    found: list[tuple[float, LinkId]] = []
    for second in range(1, int(until) + 1):
        turn.now = float(second)
        book.look()
        sent = [effect for effect in turn.take_effects() if isinstance(effect, Send)]
        found += [(turn.now, effect.link) for effect in sent if isinstance(effect.message, Ping)]
    return found


def test_only_a_silent_link_is_pinged_and_not_twice_in_the_time_of_one_ping(book: Neighbours) -> None:
    linked(book, 1)
    linked(book, 2)
    book.by_link[LinkId(2)].heard = 3.0
    assert pings(book, 8.0) == [(4.0, LinkId(1)), (7.0, LinkId(2))]


def test_a_link_that_stays_silent_is_given_up_and_one_that_does_not_greet_sooner(book: Neighbours) -> None:
    linked(book, 1)
    book.up(LinkUp(LinkId(2), "data", peer(2), "10.0.0.1", False))
    book._turn.now = 10.0
    assert book.look() == [(LinkId(2), "no hello within 10 s")]
    book.lost(LinkId(2), "")
    book._turn.now = 15.0
    assert book.look() == [(LinkId(1), "heard nothing for 15 s")]


def test_the_way_to_a_peer_is_measured_once(book: Neighbours) -> None:
    linked(book, 1)
    neighbour = book.by_link[LinkId(1)]
    assert not pings(book, 1.0)
    book.measure(neighbour)
    (ping,) = [effect.message for effect in book._turn.take_effects() if isinstance(effect, Send)]
    assert isinstance(ping, Ping)
    book._turn.now = 1.25
    book.ponged(neighbour, Pong(ping.nonce))
    assert neighbour.round_trip == 0.25
    book.measure(neighbour)
    assert not book._turn.take_effects()


def test_of_a_full_table_the_oldest_idle_links_make_room() -> None:
    turn = Turn(random.Random(1), 0.0, 0.0)
    book = Neighbours(replace(SETTINGS, links=10), turn)
    for number in range(1, 11):
        linked(book, number)
    turn.now = neighbours.YOUNG_SECONDS - 1
    assert book.crowding(lambda link: True) == []
    turn.now += 1
    assert book.crowding(lambda link: link != 1) == [LinkId(2)]
    assert book.crowding(lambda link: False) == []
    book.lost(LinkId(5), "gone")
    assert book.crowding(lambda link: True) == []
