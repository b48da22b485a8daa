"""Who gets a slot and who gives one up."""

from __future__ import annotations

import random

import pytest

from bus.boundary import LinkId
from peer.core.choker import ByReputation, FirstCome, Reciprocity, RoundRobin, Slot, Standing, UploadChoker, Waiting
from peer.core.footing import Footing

RNG = random.Random(1)


def slot(link: int, granted_at: float, last_useful: float, score: float = 0.5, optimistic: bool = False) -> Slot:
    return Slot(LinkId(link), Standing(score, 0.0), granted_at, last_useful, optimistic)


def waiting(link: int, since: float, score: float = 0.5, gives: float = 0.0) -> Waiting:
    return Waiting(LinkId(link), Standing(score, gives), since)


def test_the_better_score_goes_first() -> None:
    assert ByReputation().next_in([waiting(1, 0.0, 0.5), waiting(2, 5.0, 0.9)], False, RNG) == 2


def test_a_free_rider_comes_last_whatever_its_score_and_however_long_it_waits() -> None:
    rider = Waiting(LinkId(1), Standing(0.55, 0.0, Footing.FREE_RIDER), 0.0)
    assert ByReputation().next_in([rider, waiting(2, 5.0, 0.3)], False, RNG) == 2
    held = Slot(LinkId(1), rider.peer, 0.0, 12.0, False)
    assert ByReputation().next_out([held, slot(3, 0.0, 12.0)], [waiting(2, 5.0)], 12.0) == 1


def test_of_equal_scores_who_gave_something_goes_first_and_a_better_score_before_it() -> None:
    giver = Waiting(LinkId(1), Standing(0.5, 0.0, Footing.KNOWN), 5.0)
    assert ByReputation().next_in([waiting(2, 0.0, 0.54), giver], False, RNG) == 1
    assert ByReputation().next_in([waiting(2, 0.0, 0.6), giver], False, RNG) == 2
    held = [slot(3, granted_at=0.0, last_useful=12.0)]
    assert ByReputation().next_out(held, [giver], now=9.0) is None
    assert ByReputation().next_out(held, [giver], now=12.0) == 3


def test_among_equals_the_longest_wait_goes_first() -> None:
    assert ByReputation().next_in([waiting(1, 5.0, 0.52), waiting(2, 0.0, 0.5)], False, RNG) == 2


def test_by_reciprocity_who_sends_us_most_goes_first() -> None:
    assert Reciprocity().next_in([waiting(1, 0.0, gives=1e5), waiting(2, 5.0, gives=1e6)], False, RNG) == 2


def test_in_turn_neither_score_nor_gifts_count() -> None:
    assert RoundRobin().next_in([waiting(1, 5.0, 0.9, 1e6), waiting(2, 0.0, 0.3)], False, RNG) == 2


def test_the_optimistic_slot_goes_to_anybody() -> None:
    asked = [waiting(link, 0.0, score) for link, score in enumerate((0.9, 0.5, 0.3))]
    assert {ByReputation().next_in(asked, True, RNG) for _ in range(100)} == {0, 1, 2}


def test_the_optimistic_slot_goes_to_a_newcomer_if_one_waits() -> None:
    known = [Waiting(LinkId(link), Standing(0.9, 0.0, Footing.KNOWN), 0.0) for link in (1, 2)]
    rider = Waiting(LinkId(3), Standing(0.5, 0.0, Footing.FREE_RIDER), 0.0)
    asked = [*known, rider, waiting(4, 9.0), waiting(5, 9.0)]
    assert {ByReputation().next_in(asked, True, RNG) for _ in range(100)} == {4, 5}
    assert {ByReputation().next_in(asked[:3], True, RNG) for _ in range(100)} == {1, 2, 3}


def test_who_is_no_newcomer_any_more_leaves_the_optimistic_slot_after_a_usual_turn() -> None:
    asked = [waiting(2, 0.0)]
    for footing, seconds in ((Footing.KNOWN, 10.0), (Footing.NEWCOMER, 30.0), (Footing.FREE_RIDER, 10.0)):
        held = [Slot(LinkId(1), Standing(0.5, 0.0, footing), 0.0, 99.0, optimistic=True)]
        assert ByReputation().next_out(held, asked, now=seconds - 0.1) is None
        assert ByReputation().next_out(held, asked, now=seconds) == 1


@pytest.mark.parametrize("choker", [ByReputation(), Reciprocity(), RoundRobin()])
def test_an_idle_slot_is_given_up_first(choker: UploadChoker) -> None:
    slots = [slot(1, granted_at=0.0, last_useful=99.5), slot(2, granted_at=95.0, last_useful=97.0)]
    assert choker.next_out(slots, [waiting(3, 0.0, 0.2)], now=100.0) == 2


def test_without_choking_who_asked_first_keeps_its_slot() -> None:
    asked = [waiting(link, 5.0 - link, score) for link, score in enumerate((0.9, 0.5, 0.1))]
    assert {FirstCome().next_in(asked, optimistic, RNG) for optimistic in (True, False) for _ in range(20)} == {2}
    slots = [slot(1, granted_at=0.0, last_useful=0.0, score=0.1, optimistic=True)]
    assert FirstCome().next_out(slots, asked, now=1000.0) is None


def test_the_longest_turn_ends_when_nobody_idles() -> None:
    slots = [slot(1, granted_at=80.0, last_useful=100.0), slot(2, granted_at=70.0, last_useful=100.0)]
    assert ByReputation().next_out(slots, [waiting(3, 0.0)], now=100.0) == 2


def test_the_worst_score_gives_up_its_slot_before_a_longer_turn() -> None:
    slots = [slot(1, 80.0, 100.0, score=0.4), slot(2, 70.0, 100.0, score=0.9)]
    assert ByReputation().next_out(slots, [waiting(3, 0.0)], now=100.0) == 1


def test_who_ranks_lower_waits_for_the_optimistic_slot() -> None:
    better = [slot(1, 0.0, 105.0, score=0.9), slot(2, 75.0, 105.0, score=0.9, optimistic=True)]
    asked = [waiting(3, 0.0, 0.5)]
    assert ByReputation().next_out(better, asked, now=100.0) is None
    assert ByReputation().next_out(better, asked, now=105.0) == 2


def test_a_short_turn_lasts() -> None:
    assert ByReputation().next_out([slot(1, 95.0, 100.0)], [waiting(2, 0.0)], now=100.0) is None
