"""Scores of every model over any history: in range, explained by the kept changes, moved the right way."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peer.core.reputation import ReputationBook
from peer.core.scoring import MODELS
from peer.core.settings import ReputationSettings
from peer.core.standing import (
    CORRUPTED_DATA,
    REFUSED_UPLOAD,
    SUCCESSFUL_DOWNLOAD,
    SUCCESSFUL_UPLOAD,
    TIMED_OUT,
    TOOK_DATA,
    Standing,
    Verdict,
)

PEER = "a" * 64
GOOD = (SUCCESSFUL_UPLOAD, SUCCESSFUL_DOWNLOAD)
BAD = (REFUSED_UPLOAD, TIMED_OUT, CORRUPTED_DATA, TOOK_DATA)
HISTORY = st.lists(
    st.tuples(st.sampled_from(GOOD + BAD), st.floats(0, 10 * 86400.0), st.integers(1, 2**30)), max_size=30
)
CONFIGURED = st.builds(
    ReputationSettings,
    alpha=st.floats(0.01, 1),
    successful_upload=st.floats(0, 1),
    successful_download=st.floats(0, 1),
    refused_upload=st.floats(-1, 0),
    timed_out=st.floats(-1, 0),
    corrupted_data=st.floats(-1, 0),
    soft_floor=st.sampled_from([0.0, 0.25, 0.5]),
    download_ceiling=st.sampled_from([0.5, 0.55, 1.0]),
    upload_unit=st.sampled_from([64 * 2**10, 64 * 2**20]),
    half_life=st.sampled_from([0.001, 60.0, 7 * 86400.0]),
    tit_for_tat_half_life=st.sampled_from([0.001, 600.0]),
)

models = pytest.mark.parametrize("model", sorted(MODELS))


def named(model: str, drawn: ReputationSettings) -> ReputationSettings:
    return ReputationSettings(
        **{name: getattr(drawn, name) for name in ReputationSettings.__struct_fields__} | {"model": model}
    )


@models
@given(drawn=CONFIGURED, history=HISTORY)
@settings(max_examples=40, deadline=None)
def test_the_kept_changes_added_up_give_the_score_and_no_score_leaves_its_range(
    model: str, drawn: ReputationSettings, history: list[tuple[str, float, int]]
) -> None:
    book, now, last, added = ReputationBook(named(model, drawn), {}), 0.0, 0.0, 0.5
    for kind, pause, size in history:
        now += pause
        for change in book.record(PEER, kind, now, size):
            last = now
            added += change.change
            assert 0.0 <= change.standing.score <= 1.0
            assert abs(added - change.standing.score) < 1e-9
    assert abs(added - book.score(PEER, last)) < 1e-9


@models
@given(drawn=CONFIGURED, history=HISTORY)
@settings(max_examples=40, deadline=None)
def test_the_same_events_after_a_restart_give_the_same_score(
    model: str, drawn: ReputationSettings, history: list[tuple[str, float, int]]
) -> None:
    chosen = named(model, drawn)
    standings: dict[str, Standing] = {}
    book, now = ReputationBook(chosen, {}), 0.0
    for kind, pause, size in history:
        now += pause
        book.record(PEER, kind, now, size)
        for change in ReputationBook(chosen, standings).record(PEER, kind, now, size):
            standings[PEER] = change.standing
    assert standings.get(PEER) == book.standing(PEER)


@models
@given(drawn=CONFIGURED, history=HISTORY, kind=st.sampled_from(GOOD + BAD), size=st.integers(1, 2**30))
@settings(max_examples=40, deadline=None)
def test_good_events_never_lower_a_score_and_bad_ones_never_lift_it(
    model: str, drawn: ReputationSettings, history: list[tuple[str, float, int]], kind: str, size: int
) -> None:
    book, now = ReputationBook(named(model, drawn), {}), 0.0
    for earlier, pause, bytes_moved in history:
        now += pause
        book.record(PEER, earlier, now, bytes_moved)
    before = book.score(PEER, now)
    book.record(PEER, kind, now, size)
    moved = book.score(PEER, now) - before
    assert moved >= -1e-12 if kind in GOOD else moved <= 1e-12


@models
@given(
    drawn=CONFIGURED,
    history=HISTORY,
    verdicts=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["", "trusted", "blocked"])), max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_verdicts_decide_alone_and_leave_what_the_events_made_as_it_is(
    model: str, drawn: ReputationSettings, history: list[tuple[str, float, int]], verdicts: list[tuple[int, Verdict]]
) -> None:
    chosen = named(model, drawn)
    judged, plain, now, standing = ReputationBook(chosen, {}), ReputationBook(chosen, {}), 0.0, Standing()
    for place, (kind, pause, size) in enumerate(history):
        for verdict in [verdict for at, verdict in verdicts if at == place]:
            if change := judged.judge(PEER, verdict, now):
                assert change.change == 0.0
                standing = change.standing
            judged = ReputationBook(chosen, {PEER: standing} if judged.known() else {})  # as after a restart
        now += pause
        plain.record(PEER, kind, now, size)
        for moved in judged.record(PEER, kind, now, size):
            standing = moved.standing
        word = judged.verdict(PEER)
        assert judged.refused(PEER, now) == {"trusted": False, "blocked": True, "": plain.refused(PEER, now)}[word]
        assert word != "trusted" or (judged.score(PEER, now) >= 0.5 and not judged.banned(PEER, now))
        assert judged.flags(PEER, now) == ([word] if word else plain.flags(PEER, now))
    judged.judge(PEER, "", now)
    assert judged.score(PEER, now) == pytest.approx(plain.score(PEER, now), abs=1e-9)
    assert judged.banned(PEER, now) == plain.banned(PEER, now)
    known = judged.known()
    assert judged.forget(PEER) == bool(known)
    assert judged.newcomer(PEER)
    assert judged.score(PEER, now) == 0.5


@pytest.mark.parametrize("model", ["smoothing", "beta"])
@given(kinds=st.lists(st.sampled_from((SUCCESSFUL_DOWNLOAD, *BAD)), max_size=40), pause=st.floats(0, 10 * 86400.0))
def test_nothing_but_verified_bytes_lifts_a_score_above_the_ceiling(model: str, kinds: list[str], pause: float) -> None:
    book = ReputationBook(ReputationSettings(model=model), {})
    for number, kind in enumerate(kinds):
        book.record(PEER, kind, number * pause, 2**30)
        assert book.score(PEER, number * pause) <= 0.55 + 1e-9
