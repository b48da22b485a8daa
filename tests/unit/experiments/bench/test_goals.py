from __future__ import annotations

import pytest

from experiments.bench.goals import at_least, named, number, ratio
from experiments.bench.records import Spread
from tests.unit.experiments.bench.results import result, run


def test_the_ratio_is_taken_round_by_round_and_the_middle_one_counts():
    measured = result(ours=[run(4.0), run(2.0), run(4.0)], theirs=[run(1.0), run(2.0), run(3.0)])
    assert ratio(measured, "ours", "theirs") == Spread(0.75, 0.25, 1.0)


@pytest.mark.parametrize(("seconds", "reached"), [(2.0, True), (2.1, False)])
def test_the_goal_is_so_many_times_the_rival_s_speed(seconds, reached):
    figure = at_least(result(ours=[run(seconds)], theirs=[run(1.0)]), "what", "ours", "theirs", 0.5)
    assert (figure.wanted, figure.reached) == (">= 0.5 x theirs", reached)


def test_a_goal_beside_a_rival_that_did_not_take_part_is_not_reached():
    figure = at_least(result(ours=[run(1.0)], absent=["theirs"]), "what", "ours", "theirs", 0.5)
    assert (figure.measured, figure.reached) == ("not measured: theirs", False)


@pytest.mark.parametrize(
    ("sign", "limit", "reached"), [("<=", 2, True), ("<=", 1, False), (">=", 2, True), (">=", 3, False)]
)
def test_the_middle_number_is_held_against_the_limit(sign, limit, reached):
    measured = result(ours=[run(1.0, latency=1.0), run(1.0, latency=2.0), run(1.0, latency=9.0)])
    figure = number(measured, "latency", "ours", named("latency"), (sign, limit), " ms")
    assert figure.measured == "2 (1 to 9) ms"
    assert figure.reached is reached


def test_a_number_of_nobody_is_not_reached():
    assert not number(result(absent=["ours"]), "latency", "ours", named("latency"), ("<=", 1)).reached
