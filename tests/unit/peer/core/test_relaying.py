"""What a lone seed knows of who passes its chunks on, by example."""

from __future__ import annotations

from bus.boundary import LinkId
from peer.core.relaying import LEEWAY, MOST, Relays

A, B, C = LinkId(1), LinkId(2), LinkId(3)


def given(*masks: int, link: LinkId = A) -> Relays:
    relays = Relays()
    for mask in masks:
        give(relays, link, mask)
    return relays


def give(relays: Relays, link: LinkId, mask: int, late_at: float = 10.0) -> None:
    relays.sent(link, mask)
    relays.alone(link, mask, late_at)


def test_nobody_keeps_all_before_it_was_given_some_chunks_alone() -> None:
    assert not given(*[1 << chunk for chunk in range(MOST - 1)]).keeps_all(A)
    assert not Relays().keeps_all(B)


def test_who_passes_nothing_on_keeps_all() -> None:
    relays = given(*[1 << chunk for chunk in range(MOST)])
    assert relays.keeps_all(A)
    assert not relays.keeps_all(B)


def test_what_another_announces_was_passed_on() -> None:
    relays = given(0b01, 0b10)
    assert relays.heard(B, 0b01) == 0b01
    assert not relays.keeps_all(A)
    for chunk in range(2, 2 + MOST + LEEWAY - 1):
        assert not relays.keeps_all(A)
        give(relays, A, 1 << chunk)
    assert relays.keeps_all(A)


def test_its_own_word_says_nothing() -> None:
    relays = given(0b01, 0b10)
    assert relays.heard(A, 0b111) == 0b100
    assert relays.keeps_all(A)


def test_what_we_sent_to_another_was_not_passed_on() -> None:
    relays = given(0b01, 0b10)
    relays.sent(B, 0b11)
    assert relays.heard(B, 0b11) == 0
    assert relays.keeps_all(A)
    relays.heard(C, 0b11)
    assert relays.keeps_all(A)


def test_chunks_that_are_kept_are_lost_once_they_are_late() -> None:
    relays = given(0b01, 0b10)
    assert relays.late(9.9) == 0
    assert relays.late(10.0) == 0b11
    assert relays.late(10.0) == 0
    assert relays.keeps_all(A)


def test_who_passes_chunks_on_may_take_its_time_with_the_others() -> None:
    relays = given(0b01, 0b10)
    relays.heard(B, 0b10)
    assert relays.late(1e9) == 0


def test_what_somebody_alone_had_goes_with_it() -> None:
    relays = given(0b01, 0b10)
    relays.heard(B, 0b10)
    assert relays.gone(A) == 0b01
    assert relays.gone(A) == 0
    assert not relays.keeps_all(A)
