from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from experiments.metrics import series
from experiments.metrics.series import completed_share, progress_bands, score_bands, taken_shares


@pytest.fixture(autouse=True)
def few_points(monkeypatch):
    monkeypatch.setattr(series, "POINTS", 5)


def test_completion_is_a_staircase_to_the_share_that_finished():
    assert completed_share([4.0, 2.0], 4, 10.0) == [(0.0, 0.0), (2.0, 0.25), (4.0, 0.5), (10.0, 0.5)]


def test_progress_carries_the_newest_share_of_each_member_on():
    # At 0, 1, 2, 3, 4 s: a has 0, 0, 500, 500, 1000; b, of which nothing is heard before 3, 0, 0, 0, 200, 200.
    rows = [(0.0, "a", 0), (1.5, "a", 400), (2.0, "a", 500), (3.0, "b", 200), (4.0, "a", 1000), (4.0, "x", 999)]
    progress = pl.DataFrame(rows, schema=["time", "member", "bytes"], orient="row")
    bands = progress_bands(progress, ["a", "b"], 1000)
    assert bands.times == [0.0, 1.0, 2.0, 3.0, 4.0]
    middle = [row[3] for row in bands.quantiles]
    assert middle == [0.0, 0.0, 0.25, 0.35, 0.6]
    assert [(row[0], row[-1]) for row in bands.quantiles][-1] == (0.2, 1.0)


def test_scores_are_those_of_the_observers_by_behaviour_from_the_first_on():
    rows = [
        (0.0, "a", "x", 0.4), (2.0, "a", "x", 0.2), (3.0, "b", "x", 0.6),
        (1.0, "x", "b", 0.0), (4.0, "a", "b", 0.7),
    ]  # fmt: skip
    reputation = pl.DataFrame(rows, schema=["time", "observer", "observed", "score"], orient="row").sort("time")
    members = pl.DataFrame({"member": ["a", "b", "x"], "behaviour": ["honest", "honest", "corrupter"]})
    found = score_bands(reputation, members, ["a", "b"])
    assert sorted(found) == ["corrupter", "honest"]
    # x at 0, 1, 2, 3, 4 s: a gives 0.4, 0.4, 0.2, 0.2, 0.2; b 0.6 from 3 on.
    assert [row[3] for row in found["corrupter"].quantiles] == [0.4, 0.4, 0.2, 0.4, 0.4]
    assert found["honest"].times[0] == 4.0
    assert np.isfinite(np.array(found["corrupter"].quantiles)).all()


def test_without_scores_there_are_no_bands():
    none = pl.DataFrame(schema={"time": float, "observer": str, "observed": str, "score": float})
    assert score_bands(none, pl.DataFrame({"member": ["a"], "behaviour": ["honest"]}), ["a"]) == {}


def test_what_was_taken_by_then_is_a_share_of_what_honest_members_had_sent_by_then():
    rows = [
        (1.0, "a", "b", 0, 100), (2.0, "a", "x", 0, 100), (3.0, "x", "b", 0, 900), (4.0, "a", "b", 0, 250),
        (4.0, "a", "b", 1, 50),
    ]  # fmt: skip
    uploads = pl.DataFrame(rows, schema=["time", "giver", "taker", "content", "bytes"], orient="row")
    members = pl.DataFrame({"member": ["a", "b", "x"], "behaviour": ["honest", "honest", "corrupter"]})
    assert taken_shares(uploads, members) == {
        "corrupter": [(0.0, 0.0), (1.0, 0.0), (2.0, 0.5), (3.0, 0.5), (4.0, 0.25)]
    }
    assert taken_shares(uploads.clear(), members) == {}
