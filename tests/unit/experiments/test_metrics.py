"""The numbers of hand-made experiments, each small enough to be checked on paper."""

from __future__ import annotations

import msgspec
import pytest

from bus.errors import ERR_FAILURE, ShoalError
from bus.events import BY_TYPE, ContentShared, Envelope, SourceRow, TransferCompleted, TransferProgress, TransferStarted
from experiments.metrics import Download, Matrix, bound_seconds, completion_curves, measure
from experiments.scenario import Limits

CONTENT = "c0" * 32
SIZE = 1000
NO_LIMITS = Limits()


def envelope(peer, time, event):
    return Envelope(1, 1, time, f"id of {peer}", BY_TYPE[type(event)].topic, msgspec.to_builtins(event))


def transfer(kind, done=0, *, size=SIZE, sources=(), duplicate=0, rejected=0, error="", content=CONTENT):
    rows = [SourceRow(f"id of {peer}", moved, 0.0, 0, "open") for peer, moved in sources]
    return kind(
        content, "file", "file", size, "/x", "downloading", done, 4, 0, 0.0, -1.0, 0.0, duplicate, rejected, rows, "",
        error, "", 0.0, 0.0,
    )  # fmt: skip


def shared(content=CONTENT):
    return ContentShared(content, "file", "file", SIZE, 1, 4, "/x", False, "seeding", "", 0.0)


def two_leechers():
    """a gives 700 to b and 400 to c; b and c trade 600 and 300 between them.  b needs 4 s, c 5 s, starting at 100.5."""
    return {
        "a": [envelope("a", 90.0, shared())],
        "b": [
            envelope("b", 100.0, transfer(TransferStarted, size=0)),
            envelope("b", 102.0, transfer(TransferProgress, 250)),
            envelope("b", 104.0, transfer(TransferCompleted, SIZE, sources=[("a", 700), ("c", 300)], duplicate=10)),
            envelope("b", 109.0, shared()),
        ],
        "c": [
            envelope("c", 100.5, transfer(TransferStarted, size=0)),
            envelope("c", 105.5, transfer(TransferCompleted, SIZE, sources=[("a", 400), ("b", 600)], rejected=7)),
        ],
        "tracker": [],
    }


def test_each_download_has_its_own_times_goodput_and_waste():
    assert measure(two_leechers(), NO_LIMITS).downloads == [
        Download("b", 0.0, 4.0, SIZE, 250.0, 10, 0),
        Download("c", 0.5, 5.5, SIZE, 200.0, 0, 7),
    ]


def test_a_download_s_own_account_of_the_optimum_is_kept_where_it_is_known():
    recorded = two_leechers()
    time, done = 104.0, transfer(TransferCompleted, SIZE, sources=[("a", 700), ("c", 300)])
    recorded["b"][2] = envelope("b", time, msgspec.structs.replace(done, optimum_seconds=3.0, optimum_share=0.75))
    assert [row.optimum_share for row in measure(recorded, NO_LIMITS).downloads] == [0.75, None]


def test_the_matrix_says_who_gave_what_to_whom_the_seed_first():
    matrix = measure(two_leechers(), NO_LIMITS).matrix
    assert matrix == Matrix(["a", "b", "c"], [[0, 700, 400], [0, 0, 600], [0, 300, 0]])


def test_the_totals_of_an_experiment():
    metrics = measure(two_leechers(), NO_LIMITS)
    assert (metrics.content, metrics.size, metrics.seed_peer) == (CONTENT, SIZE, "a")
    assert (metrics.first_completion, metrics.median_completion, metrics.last_completion) == (4.0, 4.75, 5.5)
    assert metrics.goodput == round(2000 / 5.5, 1)
    assert (metrics.duplicate_bytes, metrics.rejected_bytes) == (10, 7)
    assert metrics.seed_share == 0.55
    assert (metrics.bound_seconds, metrics.share_of_bound) == (None, None)


def test_with_limits_the_last_completion_is_held_against_the_bound():
    metrics = measure(two_leechers(), Limits(up=500))
    assert metrics.bound_seconds == 2.0
    assert metrics.share_of_bound == round(2.0 / 5.5, 4)


def test_transfers_of_other_contents_do_not_count():
    recorded = two_leechers()
    recorded["b"].insert(0, envelope("b", 50.0, transfer(TransferStarted, content="dd" * 32)))
    assert measure(recorded, NO_LIMITS) == measure(two_leechers(), NO_LIMITS)


def test_events_that_this_version_does_not_know_are_passed_over():
    recorded = two_leechers()
    recorded["c"].insert(1, Envelope(1, 2, 101.0, "id of c", "transfer.levitated", {}))
    assert measure(recorded, NO_LIMITS) == measure(two_leechers(), NO_LIMITS)


def test_curves_begin_at_the_first_start_and_end_at_completion():
    assert completion_curves(two_leechers(), CONTENT) == {
        "b": [(0.0, 0.0), (2.0, 0.25), (4.0, 1.0)],
        "c": [(0.5, 0.0), (5.5, 1.0)],
    }


def test_a_leecher_that_did_not_complete_is_named():
    recorded = two_leechers()
    recorded["c"][1] = envelope("c", 103.0, transfer(TransferProgress, 250, error="the disk is full"))
    with pytest.raises(ShoalError, match="c did not complete: 250 of 1000 bytes, the disk is full") as raised:
        measure(recorded, NO_LIMITS)
    assert raised.value.code == ERR_FAILURE


@pytest.mark.parametrize("recorded", [{"a": []}, {"a": [envelope("a", 90.0, shared())]}])
def test_events_without_a_download_are_no_experiment(recorded):
    with pytest.raises(ShoalError, match="the events tell of no"):
        measure(recorded, NO_LIMITS)


@pytest.mark.parametrize(
    ("count", "limits", "seconds"),
    [
        (3, Limits(), None),
        (1, Limits(up=100), 10.0),  # the seed must give every byte away once
        (9, Limits(up=100, down=50), 20.0),  # a leecher must take every byte in
        (9, Limits(down=500), 2.0),
    ],
)
def test_no_swarm_is_faster_than_its_narrowest_place(count, limits, seconds):
    assert bound_seconds(SIZE, count, limits) == seconds
