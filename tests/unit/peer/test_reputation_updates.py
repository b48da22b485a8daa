"""How scores move: each rule of peer/core/reputation.py with literal numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.reputation import (
    CORRUPTED_DATA,
    REFUSED_UPLOAD,
    SUCCESSFUL_DOWNLOAD,
    SUCCESSFUL_UPLOAD,
    TIMED_OUT,
    ReputationBook,
)
from peer.core.settings import ReputationSettings

PEER = "a" * 64
KINDS = (SUCCESSFUL_UPLOAD, SUCCESSFUL_DOWNLOAD, REFUSED_UPLOAD, TIMED_OUT, CORRUPTED_DATA)
DAY = 86400.0


def book() -> ReputationBook:
    return ReputationBook(ReputationSettings(), {})


def after(*kinds: str) -> float:
    scores = book()
    for kind in kinds:
        scores.record(PEER, kind, 0.0)
    return scores.score(PEER, 0.0)


def test_a_newcomer_stands_at_a_half_and_is_not_refused() -> None:
    assert book().score(PEER, 0.0) == 0.5
    assert not book().refused(PEER, 0.0)
    assert book().flags(PEER, 0.0) == ["newcomer"]


def test_an_upload_moves_the_score_by_alpha_times_delta() -> None:
    assert after(SUCCESSFUL_UPLOAD) == pytest.approx(0.51)


def test_taking_never_lifts_a_score_beyond_the_ceiling() -> None:
    assert after(*[SUCCESSFUL_DOWNLOAD] * 1000) == pytest.approx(0.55)


def test_taking_never_lowers_a_score_that_giving_earned() -> None:
    given_a_lot = [SUCCESSFUL_UPLOAD] * 50
    assert after(*given_a_lot, SUCCESSFUL_DOWNLOAD) == pytest.approx(after(*given_a_lot))


def test_refusals_and_timeouts_alone_never_lead_to_refusal() -> None:
    scores = book()
    for _ in range(1000):
        scores.record(PEER, REFUSED_UPLOAD, 0.0)
        scores.record(PEER, TIMED_OUT, 0.0)
    assert scores.score(PEER, 0.0) == pytest.approx(0.25)
    assert not scores.refused(PEER, 0.0)


def test_one_bad_chunk_halves_the_score() -> None:
    assert after(CORRUPTED_DATA) == pytest.approx(0.25)


def test_two_bad_chunks_within_a_day_ban_for_an_hour() -> None:
    scores = book()
    scores.record(PEER, CORRUPTED_DATA, 0.0)
    assert not scores.banned(PEER, 1.0)
    scores.record(PEER, CORRUPTED_DATA, DAY - 1)
    assert scores.banned(PEER, DAY + 3598)
    assert not scores.banned(PEER, DAY + 3600)
    assert scores.flags(PEER, DAY) == ["newcomer", "refused", "banned"]


def test_bad_chunks_far_apart_do_not_ban() -> None:
    scores = book()
    scores.record(PEER, CORRUPTED_DATA, 0.0)
    scores.record(PEER, CORRUPTED_DATA, 2 * DAY)
    assert not scores.banned(PEER, 2 * DAY)


def test_each_ban_is_twice_as_long_up_to_a_day() -> None:
    scores = book()
    lengths = []
    now = 0.0
    for _ in range(7):
        scores.record(PEER, CORRUPTED_DATA, now)
        scores.record(PEER, CORRUPTED_DATA, now)
        standing = scores.standing(PEER)
        assert standing is not None
        lengths.append(standing.banned_until - now)
        now = standing.banned_until
    assert lengths == [3600, 7200, 14400, 28800, 57600, 86400, 86400]


def test_a_score_goes_half_way_back_to_neutral_in_a_half_life() -> None:
    scores = book()
    scores.record(PEER, CORRUPTED_DATA, 0.0)
    assert scores.score(PEER, 7 * DAY) == pytest.approx(0.375)


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 10 * DAY)), max_size=60))
def test_the_kept_changes_replayed_give_the_score(events: list[tuple[str, float]]) -> None:
    scores, now, replayed = book(), 0.0, 0.5
    for kind, pause in events:
        now += pause
        for change in scores.record(PEER, kind, now):
            replayed += change.change
            assert 0.0 <= change.score <= 1.0
    assert scores.score(PEER, now) == pytest.approx(replayed, abs=1e-9)


@given(st.lists(st.sampled_from(KINDS[1:]), max_size=40))
def test_nothing_but_verified_bytes_lifts_a_score_above_the_ceiling(kinds: list[str]) -> None:
    assert after(*kinds) <= 0.55 + 1e-9
