"""Sweeps as users start them: simulated runs, each in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import experiments
from tests.kit.experiment_line import experiment
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
pl = pytest.importorskip("polars")
pytest.importorskip("matplotlib")

SMALL = """
content: {size: 3 MiB}
groups:
  seed: {peers: 1, complete: true, up: 1 MiB/s}
  leecher: {peers: 2, up: 1 MiB/s}
backend: sim
timeout: 20 s
metrics: [last_completion]
"""
PEERS = "groups.leecher.peers=2,3"


def command_of(*arguments: object) -> list[str]:
    return [sys.executable, "-P", "-m", "experiments", *map(str, arguments)]


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    file = tmp_path_factory.mktemp("scenario") / "small.yaml"
    file.write_text(SMALL)
    return file


@pytest.fixture(scope="module")
def swept(scenario, tmp_path_factory):
    """A sweep of two points and two seeds that was killed after its first run, and then the same command again."""
    folder = tmp_path_factory.mktemp("sweep") / "out"
    arguments = ["sweep", scenario, "--set", PEERS, "--seeds", "1-2", "--jobs", "1", "-o", folder]
    sweep = subprocess.Popen(command_of(*arguments), stderr=subprocess.DEVNULL)
    eventually(lambda: summaries(folder), within=60)
    sweep.send_signal(signal.SIGKILL)
    sweep.wait()
    eventually(lambda: not processes_at(folder), within=30)  # none outlives it
    before = {path: path.stat().st_mtime_ns for path in summaries(folder)}
    ended = experiment(*arguments)
    assert ended.code == 0, ended.err
    return folder, before, ended


def summaries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("summary.json"))


def processes_at(folder: Path) -> list[list[str]]:
    """Command lines of runs in a folder."""
    found = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [words for words in found if str(folder) in words]


def test_a_sweep_that_was_killed_goes_on_with_what_is_missing(swept):
    folder, before, ended = swept
    assert 1 <= len(before) < 4
    assert {path: path.stat().st_mtime_ns for path in before} == before
    lines = [line for line in ended.err.splitlines() if line.startswith("sweep: ")]
    assert [line.split()[1] for line in lines] == [f"{count}/4" for count in range(len(before) + 1, 5)]
    assert len(summaries(folder)) == 4


def test_the_rows_of_a_sweep_tell_the_keys_the_seed_and_the_metrics_of_every_run(swept):
    folder, _, _ = swept
    frame = pl.read_parquet(folder / "results.parquet")
    assert frame.select("groups.leecher.peers", "seed").rows() == [(2, 1), (2, 2), (3, 1), (3, 2)]
    assert frame["median_completion"].dtype == pl.Float64
    assert frame["last_completion"].min() > 2.6  # one copy takes 3 s, less what the idle seed's limit has saved


def test_a_run_of_a_sweep_is_the_run_of_that_scenario_with_that_seed(swept, scenario, tmp_path):
    folder, _, _ = swept
    file = tmp_path / "small.yaml"
    file.write_text(SMALL.replace("peers: 2", "peers: 3"))
    experiments.run(file, seed=2, folder=tmp_path / "alone")
    alone = json.loads((tmp_path / "alone" / "summary.json").read_text())
    one = json.loads((folder / "points" / "002_groups.leecher.peers=3" / "runs" / "2" / "summary.json").read_text())
    for what in ("config", "seed", "trace", "metrics", "events"):
        assert one[what] == alone[what]


def test_a_failed_run_is_told_the_others_go_on_and_the_command_fails(scenario, tmp_path):
    arguments = ["sweep", scenario, "--set", "timeout=1 s,20 s", "-o", tmp_path / "out", "--json"]
    ended = experiment(*arguments)
    assert ended.code == 1
    swept = json.loads(ended.out)
    assert (swept["runs"], swept["done"]) == (2, 1)
    assert [(row["point"], row["seed"]) for row in swept["failed"]] == [("timeout=1 s", 1)]
    assert swept["failed"][0]["error"].startswith("ERR_TIMEOUT: waited 1 s for all downloads to end")
    assert "timeout=1 s seed 1: FAILED, ERR_TIMEOUT: " in ended.err
    assert ended.err.splitlines()[-1].startswith("shoal: ERR_FAILURE: 1 of 2 runs have no result")
    assert (tmp_path / "out" / "points" / "001_timeout=1s" / "runs" / "1.log").exists()
    assert pl.read_parquet(tmp_path / "out" / "results.parquet")["timeout"].to_list() == [20.0]


def test_when_all_repetitions_fail_the_command_ends_with_one_line(tmp_path):
    (tmp_path / "twice.yaml").write_text(f"{SMALL.replace('20 s', '1 s')}repetitions: 2\n")
    for arguments in (["run", tmp_path / "twice.yaml", "-o", tmp_path / "out"], ["report", tmp_path / "out"]):
        ended = experiment(*arguments)
        assert (ended.code, ended.out) == (1, "")
        told = [line for line in ended.err.splitlines() if not line.startswith("sweep: ")]
        assert len(told) == 1
        assert told[0].startswith("shoal: ERR_FAILURE: 2 of 2 runs have no result")


def test_a_repetition_that_crashes_ends_only_itself(tmp_path):
    (tmp_path / "twice.yaml").write_text(f"{SMALL}seed: 7\nrepetitions: 2\n")
    command, runs = command_of("run", tmp_path / "twice.yaml", "-o", tmp_path / "out"), tmp_path / "out" / "runs"
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    eventually(lambda: psutil.Process(running.pid).children(), within=60)[0].kill()
    _, told = running.communicate(timeout=120)
    assert running.returncode == 1
    (failed,), (done,) = [path.stem for path in runs.glob("*.log")], [path.parent.name for path in summaries(runs)]
    assert {failed, done} == {"7", "8"}
    assert f"seed {failed}: FAILED, ERR_FAILURE: its process was ended by SIGKILL" in told
    assert pl.read_parquet(tmp_path / "out" / "results.parquet")["seed"].to_list() == [int(done)]


def test_an_interrupted_sweep_says_how_to_go_on_and_leaves_no_process(scenario, tmp_path):
    arguments = ["sweep", scenario, "--seeds", "1-9", "--jobs", "1", "-o", tmp_path / "out"]
    sweep = subprocess.Popen(command_of(*arguments), stderr=subprocess.PIPE, text=True)
    # A run has begun, so the sweep is past the fork, where Python may lose a KeyboardInterrupt.
    eventually((tmp_path / "out" / "runs" / "1").exists, within=60)
    sweep.send_signal(signal.SIGINT)
    _, told = sweep.communicate(timeout=120)
    assert sweep.returncode == 130
    assert told.splitlines()[-1] == "sweep: interrupted; the same command goes on with what is missing"
    assert not processes_at(tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "groups.leecher.peers=2,none"], "groups.leecher.peers: expected a whole number"),
        (["--dask", "nonsense://here"], "--dask: expected tcp://HOST:PORT"),
    ],
)
def test_what_is_wrong_with_a_sweep_is_one_line_and_nothing_is_started(scenario, tmp_path, arguments, words):
    ended = experiment("sweep", scenario, *arguments, "-o", tmp_path / "out")
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_workers_of_a_dask_cluster_hand_back_what_matters(scenario, swept, tmp_path):
    distributed = pytest.importorskip("distributed", reason="DASK NOT TESTED: distributed is not installed")
    out, twice, one_point = tmp_path / "out", tmp_path / "twice", "groups.leecher.peers=3"
    # The worker is a thread here, for a second that a process would take; its runs are processes anyway.
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        protocol="tcp://",
        dashboard_address=None,
        local_directory=str(tmp_path / "dask"),
    ) as cluster:
        address = cluster.scheduler_address
        ended = experiment("sweep", scenario, "--set", one_point, "--seeds", "1-2", "-o", out, "--dask", address)
        again = experiment("sweep", scenario, "--seeds", "1-2", "-o", twice, "--dask", address)
    assert ended.code == 0, ended.err
    here, there = (pl.read_parquet(folder / "results.parquet") for folder in (swept[0], out))
    assert here.filter(pl.col("groups.leecher.peers") == 3).equals(there)
    assert not list(out.rglob("events"))
    assert list(out.rglob("cast.json"))
    assert list(out.rglob("report.html")) == [out / "report.html"]  # as in any grid
    assert again.code == 0, again.err
    assert "In 2 runs 4 of 4 leechers finished" in again.out
    assert "In 2 runs 4 of 4 leechers finished" in experiment("report", twice).out
    assert [(twice / "runs" / seed / "report.html").exists() for seed in "12"] == [True, True]
