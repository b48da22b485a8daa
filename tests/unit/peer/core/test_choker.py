"""Who gets a slot and who gives one up."""

from __future__ import annotations

from bus.boundary import LinkId
from peer.core.choker import RoundRobinChoker, Slot, Waiting


def slot(link: int, granted_at: float, last_useful: float) -> Slot:
    return Slot(LinkId(link), 0.5, granted_at, last_useful)


def test_the_better_score_goes_first() -> None:
    waiting = [Waiting(LinkId(1), 0.5, 0.0), Waiting(LinkId(2), 0.9, 5.0)]
    assert RoundRobinChoker().next_in(waiting) == 2


def test_among_equals_the_longest_wait_goes_first() -> None:
    waiting = [Waiting(LinkId(1), 0.52, 5.0), Waiting(LinkId(2), 0.5, 0.0)]
    assert RoundRobinChoker().next_in(waiting) == 2


def test_an_idle_slot_is_given_up_first() -> None:
    slots = [slot(1, granted_at=0.0, last_useful=99.5), slot(2, granted_at=95.0, last_useful=97.0)]
    assert RoundRobinChoker().next_out(slots, now=100.0) == 2


def test_the_longest_turn_ends_when_nobody_idles() -> None:
    slots = [slot(1, granted_at=80.0, last_useful=100.0), slot(2, granted_at=70.0, last_useful=100.0)]
    assert RoundRobinChoker().next_out(slots, now=100.0) == 2


def test_nobody_is_choked_within_the_first_ten_seconds() -> None:
    assert RoundRobinChoker().next_out([slot(1, granted_at=91.0, last_useful=100.0)], now=100.0) is None
