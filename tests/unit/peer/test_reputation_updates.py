"""How scores move: each rule of peer/core/scoring.py and reputation.py with literal numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.reputation import ReputationBook
from peer.core.settings import ReputationSettings
from peer.core.standing import (
    CORRUPTED_DATA,
    MODEL_CHANGED,
    REFUSED_UPLOAD,
    SUCCESSFUL_DOWNLOAD,
    SUCCESSFUL_UPLOAD,
    TIMED_OUT,
    TOOK_DATA,
    Standing,
)

PEER = "a" * 64
KINDS = (SUCCESSFUL_UPLOAD, SUCCESSFUL_DOWNLOAD, REFUSED_UPLOAD, TIMED_OUT, CORRUPTED_DATA)
DAY = 86400.0


UNIT = 64 * 2**20


def book(model: str = "smoothing") -> ReputationBook:
    return ReputationBook(ReputationSettings(model=model), {})


def after(*kinds: str, model: str = "smoothing", size: int = UNIT) -> float:
    scores = book(model)
    for kind in kinds:
        scores.record(PEER, kind, 0.0, size)
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
        scores.record(PEER, REFUSED_UPLOAD, 0.0, UNIT)
        scores.record(PEER, TIMED_OUT, 0.0, UNIT)
    assert scores.score(PEER, 0.0) == pytest.approx(0.25)
    assert not scores.refused(PEER, 0.0)


def test_one_bad_chunk_halves_the_score() -> None:
    assert after(CORRUPTED_DATA) == pytest.approx(0.25)


def test_two_bad_chunks_within_a_day_ban_for_an_hour() -> None:
    scores = book()
    scores.record(PEER, CORRUPTED_DATA, 0.0, UNIT)
    assert not scores.banned(PEER, 1.0)
    scores.record(PEER, CORRUPTED_DATA, DAY - 1, UNIT)
    assert scores.banned(PEER, DAY + 3598)
    assert not scores.banned(PEER, DAY + 3600)
    assert scores.flags(PEER, DAY) == ["newcomer", "refused", "banned"]


def test_bad_chunks_far_apart_do_not_ban() -> None:
    scores = book()
    scores.record(PEER, CORRUPTED_DATA, 0.0, UNIT)
    scores.record(PEER, CORRUPTED_DATA, 2 * DAY, UNIT)
    assert not scores.banned(PEER, 2 * DAY)


def test_each_ban_is_twice_as_long_up_to_a_day() -> None:
    scores = book()
    lengths = []
    now = 0.0
    for _ in range(7):
        scores.record(PEER, CORRUPTED_DATA, now, UNIT)
        scores.record(PEER, CORRUPTED_DATA, now, UNIT)
        standing = scores.standing(PEER)
        assert standing is not None
        lengths.append(standing.banned_until - now)
        now = standing.banned_until
    assert lengths == [3600, 7200, 14400, 28800, 57600, 86400, 86400]


def test_a_score_goes_half_way_back_to_neutral_in_a_half_life() -> None:
    scores = book()
    scores.record(PEER, CORRUPTED_DATA, 0.0, UNIT)
    assert scores.score(PEER, 7 * DAY) == pytest.approx(0.375)


@given(st.lists(st.sampled_from(KINDS[1:]), max_size=40))
def test_nothing_but_verified_bytes_lifts_a_score_above_the_ceiling(kinds: list[str]) -> None:
    assert after(*kinds) <= 0.55 + 1e-9


def test_the_first_upload_counts_whole_and_others_by_their_bytes() -> None:
    assert after(SUCCESSFUL_UPLOAD, size=1) == pytest.approx(0.51)
    assert after(*[SUCCESSFUL_UPLOAD] * 5, size=UNIT // 4) == pytest.approx(after(*[SUCCESSFUL_UPLOAD] * 2))
    assert after(*[SUCCESSFUL_UPLOAD] * 100, size=1) == pytest.approx(0.51, abs=1e-6)


def test_beta_begins_about_as_smoothing_does() -> None:
    for kind in (SUCCESSFUL_UPLOAD, REFUSED_UPLOAD, TIMED_OUT, CORRUPTED_DATA):
        assert after(kind, model="beta") == pytest.approx(after(kind), abs=0.005), kind


def test_with_beta_a_long_history_moves_slowly() -> None:
    history = [SUCCESSFUL_UPLOAD] * 200
    lost = after(*history, model="beta") - after(*history, CORRUPTED_DATA, model="beta")
    assert 0 < lost < 0.2
    assert after(CORRUPTED_DATA, model="beta") == pytest.approx(0.25)


def test_with_beta_refusals_and_timeouts_alone_never_lead_to_refusal() -> None:
    assert after(*[REFUSED_UPLOAD, TIMED_OUT] * 500, model="beta") == pytest.approx(0.25)
    assert after(*[SUCCESSFUL_DOWNLOAD] * 1000, model="beta") == pytest.approx(0.55)


def test_with_tit_for_tat_giving_counts_beside_taking_and_nothing_else_does() -> None:
    assert after(SUCCESSFUL_UPLOAD, model="tit-for-tat") == pytest.approx(0.75)
    assert after(TOOK_DATA, model="tit-for-tat") == pytest.approx(0.25)
    assert after(SUCCESSFUL_UPLOAD, TOOK_DATA, model="tit-for-tat") == pytest.approx(0.5)
    assert after(*KINDS[1:], model="tit-for-tat") == pytest.approx(0.5)


def test_with_tit_for_tat_what_is_long_past_counts_no_more() -> None:
    scores = book("tit-for-tat")
    scores.record(PEER, TOOK_DATA, 0.0, 100 * UNIT)
    assert scores.score(PEER, 0.0) < 0.01
    assert not scores.refused(PEER, 0.0)
    assert scores.score(PEER, DAY) == pytest.approx(0.5, abs=1e-9)


def test_without_a_model_nobody_is_refused_or_banned_and_events_are_counted() -> None:
    scores = book("none")
    for _ in range(10):
        scores.record(PEER, CORRUPTED_DATA, 0.0, UNIT)
    assert scores.score(PEER, 0.0) == 0.5
    assert scores.flags(PEER, 0.0) == ["newcomer"]
    standing = scores.standing(PEER)
    assert standing is not None
    assert standing.events == {CORRUPTED_DATA: 10}


def test_only_tit_for_tat_keeps_what_was_taken() -> None:
    for model in ("smoothing", "none", "beta"):
        assert book(model).record(PEER, TOOK_DATA, 0.0, UNIT) == []


def test_another_model_begins_anew_and_says_so() -> None:
    standings: dict[str, Standing] = {}
    first = ReputationBook(ReputationSettings(), standings)
    bad = [change for _ in range(2) for change in first.record(PEER, CORRUPTED_DATA, 0.0, UNIT)]
    second = ReputationBook(ReputationSettings(model="beta"), standings)
    assert second.score(PEER, 1.0) == 0.5
    assert second.banned(PEER, 1.0)
    changes = second.record(PEER, SUCCESSFUL_UPLOAD, 1.0, UNIT)
    assert [change.type for change in changes] == [MODEL_CHANGED, SUCCESSFUL_UPLOAD]
    assert 0.5 + sum(change.change for change in bad + changes) == pytest.approx(second.score(PEER, 1.0), abs=1e-12)
