"""Numbers of hand-made tables, each with its calculation."""

from __future__ import annotations

import polars as pl
import pytest

from experiments.metrics.tracker import Rate, TrackerLoad, request_rates, tracker_load


def samples(*rows):
    schema = {"time": float, "name": str, "value": float}
    return pl.DataFrame([(time, "tracker_requests_total", value) for time, value in rows], schema=schema, orient="row")


def test_tracker_load_is_the_growth_of_its_counter():
    # 10 in 1 s, 30 in 2 s, none in 1 s: 40 in 4 s.
    tracker = samples((-1, 5), (0, 15), (2, 45), (3, 45))
    assert request_rates(tracker) == [Rate(-1, 0, 10.0), Rate(0, 2, 15.0), Rate(2, 3, 0.0)]
    assert tracker_load(request_rates(tracker)) == TrackerLoad(40, 4.0, 10.0, 15.0)


def test_a_tracker_that_started_again_counts_from_0():
    # 20 in 1 s, then a new counter with 5 in 1 s.
    assert tracker_load(request_rates(samples((0, 80), (1, 100), (2, 5)))) == TrackerLoad(25, 2.0, 12.5, 20.0)


@pytest.mark.parametrize("rows", [[], [(0, 5)]])
def test_a_load_takes_two_samples(rows):
    assert tracker_load(request_rates(samples(*rows))) is None
