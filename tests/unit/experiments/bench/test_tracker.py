"""The tracker's benchmark with few peers and short rounds: what it measures is really there, and what it says is so."""

from __future__ import annotations

import os
from random import Random

import msgspec
import pytest

from bus.errors import ERR_USAGE, ShoalError
from bus.places import TrackerPlaces
from experiments.bench.comparison import Spread
from experiments.bench.tracker import measure, parse, run_load, started_tracker
from experiments.bench.tracker_figures import Figures, markdown, wanted
from experiments.bench.tracker_load import Load, Order
from experiments.bench.tracker_population import (
    Population,
    content_id,
    draw_contents,
    identity_of,
    swarm_size,
    write_database,
)
from tracker.database import open_database

FEW = Population(peers=80, connected=7, contents=200)


def test_the_database_is_one_that_a_tracker_wrote(tmp_path):
    write_database(tmp_path / "tracker.db", FEW)
    connection, state = open_database(tmp_path / "tracker.db")
    connection.close()
    assert len(state.peers) == FEW.peers
    assert [record.id for record in state.contents] == [content_id(content) for content in range(FEW.contents)]
    assert len(state.offers) == sum(map(swarm_size, range(FEW.contents)))
    assert {identity_of(peer).peer_id for peer in range(FEW.connected)} < {record.peer for record in state.peers}
    assert {offer.content for offer in state.offers} == {record.id for record in state.contents}


def test_well_known_contents_are_asked_for_more_often():
    drawn = draw_contents(FEW, 2000, Random(1))
    assert drawn.count(0) > 5 * drawn.count(99)
    assert {swarm_size(content) for content in drawn} == {60, 20, 4, 2, 1}


def test_a_closed_and_an_open_loop_get_their_answers(tmp_path):
    places = TrackerPlaces(tmp_path)
    places.prepare()
    write_database(places.tracker_db, FEW)
    cores = sorted(os.sched_getaffinity(0))
    with started_tracker(tmp_path, cores[0]) as tracker:
        assert os.sched_getaffinity(tracker.pid) == {cores[0]}
        order = Order(tracker.endpoint, tracker.key, tracker.pid, cores[-1], FEW, "mixed", 0.3, 20)
        closed = run_load(order)
        opened = run_load(msgspec.structs.replace(order, rate=200.0))
    assert closed.failed == opened.failed == 0
    assert closed.answered > 50
    assert 20 < opened.answered < 120
    assert 1 < closed.peers_listed <= 50
    assert 0 < closed.p50 <= closed.p99


def test_a_whole_run_says_what_was_reached(tmp_path):
    if len(os.sched_getaffinity(0)) < 2:
        with pytest.raises(ShoalError) as raised:
            measure(tmp_path)
        assert raised.value.code == ERR_USAGE
        return
    figures = measure(tmp_path, "a test", population=FEW, few_contents=100, seconds=0.2, rounds=1)
    assert figures.failed == 0
    assert len(figures.rounds) == 1
    text = markdown(figures)
    assert "80 registered peers, 7 of them connected with CURVE, 200 contents; queries and renewals in turn" in text
    assert text.count("| at ") == 3
    assert "Made by `a test`" in text


def figures(rate: float, p99: float, growth: float, failed: int = 0) -> Figures:
    def same(value: float) -> Spread:
        return Spread(value, value, value)

    return Figures(
        command="", made_by=None, population=Population(), few_contents=1000, mix="mixed", rounds=[],  # type: ignore[arg-type]
        rate=same(rate), bare_rate=same(1.0), ratio=same(1.0), cpu=same(1.0), growth=same(growth), p50=same(0.001),
        p99=same(p99), peers_listed=1.0, failed=failed, start_seconds=1.0, peak=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "reached"),
    [
        (figures(10_000, 0.005, 1.2), [True, True, True]),
        (figures(9_999, 0.005, 1.2), [False, True, True]),
        (figures(10_000, 0.0051, 1.2), [True, False, True]),
        (figures(10_000, 0.005, 1.21), [True, True, False]),
    ],
)
def test_a_figure_is_reached_or_not(found: Figures, reached: list[bool]):
    assert [row[3] for row in wanted(found)] == reached
    assert found.reached == all(reached)


def test_a_request_that_was_refused_spoils_the_run():
    assert not figures(20_000, 0.001, 1.0, failed=1).reached


def test_the_cost_of_a_request_is_processor_time_over_answers():
    load = Load(2.0, 100, 0, 0.01, 0.02, 1.0, 0.001, 0.002)
    assert (load.rate, load.cpu_per_request) == (50.0, 0.0001)


@pytest.mark.parametrize(
    "wrong", [["--rounds", "0"], ["--seconds", "0"], ["--connected", "10001"], ["--contents", "9"]]
)
def test_numbers_that_make_no_benchmark_are_refused(wrong: list[str]):
    with pytest.raises(SystemExit) as raised:
        parse(wrong)
    assert raised.value.code == 2
