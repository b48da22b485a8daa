"""Links to other peers: what is remembered of those that are gone."""

from __future__ import annotations

import random

import pytest

from bus.boundary import DialFailed, LinkId, LinkUp
from bus.messages import Hello
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
