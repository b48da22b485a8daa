"""How near two runs are, against figures worked out by hand."""

from __future__ import annotations

import msgspec
import pytest

from bus.events import TransferCompleted, TransferStarted
from experiments.agreement import agreement
from tests.unit.experiments import hand_made as made

CAST = made.CAST[:3]


def run(b, c, to_b, to_c, cast=CAST):
    """Two leechers that take so many seconds, c from 0.5 on; and who gave them what."""
    moved = made.moved
    return made.tables_of(
        [
            made.envelope("s", -10, made.shared()),
            made.envelope("b", 0, moved(TransferStarted, size=0)),
            made.envelope("c", 0.5, moved(TransferStarted, size=0)),
            made.envelope("b", b, moved(TransferCompleted, made.SIZE, sources=to_b)),
            made.envelope("c", 0.5 + c, moved(TransferCompleted, made.SIZE, sources=to_c)),
        ],
        cast,
    )


REAL = run(4.0, 5.0, [("s", 700), ("c", 300)], [("s", 400), ("b", 600)])


def test_a_run_agrees_with_itself():
    found = agreement(REAL, REAL)
    assert (found.median_error, found.order, found.bytes_error, found.peer_bytes_error) == (0.0, 1.0, 0.0, 0.0)
    assert not found.missed


def test_the_figures_are_those_worked_out_by_hand():
    # Medians 4.5 and 4.85, so +7.78%.  b completes at 5.1 and c at 5.1 - 0.1: the order is reversed.
    # s gave 1100 and 1000, b 600 and 700, c 300 twice: 200 of 2000 differ.
    found = agreement(REAL, run(5.2, 4.5, [("s", 700), ("c", 300)], [("s", 300), ("b", 700)]))
    assert (found.median_real, found.median_simulated) == (4.5, 4.85)
    assert found.median_error == pytest.approx(0.0778, abs=1e-4)
    assert found.order == -1.0
    assert found.bytes_error == found.peer_bytes_error == 0.1
    assert [(peer.name, peer.real, peer.simulated) for peer in found.peers] == [("b", 4.0, 5.2), ("c", 5.0, 4.5)]
    assert found.missed == ["order -1.00, limit 0.80"]


def test_which_of_several_equal_peers_gave_counts_for_peers_and_not_for_groups():
    # b gave 600 and 300, c gave 300 and 600, and both are leechers.
    found = agreement(REAL, run(4.0, 5.0, [("s", 400), ("c", 600)], [("s", 700), ("b", 300)]))
    assert found.bytes_error == 0.0
    assert found.peer_bytes_error == 0.3


def test_every_missed_limit_is_named():
    found = agreement(REAL, run(5.0, 6.0, [("s", 1000)], [("s", 1000)]))
    assert found.missed == ["median +22.2%, limit 10%", "bytes by source 90.0%, limit 15%"]


def test_runs_in_which_others_finished_are_not_compared():
    only_b = made.tables_of(made.downloads()[:-1], CAST)
    with pytest.raises(ValueError, match="who finished"):
        agreement(REAL, only_b)


def test_an_agreement_survives_its_file():
    found = agreement(REAL, REAL)
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found
