"""What a lone seed offers to whom, by example."""

from __future__ import annotations

import random

from bus.boundary import LinkId
from peer.core.layout import Entry, Layout
from peer.core.superseeding import OFFER_LEAST, OFFER_PATIENCE, SuperSeed

A, B, C = LinkId(1), LinkId(2), LinkId(3)
CHUNK = 128 * 1024
FILE = Layout("file", [Entry("", 8 * CHUNK, False, "f" * 64)])
SMALL_FILES = Layout("tree", [Entry(f"{n:03}", 4096, False, f"{n:064x}") for n in range(100)])


def seed_of(layout: Layout = FILE, **kept: int) -> SuperSeed:
    seed = SuperSeed(layout)
    seed.begin({LinkId(int(link[1:])): mask for link, mask in kept.items()}, 0.0)
    return seed


def offer(seed: SuperSeed, link: LinkId, rate: float = 0.0, now: float = 0.0) -> int:
    mask = seed.offer(link, rate, now, random.Random(1))
    seed.check_invariants()
    return mask


def test_each_leecher_is_offered_other_chunks() -> None:
    seed = seed_of()
    first, second = offer(seed, A), offer(seed, B)
    assert first.bit_count() == second.bit_count() == 1
    assert first & second == 0


def test_nothing_more_is_offered_while_an_offer_stands() -> None:
    seed = seed_of()
    first = offer(seed, A)
    assert offer(seed, A) == 0
    assert seed.offered(A) == first


def test_an_offer_covers_a_tenth_of_a_second_of_the_leechers_rate() -> None:
    assert offer(seed_of(), A, rate=40 * CHUNK).bit_count() == 4


def test_an_offer_is_at_least_one_chunk_however_large() -> None:
    layout = Layout("file", [Entry("", 2**36, False, "f" * 64)])
    assert offer(seed_of(layout), A).bit_count() == 1


def test_small_files_are_offered_many_at_a_time() -> None:
    mask = offer(seed_of(SMALL_FILES), A)
    assert SMALL_FILES.bytes_in(mask) == OFFER_LEAST


def test_the_last_offer_is_what_is_left() -> None:
    seed = seed_of(SMALL_FILES)
    masks = [offer(seed, LinkId(number)) for number in range(1, 6)]
    assert sum(masks) == SMALL_FILES.all_chunks
    assert masks[4] == 0
    assert seed.fresh == 0


def test_a_chunk_that_was_sent_is_not_offered_again() -> None:
    seed = seed_of()
    first = offer(seed, A)
    seed.know(first)
    assert seed.offered(A) == 0
    assert offer(seed, A) & first == 0


def test_a_chunk_that_somebody_announces_leaves_the_offer_it_is_in() -> None:
    seed = seed_of(_1=0b11)
    seed.know(0b01)
    seed.check_invariants()
    assert seed.offered(A) == 0b10
    assert seed.spread == 0b01


def test_the_offer_of_a_stream_that_ended_goes_to_another() -> None:
    seed = seed_of(_1=0b11111110)
    assert offer(seed, B) == 0b1
    seed.lost(A)
    seed.lost(C)
    assert seed.fresh == 0b11111110


def test_an_offer_without_progress_is_taken_back() -> None:
    seed = seed_of()
    offer(seed, A, now=0.0)
    offer(seed, B, now=0.0)
    seed.progress(B, 5.0)
    seed.progress(C, 5.0)
    assert seed.overdue(OFFER_PATIENCE - 0.1) == []
    assert seed.overdue(OFFER_PATIENCE) == [A]
    assert seed.offered(A) == 0
    assert seed.offered(B)


def test_a_leecher_that_lets_an_offer_pass_is_shown_everything_and_offered_nothing_more() -> None:
    seed = seed_of()
    offer(seed, A)
    assert seed.shown(A) == seed.offered(A)
    assert seed.overdue(OFFER_PATIENCE) == [A]
    assert (seed.shown(A), offer(seed, A)) == (FILE.all_chunks, 0)
    assert seed.fresh == FILE.all_chunks
    assert seed.shown(B) == 0


def test_what_a_leecher_has_wanted_before_stays_its_offer() -> None:
    seed = seed_of(_1=0b0011, _2=0)
    assert (seed.offered(A), seed.offered(B)) == (0b0011, 0)
    assert seed.fresh == 0b11111100


def test_what_was_wanted_before_has_its_time_like_any_offer() -> None:
    seed = SuperSeed(FILE)
    seed.begin({A: 0b11}, now=100.0)
    assert seed.overdue(101.0) == []
    assert seed.overdue(100.0 + OFFER_PATIENCE) == [A]


def test_ended_nothing_is_offered_to_anybody_and_what_is_spread_stays_known() -> None:
    seed = seed_of(_1=0b11)
    seed.know(0b100)
    seed.end()
    assert (seed.active, seed.offered(A), seed.spread) == (False, 0, 0b100)


def test_a_content_without_chunks_has_nothing_to_offer() -> None:
    seed = seed_of(Layout("file", [Entry("", 0, False, "f" * 64)]))
    assert seed.fresh == 0
    assert offer(seed, A) == 0
