"""The numbers of a hand-made experiment, small enough to be checked on paper."""

from __future__ import annotations

import msgspec

from experiments.metrics.measure import Download, measure
from experiments.metrics.volume import Matrix
from tests.unit.experiments.hand_made import CAST, CONTENT, SIZE, downloads, tables_of

METRICS = measure(tables_of(downloads()), events_lost=3, wrong_bytes=0)


def test_each_download_has_its_own_times_goodput_and_waste():
    assert METRICS.downloads == [
        Download("b", 0.0, 4.0, SIZE, 250.0, 10, 0),
        Download("c", 0.5, 5.5, SIZE, 200.0, 0, 7),
        Download("x", 1.0, None, 250, 0.0, 0, 0),
    ]


def test_the_totals_of_an_experiment():
    assert (METRICS.content, METRICS.size, METRICS.chunks, METRICS.seed_peer) == (CONTENT, SIZE, 4, "s")
    assert (METRICS.leechers, METRICS.finished) == (3, 2)
    assert (METRICS.first_completion, METRICS.median_completion, METRICS.last_completion) == (4.0, 4.75, 5.5)
    assert METRICS.goodput == round(2000 / 5.5, 1)
    # 700 + 400 + 250 of the 2,250 verified bytes came from the seed; 10 were duplicates and 7 bad.
    assert METRICS.seed_share == round(1350 / 2250, 4)
    assert METRICS.seed_load == 1.35
    assert (METRICS.duplicate_bytes, METRICS.duplicate_share) == (10, round(10 / 2250, 6))
    assert (METRICS.rejected_bytes, METRICS.rejected_share) == (7, round(7 / 2250, 6))


def test_the_last_completion_is_held_against_the_bounds():
    # max(1000 / 500, 2 * 1000 / (500 + 3 * 250)) = 2; then one round, log2((2 + 1) / 2), of 250 bytes at 500.
    assert (METRICS.bound_seconds, METRICS.share_of_bound) == (2.0, round(2.0 / 5.5, 4))
    assert (METRICS.chunked_bound_seconds, METRICS.share_of_chunked_bound) == (2.5, round(2.5 / 5.5, 4))


def test_fairness_of_giving_and_of_getting():
    # b gave 600, c 300, x nothing: 900^2 / (3 * 450,000). Rates 250 and 200: 450^2 / (2 * 102,500).
    assert METRICS.jain_upload == 0.6
    assert METRICS.jain_download == round(450**2 / (2 * (250**2 + 200**2)), 4)


def test_the_matrix_says_who_gave_what_to_whom_the_seed_first():
    assert METRICS.matrix == Matrix(
        ["s", "b", "c", "x"], [[0, 700, 400, 250], [0, 0, 600, 0], [0, 300, 0, 0], [0, 0, 0, 0]]
    )


def test_what_must_be_0_is_handed_through():
    assert (METRICS.events_lost, METRICS.wrong_bytes, METRICS.false_refusals) == (3, 0, 0)


def test_who_never_began_to_fetch_is_a_leecher_that_did_not_finish():
    late = msgspec.structs.replace(CAST[1], name="late", ids=["id of late"])
    metrics = measure(tables_of(downloads(), [*CAST, late]))
    assert (metrics.leechers, metrics.finished) == (4, 2)
    assert [row.peer for row in metrics.downloads] == ["b", "c", "x"]


def test_an_experiment_that_nobody_finished_has_no_times():
    begun = [event for event in downloads() if event.type != "transfer.completed"]
    metrics = measure(tables_of(begun))
    assert (metrics.finished, metrics.last_completion, metrics.goodput, metrics.bound_seconds) == (0, None, 0.0, None)
    assert metrics.completion[0].seconds is None


def test_a_download_s_own_account_of_the_optimum_is_kept_where_it_is_known():
    events = downloads()
    data = {**events[6].data, "optimum_share": 0.75}
    events[6] = msgspec.structs.replace(events[6], data=data)
    assert [row.optimum_share for row in measure(tables_of(events)).downloads] == [0.75, None, None]
