"""Opinions of hand-made events, each with its calculation."""

from __future__ import annotations

import pytest

from experiments.metrics import reputation
from experiments.metrics.measure import measure
from experiments.metrics.reputation import Scores
from tests.unit.experiments.hand_made import (
    downloads,
    ended,
    envelope,
    judged,
    refused,
    rejected,
    sent,
    tables_of,
)

BAD = "CORRUPTED_DATA"


def behaviours(*events):
    return {row.behaviour: row for row in measure(tables_of([*downloads(), *events])).behaviours}


def test_scores_are_the_last_ones_that_honest_members_gave():
    found = behaviours(
        envelope("b", 1, judged("x", 0.4)),
        envelope("b", 3, judged("x", 0.2)),
        envelope("c", 2, judged("x", 0.3)),
        envelope("b", 2, judged("s", 0.6)),
        envelope("x", 2, judged("b", 0.0)),  # a corrupter's word counts for nothing
    )
    assert found["corrupter"].scores == Scores(2, 0.25, 0.2, 0.3)
    assert found["honest"].scores == Scores(1, 0.6, 0.6, 0.6)


def test_detection_counts_from_each_victim_s_first_bad_chunk_to_its_first_refusal():
    found = behaviours(
        # b: bad at 2.0 and 2.4, refused at 2.4: 0.4 s, 2 chunks. A third arrives after the refusal.
        envelope("b", 2.0, rejected("x")),
        envelope("b", 2.0, judged("x", 0.3, [], BAD)),
        envelope("b", 2.4, rejected("x")),
        envelope("b", 2.4, judged("x", 0.1, ["refused"], BAD)),
        envelope("b", 2.5, rejected("x")),
        # c: bad at 3.0 only, never refused: 1 chunk.
        envelope("c", 3.0, rejected("x")),
        # s: banned at 4.0 after a timeout at 3.0: 1 s, no chunk.
        envelope("s", 3.0, judged("x", 0.4, [], "TIMED_OUT")),
        envelope("s", 4.0, judged("x", 0.1, ["banned"], "TIMED_OUT")),
    )["corrupter"].detection
    assert (found.pairs, found.refused) == (3, 2)
    assert (found.seconds.lowest, found.seconds.median.value, found.seconds.highest) == (0.4, 0.7, 1.0)
    assert (found.chunks.lowest, found.chunks.median.value, found.chunks.highest) == (1, 1.5, 2)


def test_a_refusal_without_a_bad_act_counts_from_when_both_were_there():
    # c starts at 0.5 and x at 1: refused at 3 is 2 s later.
    found = behaviours(envelope("c", 3, judged("x", 0.1, ["refused"], "")))["corrupter"].detection
    assert (found.pairs, found.refused, found.seconds.highest, found.chunks) == (1, 1, 2.0, None)


def test_who_is_good_is_not_detected():
    found = behaviours(envelope("b", 2, judged("c", 0.6)))
    assert found["honest"].detection is None
    assert found["honest"].members == 3


@pytest.mark.parametrize(
    ("events", "count"),
    [
        ([envelope("b", 1, judged("x", 0.1, ["refused"], BAD))], 0),  # x is no honest member
        ([envelope("x", 1, judged("b", 0.1, ["refused"], BAD))], 0),  # nor is its opinion honest
        ([envelope("b", 1, refused("c", "slots"))], 0),  # no slot free is no refusal
        ([envelope("b", 1, refused("c"))], 1),
        ([envelope("b", 1, refused("c")), envelope("b", 2, judged("c", 0.1, ["refused", "banned"], BAD))], 1),
        ([envelope("b", 1, refused("c")), envelope("c", 2, judged("b", 0.1, ["banned"], BAD))], 2),
    ],
)
def test_a_false_refusal_is_a_pair_of_honest_members(events, count):
    tables = tables_of([*downloads(), *events])
    assert reputation.false_refusals(tables.refusals, tables.members) == count


def test_what_a_behaviour_took_is_a_share_of_honest_uploads_until_the_last_honest_completion():
    found = behaviours(
        envelope("s", 2, sent("b", 200)),
        envelope("s", 3, sent("x", 100)),
        envelope("s", 5, sent("x", 300)),
        envelope("b", 5, ended("c", 500)),
        envelope("s", 6, sent("x", 900)),  # c had everything at 5.5
        envelope("x", 2, sent("b", 5000)),  # what a corrupter sends is no honest upload
    )
    assert (found["corrupter"].taken, found["honest"].taken) == (0.3, 0.7)


def test_nobody_can_tell_what_was_taken_until_everybody_honest_has_finished():
    without = [event for event in downloads() if event.time < 105]
    assert [row.taken for row in measure(tables_of([*without, envelope("s", 2, sent("b", 200))])).behaviours] == [
        None
    ] * 2


def test_nobody_can_tell_what_was_taken_where_nobody_tells_of_progress():
    metrics = measure(tables_of([*downloads(), envelope("s", 6, ended("b", 200))]), progress=False)
    assert [row.taken for row in metrics.behaviours] == [None, None]
