"""The tracker's benchmark with few peers and short loops: what it measures is really there, and it judges rightly."""

from __future__ import annotations

import os
import socket
import time
from random import Random
from threading import Thread

import msgspec
import pytest

from bus.database import open_database
from bus.places import TrackerPlaces
from experiments.bench import tracker_echo, tracker_load
from experiments.bench.cases.tracker import tracker
from experiments.bench.contest import Contest
from experiments.bench.options import Options
from experiments.bench.records import Entry, Result, Run
from experiments.bench.shoal_tracker import FAILED, MICROSECONDS, P50, P99, PEERS, REQUESTS, run_load, started_tracker
from experiments.bench.tracker_load import Load, Order, _poisson, _requests
from experiments.bench.tracker_population import (
    Population,
    content_id,
    draw_contents,
    identity_of,
    swarm_size,
    write_database,
)
from experiments.provenance import provenance
from tests.kit.waiting import eventually
from tracker import schema

FEW = Population(peers=80, connected=7, contents=200)

needs_two_cores = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a core for the clients is needed")


def test_the_database_is_one_that_a_tracker_wrote(tmp_path):
    write_database(tmp_path / "tracker.db", FEW)
    connection, state, _ = open_database(tmp_path / "tracker.db", schema.SCHEMA, schema.read)
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
    with started_tracker(tmp_path, cores[0]) as server:
        assert os.sched_getaffinity(server.pid) == {cores[0]}
        order = Order(server.endpoint, server.key, server.pid, cores[-1], FEW, "mixed", 1.0, 20)
        closed = run_load(order, tmp_path, "closed")
        opened = run_load(msgspec.structs.replace(order, rate=200.0), tmp_path, "open")
    assert closed.failed == opened.failed == 0
    assert min(closed.answered, opened.answered) > 20
    assert 1 < closed.peers_listed <= 50
    assert 0 < closed.p50 <= closed.p99


def test_what_is_asked_is_drawn_before_the_first_request_is_due():
    nothing = Order("tcp://127.0.0.1:1", "", 0, 0, msgspec.structs.replace(FEW, contents=0), "query", 1.0, 1)
    with pytest.raises(IndexError):
        _requests(nothing)


def test_the_open_loop_asks_when_a_request_is_due_and_catches_up_when_it_is_late():
    class Recorder:
        def __init__(self) -> None:
            self.due: list[float] = []

        def ask(self, due: float) -> None:
            self.due.append(due)

    asked = Recorder()
    keep = _poisson(asked, 1000.0)  # type: ignore[arg-type]  # as much of the clients as it uses
    eventually(lambda: keep() and len(asked.due) > 200, within=5)
    assert asked.due == sorted(asked.due)
    assert (asked.due[200] - asked.due[0]) / 200 == pytest.approx(0.001, rel=0.3)  # the dice are always the same
    assert keep() > asked.due[-1]


def test_an_answer_that_comes_after_the_span_counts_among_the_latencies(monkeypatch):
    class Late:
        """The tracker stands still at the end of the span, and answers all after it."""

        def __init__(self, _order: Order) -> None:
            self.latencies: list[float] = []
            self.listed: list[int] = []
            self.failed = self.asked = 0
            self.begin = time.monotonic()

        def __len__(self) -> int:
            return self.asked

        def ask(self, _due: float) -> None:
            self.asked += 1

        def hear(self, _most: int) -> int:
            stands_still = 0.1 < time.monotonic() - self.begin - tracker_load.WARM_UP < 0.3
            if stands_still or not self.asked:
                return 0
            self.latencies.append(0.2 if time.monotonic() - self.begin - tracker_load.WARM_UP >= 0.3 else 0.001)
            self.asked -= 1
            return 1

        def sleep(self, seconds: float) -> None:
            pass

        def close(self) -> None:
            pass

    monkeypatch.setattr(tracker_load, "Clients", Late)
    order = Order("", "", os.getpid(), 0, FEW, "mixed", 0.2, 1, rate=100.0)
    told = tracker_load.load(order)
    assert told.failed == 0
    assert told.p99 == 0.2


@needs_two_cores
def test_the_bare_router_gives_answers_of_the_same_size(tmp_path):
    [case] = tracker(Options(ram_disk=tmp_path, contenders=("bare", "tracker-200")), FEW, few=100, seconds=0.2)
    result = Contest(case, 1, lambda _: None).measure("a test")
    [ours], [bare] = result.runs_of("tracker-200"), result.runs_of("bare")
    # What is still on its way at the end counts as failed: on a machine that does other things it may be a few.
    assert max(ours.numbers[FAILED], bare.numbers[FAILED]) < 20
    assert ours.numbers[PEERS] == pytest.approx(bare.numbers[PEERS], rel=0.5)
    assert min(one.numbers[REQUESTS] for one in (ours, bare)) > 50
    assert [figure.what for figure in result.figures if "not measured" in figure.measured] == [
        "cost of a request, 200 contents over 100"
    ]


@needs_two_cores
def test_the_echo_tells_what_the_machine_takes(tmp_path):
    [case] = tracker(Options(ram_disk=tmp_path, contenders=("echo",)), FEW, few=100, seconds=0.2)
    result = Contest(case, 1, lambda _: None).measure("a test")
    [echo] = result.runs_of("echo")
    assert 0 < echo.numbers[P50] <= echo.numbers[P99]


def test_an_answer_of_the_echo_is_counted_from_when_its_request_was_due():
    held = 50

    def answers_late(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            kept = b""
            while len(kept) < held * tracker_echo.SIZE:  # the first ones wait for the fiftieth
                kept += connection.recv(2**16)
            connection.sendall(kept)
            while data := connection.recv(2**16):
                connection.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=answers_late, args=(listener,), daemon=True).start()
        echoed = tracker_echo.ask(listener.getsockname()[1], rate=500.0, seconds=0.2)
    assert echoed.p99 > 0.5 * held / 500


def judged(rate: float, p99: float, cost: float, failed: int = 0) -> list[bool]:
    """Which goals a tracker reaches that is so fast, against one with few contents whose requests cost 100 us."""

    def run(microseconds: float) -> Run:
        return Run(1.0, [], {REQUESTS: rate, P99: p99, MICROSECONDS: microseconds, FAILED: float(failed)})

    [case] = tracker(Options())
    entries = [Entry("tracker-100000", "", [run(cost)] * 3), Entry("tracker-1000", "", [run(100.0)] * 3)]
    return [one.reached for one in case.figures(Result("tracker", "", 0, "", provenance(), 3, True, [], [], entries))]


@pytest.mark.parametrize(
    ("found", "reached"),
    [
        (judged(10_000, 5.0, 120.0), [True, True, True, True]),
        (judged(9_999, 5.0, 120.0), [False, True, True, True]),
        (judged(10_000, 5.1, 120.0), [True, False, True, True]),
        (judged(10_000, 5.0, 121.0), [True, True, False, True]),
        (judged(10_000, 5.0, 120.0, failed=1), [True, True, True, False]),
    ],
)
def test_a_goal_is_reached_or_not(found: list[bool], reached: list[bool]):
    assert found == reached


def test_the_cost_of_a_request_is_processor_time_over_answers():
    load = Load(2.0, 100, 0, 0.01, 0.02, 1.0, 0.001, 0.002)
    assert (load.rate, load.cpu_per_request) == (50.0, 0.0001)
