"""What a lone seed knows of who passes its chunks on, by example."""

from __future__ import annotations

from bus.boundary import LinkId
from peer.core.relaying import GIFTS, Relays

A, B, C = LinkId(1), LinkId(2), LinkId(3)
LATE = 10.0


def given(*masks: int) -> Relays:
    """A was given these chunks, each time others, and should have passed on some at `LATE`."""
    relays = Relays()
    for mask in masks:
        relays.sent(A, mask)
        relays.gave(A, mask, LATE)
    return relays


def test_nobody_keeps_all_before_it_was_given_something_twice() -> None:
    assert not given(*[1 << chunk for chunk in range(GIFTS - 1)]).keeps_all(A, 1e9)
    assert not Relays().keeps_all(A, 1e9)


def test_who_passes_nothing_on_in_time_keeps_all() -> None:
    relays = given(0b01, 0b10)
    assert not relays.keeps_all(A, LATE - 0.1)
    assert relays.keeps_all(A, LATE)
    assert not relays.keeps_all(B, LATE)


def test_what_another_announces_was_passed_on_and_ends_that() -> None:
    relays = given(0b01, 0b10)
    assert relays.keeps_all(A, LATE)
    assert relays.heard(B, 0b01) == 0b01
    assert not relays.keeps_all(A, 1e9)


def test_its_own_word_says_nothing() -> None:
    relays = given(0b01, 0b10)
    assert relays.heard(A, 0b111) == 0b100
    assert relays.keeps_all(A, LATE)


def test_what_we_sent_to_another_was_not_passed_on() -> None:
    relays = given(0b01, 0b10)
    relays.sent(B, 0b11)
    assert relays.heard(B, 0b11) == 0
    relays.heard(C, 0b11)
    assert relays.keeps_all(A, LATE)


def test_chunks_that_are_kept_are_lost_once() -> None:
    relays = given(0b01, 0b10)
    assert relays.lost(LATE - 0.1) == 0
    assert relays.lost(LATE) == 0b11
    assert relays.lost(LATE) == 0


def test_who_passes_chunks_on_may_take_its_time_with_the_others() -> None:
    relays = given(0b01, 0b10)
    relays.heard(B, 0b10)
    assert relays.lost(1e9) == 0


def test_what_somebody_alone_had_goes_with_it() -> None:
    relays = given(0b01, 0b10)
    relays.heard(B, 0b10)
    assert relays.gone(A) == 0b01
    assert relays.gone(A) == 0
