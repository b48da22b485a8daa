"""Arrivals, departures, churn and failures in the simulator, and one seed giving one recording."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from bus.errors import ERR_TIMEOUT, ShoalError
from bus.events import (
    ChunkRejected,
    ContentShared,
    LinkIsLost,
    PeerStarted,
    PeerStopping,
    TransferStarted,
    UploadProgress,
)
from experiments.backends import simulated
from experiments.runner import run
from experiments.scenario import scenario_of
from tests.kit.scenes import GOOD, MIB, scene

ALL = GOOD + 2


def failing(folder, **failure):
    return scene(folder, failures=[{"at": "1 s", **failure}])


def start_of(played):
    return min(time for _, time, _ in played.events(TransferStarted))


def test_who_is_killed_returns_with_what_it_had(tmp_path):
    played = failing(tmp_path, do="kill", group="bad", lasts="2 s")
    assert len(played.completed("bad")) == 2
    for name in ("bad-1", "bad-2"):
        first, second = [time for _, time, _ in played.events(PeerStarted, name)]
        assert second - first == pytest.approx(simulated.IDLE + 3.0, abs=0.1)
        # Nothing that it held when it was killed came again.
        assert played.completed("bad")[name] - second < 3.5
    assert not list(played.events(PeerStopping))


def test_nobody_waits_for_who_is_killed_for_good(tmp_path):
    played = failing(tmp_path, do="kill", group="good", count=2)
    assert len(played.completed("good")) == GOOD - 2


def test_who_is_paused_goes_on_afterwards(tmp_path):
    played = failing(tmp_path, do="pause", peers=["good-1"], lasts="12 s")
    completed, start = played.completed("good"), start_of(played)
    assert completed.pop("good-1") - start > 13.0
    assert max(completed.values()) - start < 8.0


def test_nothing_crosses_a_partition_until_it_is_mended(tmp_path):
    played = failing(tmp_path, do="partition", peers=["good-1"], lasts="30 s")
    completed, start = played.completed("good"), start_of(played)
    assert completed.pop("good-1") - start > 31.0
    assert max(completed.values()) - start < 8.0
    # Both sides hear nothing of each other and give their links up.
    assert [name for name, time, _ in played.events(LinkIsLost, "good-1") if 10 < time - start < 25]


def test_a_short_partition_costs_no_link(tmp_path):
    played = failing(tmp_path, do="partition", peers=["good-1"], lasts="5 s")
    assert 5.9 < played.completed("good")["good-1"] - start_of(played) < 9.0
    assert not list(played.events(LinkIsLost, "good-1"))


def test_corruption_ends_when_it_is_mended(tmp_path):
    played = failing(tmp_path, do="corrupt", peers=["good-1"], lasts="1 s")
    assert len(played.completed("")) == ALL
    times = [time - start_of(played) for _, time, _ in played.events(ChunkRejected)]
    assert times
    assert all(1.0 <= time < 2.2 for time in times)


def test_delay_and_cap_are_felt_by_whom_they_strike(tmp_path):
    plain = scene(tmp_path / "plain")
    late = scene(tmp_path / "late", failures=[{"at": 0, "do": "delay", "group": "bad", "delay": "300 ms"}])
    capped = scene(tmp_path / "capped", failures=[{"at": 0, "do": "cap", "group": "bad", "rate": "64 KiB/s"}])
    assert late.given("bad", "good") < 0.7 * plain.given("bad", "good")
    assert capped.given("bad", "good") < 0.3 * plain.given("bad", "good")


def test_a_cap_that_ends_while_its_peer_is_away_is_gone_when_it_is_back(tmp_path):
    failures = [
        {"at": "500 ms", "do": "cap", "group": "seed", "rate": "32 KiB/s", "lasts": "2 s"},
        {"at": "1 s", "do": "kill", "group": "seed", "lasts": "3 s"},
    ]
    played = scene(tmp_path, failures=failures)
    assert max(played.completed("").values()) - start_of(played) < 12.0  # 4 MiB of a capped seed take 2 minutes


def test_churn_takes_peers_away_and_brings_them_back(tmp_path):
    leave = {"session": "1 s", "pause": "500 ms"}
    played = scene(tmp_path, bad={"leave": leave}, content={"size": "6 MiB"})
    assert len(played.completed("")) == ALL
    assert len(list(played.events(PeerStarted, "bad"))) > 4
    assert len(list(played.events(PeerStopping, "bad"))) > 4


def test_a_seed_that_is_back_at_once_serves_at_once(tmp_path):
    groups = {
        # It leaves after 1.1 s, is away for 0.3 s, and stays for 2.1 s then.
        "giver": {"peers": 1, "complete": True, "up": "1 MiB/s", "leave": {"session": "800 ms", "pause": "240 ms"}},
        "good": {"peers": GOOD, "up": "1 MiB/s"},
    }
    played = scene(tmp_path, groups=groups)
    stopped = min(time for _, time, _ in played.events(PeerStopping, "giver"))
    returned = min(time for _, time, _ in played.events(PeerStarted, "giver") if time > stopped)
    assert returned - stopped == pytest.approx(0.3, abs=0.01)
    assert [time for _, time, _ in played.events(UploadProgress, "giver") if returned < time < returned + 2.0]


def test_who_does_not_linger_leaves_on_completion(tmp_path):
    played = scene(tmp_path, bad={"leave": {"linger": "250 ms"}}, stop="time", timeout="10 s")
    for name, completed in played.completed("bad").items():
        stopped = [time for _, time, _ in played.events(PeerStopping, name)]
        assert stopped == [pytest.approx(completed + 0.25, abs=0.01)]
    assert not list(played.events(PeerStopping, "good"))


def late(folder, arrives, **more):
    """One of the bad comes so late, and something happens to it at 1 s."""
    failures = [{"at": "1 s", "peers": ["bad-2"], **more}]
    return scene(folder, bad={"arrival": {"trace": ["0 s", arrives]}}, failures=failures, content={"size": "8 MiB"})


def test_who_is_killed_for_good_before_it_arrives_never_comes(tmp_path):
    played = late(tmp_path, "3 s", do="kill")
    assert len(played.completed("")) == ALL - 1
    assert not [name for name, _, _ in played.events(PeerStarted, "bad-2")]
    assert list(played.completed("bad")) == ["bad-1"]


@pytest.mark.parametrize(("lasts", "begins"), [("1 s", 3.0), ("2500 ms", 3.5)])
def test_who_is_killed_before_it_arrives_runs_idle_once_it_returns_and_begins_when_it_is_to(tmp_path, lasts, begins):
    played = late(tmp_path, "3 s", do="kill", lasts=lasts)
    [(_, time, _)] = played.events(TransferStarted, "bad-2")
    assert time - start_of(played) == pytest.approx(begins, abs=0.05)
    assert len(list(played.events(PeerStarted, "bad-2"))) == 1
    assert len(played.completed("")) == ALL


def test_what_strikes_a_peer_before_it_arrives_holds_when_it_is_there(tmp_path):
    whole = late(tmp_path / "whole", "2 s", do="cap", rate="32 KiB/s", lasts="100 ms").given("bad-2", "good")
    capped = late(tmp_path / "capped", "2 s", do="cap", rate="32 KiB/s").given("bad-2", "good")
    assert capped < 0.3 * whole
    parted = late(tmp_path / "parted", "2 s", do="partition", lasts="30 s")
    assert parted.completed("bad")["bad-2"] - start_of(parted) > 31.0
    corrupt = late(tmp_path / "corrupt", "2 s", do="corrupt")
    [bad_2] = next(member.ids for member in corrupt.recording.cast if member.name == "bad-2")
    assert {event.peer for _, _, event in corrupt.events(ChunkRejected)} == {bad_2}


def test_a_seed_that_is_killed_before_it_arrives_shares_from_its_arrival_on(tmp_path):
    seeds = {"peers": 1, "up": "2 MiB/s", "complete": True}
    groups = {"seed": seeds, "late": {**seeds, "arrival": {"at": "2 s"}}, "good": {"peers": GOOD, "up": "1 MiB/s"}}
    for lasts, begins in (("500 ms", 2.0), ("2 s", 2.5)):
        failures = [{"at": "500 ms", "do": "kill", "group": "late", "lasts": lasts}]
        played = scene(tmp_path / lasts, groups=groups, failures=failures, content={"size": "16 MiB"})
        [shared] = [time for _, time, _ in played.events(ContentShared, "late")]
        assert shared - start_of(played) == pytest.approx(begins, abs=0.05)
        assert played.given("late", "good")


def test_peers_arrive_when_they_are_to(tmp_path):
    played = scene(tmp_path, bad={"arrival": {"trace": ["1 s", "2500 ms"]}})
    start = start_of(played)
    started = {name: time - start for name, time, _ in played.events(TransferStarted, "bad")}
    assert started == {"bad-1": pytest.approx(1.0, abs=0.05), "bad-2": pytest.approx(2.5, abs=0.05)}


def test_a_peer_runs_idle_before_it_arrives_as_real_ones_do(tmp_path):
    played = scene(tmp_path, bad={"arrival": {"trace": ["1 s", "2500 ms"]}})
    for name in ("good-1", "bad-2"):
        [running], [fetching] = [
            [time for _, time, _ in played.events(kind, name)] for kind in (PeerStarted, TransferStarted)
        ]
        assert fetching - running == pytest.approx(simulated.IDLE, abs=0.01)


def test_latency_makes_a_swarm_slower_and_the_world_can_shape_it_too(tmp_path):
    near, far = scene(tmp_path / "near"), scene(tmp_path / "far", network={"latency": "100 ms"})
    shaped = scene(tmp_path / "shaped", network={"shaped_by": "world"})
    assert max(far.completed("").values()) > max(near.completed("").values()) + 0.3
    assert (near.recording.shaped_by, shaped.recording.shaped_by) == (
        "Shoal's own limits, simulated", "the simulated world",
    )  # fmt: skip
    # 7 leechers, 4 MiB each, from uplinks of 9 MiB/s together.
    assert max(shaped.completed("").values()) > 28 / 9


def test_a_slow_disk_makes_its_peers_late_and_those_whom_they_feed(tmp_path):
    plain = scene(tmp_path / "plain")
    start = start_of(plain)
    writing = scene(tmp_path / "writing", bad={"disk": {"write": "512 KiB/s"}})
    hashing = scene(tmp_path / "hashing", bad={"disk": {"write": "1 MiB/s", "hash": "1 MiB/s"}})
    reading = scene(tmp_path / "reading", bad={"disk": {"read": "32 KiB/s"}})
    assert min(writing.completed("bad").values()) - start > 8.0  # 4 MiB at 512 KiB a second
    assert min(hashing.completed("bad").values()) - start > 8.0
    assert max(writing.completed("good").values()) - start < 8.0
    assert reading.given("bad", "good") < 0.3 * plain.given("bad", "good")


def test_a_tree_is_fetched_whole(tmp_path):
    played = scene(tmp_path, content={"tree": [{"files": 100, "size": "8 KiB"}, {"files": 2, "size": "1 MiB"}]})
    assert len(played.completed("")) == ALL
    assert played.size == 100 * 8192 + 2 * MIB


def test_what_takes_too_long_fails_and_leaves_its_events(tmp_path):
    with pytest.raises(ShoalError, match="waited 1 s for all downloads to end") as raised:
        scene(tmp_path, timeout="1 s")
    assert raised.value.code == ERR_TIMEOUT
    assert (tmp_path / "events" / "good-1.jsonl").stat().st_size > 0


def test_many_peers_share_one_file_that_has_what_metrics_need(tmp_path, monkeypatch):
    monkeypatch.setattr(simulated, "SEPARATE", 10)
    groups = {"seed": {"peers": 1, "complete": True}, "a": {"peers": 10, "arrival": {"poisson": 50}}}
    scenario = scenario_of({"content": {"size": "256 KiB"}, "groups": groups, "backend": "sim"})
    recording = simulated.record(scenario, 1, "many", tmp_path)
    assert {path.name for path in (tmp_path / "events").iterdir()} == {"peers.jsonl", "tracker.jsonl"}
    text = (tmp_path / "events" / "peers.jsonl").read_text()
    assert text.count('"type":"transfer.completed"') == 10
    assert '"type":"link.up"' not in text
    assert recording.heard["peers"] == len(text.splitlines())


CROOKED = {
    "content": {"size": "512 KiB"},
    "groups": {
        "seed": {"peers": 1, "complete": True, "up": "1 MiB/s"},
        "good": {"peers": 4, "up": "1 MiB/s"},
        "rider": {"peers": 2, "up": "1 MiB/s", "behaviour": "free-rider"},
    },
    "backend": "sim",
}


def test_in_one_file_or_in_many_there_are_the_same_numbers(tmp_path, monkeypatch):
    many = run(scenario_of(CROOKED), "many", tmp_path / "many", report=False)
    monkeypatch.setattr(simulated, "SEPARATE", 5)
    one = run(scenario_of(CROOKED), "many", tmp_path / "one", report=False)
    assert [row.behaviour for row in one.metrics.behaviours if row.taken] == ["free-rider", "honest"]
    assert one.metrics == many.metrics


def test_numbers_that_need_progress_are_absent_where_nobody_tells_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(simulated, "SILENT", 6)
    whole = run(scenario_of(CROOKED), "whole", tmp_path / "whole", report=False)
    assert [row.taken for row in whole.metrics.behaviours] == [None, None]
    silent = run(scenario_of({**CROOKED, "stop": "time", "timeout": "400 ms"}), "silent", tmp_path / "cut")
    assert not silent.progress
    assert silent.metrics.late is not None
    assert (silent.metrics.late.waiting > 0, silent.metrics.late.lacking_one) == (True, None)
    assert not {"figures/progress.svg", "figures/availability.svg"} & set(silent.files)
    assert "lack one" not in (tmp_path / "cut" / "report.md").read_text()


PROGRAM = """
import sys
from pathlib import Path
from experiments.backends.simulated import record
from experiments.scenario import read_scenario
print(record(read_scenario(Path(sys.argv[1])), int(sys.argv[2]), "same", Path(sys.argv[3])).trace)
"""
MIXED = """
content: {tree: [{files: 20, size: 16 KiB}, {files: 1, size: 1 MiB}]}
groups:
  seed: {peers: 1, complete: true, up: 2 MiB/s}
  good: {peers: 4, up: 1 MiB/s, arrival: {poisson: 4}}
  bad: {peers: 1, up: 1 MiB/s, behaviour: whitewasher}
  churning: {peers: 2, up: 1 MiB/s, leave: {session: 1 s, pause: 300 ms}}
failures: [{at: 500 ms, do: partition, group: good, count: 2, lasts: 1 s}, {at: 1 s, do: kill, group: good, count: 1, lasts: 1 s}]
backend: sim
"""  # noqa: E501


def test_one_seed_gives_the_same_bytes_in_a_process_with_another_hash_seed(tmp_path):
    (tmp_path / "mixed.yaml").write_text(MIXED)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "mixed.yaml"), seed, str(tmp_path / name)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed}, stdout=subprocess.PIPE, text=True,
        )
        for name, seed, hash_seed in (("one", "7", "1"), ("again", "7", "2"), ("other", "8", "1"))
    ]  # fmt: skip
    traces = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    one, again, other = (
        {path.name: hashlib.sha256(path.read_bytes()).digest() for path in (tmp_path / name / "events").iterdir()}
        for name in ("one", "again", "other")
    )
    assert one == again != other
    assert traces[0] == traces[1] != traces[2]
    assert len(traces[0].strip()) == 64
