"""`shoal experiment` and the demo on real processes."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.kit.experiment_line import experiment
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
pytest.importorskip("matplotlib")

GROUPS = "groups: {seed: {peers: 1, complete: true}, leecher: {peers: 2}}\n"
SMALL = f"content: {{size: 3 MiB}}\n{GROUPS}seed: 5\ntimeout: 1 min\n"
SIZE = 3 * 2**20


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The result of a small experiment."""
    place = tmp_path_factory.mktemp("experiment")
    (place / "small.yaml").write_text(SMALL)
    command = [sys.executable, "-P", "-m", "experiments", "run", str(place / "small.yaml")]
    command += ["-o", str(place / "result"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((place / "result" / "summary.json").read_text())
    return place / "result"


@pytest.fixture
def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def test_every_leecher_completes_and_every_byte_has_a_giver(summary):
    assert summary["backend"] == "processes"
    assert (summary["shaped_by"], summary["seed"], summary["trace"]) == ("nothing but the machine", 5, "")
    assert summary["config"]["content"] == {"size": SIZE, "tree": []}
    assert {name: group["peers"] for name, group in summary["config"]["groups"].items()} == {"seed": 1, "leecher": 2}
    metrics = summary["metrics"]
    assert [row["peer"] for row in metrics["downloads"]] == ["leecher-1", "leecher-2"]
    assert metrics["matrix"]["peers"] == ["seed-1", "leecher-1", "leecher-2"]
    taken = [sum(column) for column in zip(*metrics["matrix"]["bytes"], strict=True)]
    assert taken == [0, SIZE, SIZE]
    assert 0 < metrics["first_completion"] <= metrics["median_completion"] <= metrics["last_completion"]
    assert 0.5 <= metrics["seed_share"] <= 1


def test_no_event_of_any_process_is_lost(folder, summary):
    assert summary["events_lost"] == dict.fromkeys(["tracker", "seed-1", "leecher-1", "leecher-2"], 0)
    for process, count in summary["events"].items():
        lines = (folder / "events" / f"{process}.jsonl").read_text().splitlines()
        assert len(lines) == count > 0


def test_the_folder_holds_what_the_summary_lists_and_none_of_the_peers_state(folder, summary):
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(summary["files"]) == there
    assert {"summary.json", "report.md", "report.html", "cast.json", "logs/tracker.log"} <= there
    assert {"figures/completion.svg", "figures/bytes.png", "tables/transfers.parquet"} <= there
    assert not (folder / "state").exists()


def test_the_report_is_made_anew_from_the_events_alone(folder, summary):
    names = ("report.md", "report.html", "figures/completion.svg", "figures/bytes.png", "tables/progress.parquet")
    made = {name: (folder / name).read_bytes() for name in names}
    for name in made:
        (folder / name).unlink()
    ended = experiment("report", folder)
    assert ended.code == 0, ended.err
    assert ended.out == made["report.md"].decode()
    assert {name: (folder / name).read_bytes() for name in made} == made
    assert json.loads((folder / "summary.json").read_text()) == summary


def test_a_result_is_no_regression_of_itself_but_a_slower_one_is(folder, tmp_path):
    same = experiment("compare", folder, folder, "--threshold", "1%")
    assert same.code == 0, same.err
    assert same.out.endswith("no regression beyond 1%\n")
    slower = json.loads((folder / "summary.json").read_text())
    slower["metrics"]["last_completion"] *= 1.2
    (tmp_path / "slower").mkdir()
    (tmp_path / "slower" / "summary.json").write_text(json.dumps(slower))
    worse = experiment("compare", folder, tmp_path / "slower", "--json", "-o", tmp_path / "out")
    assert worse.code == 1, worse.err
    found = json.loads(worse.out)
    assert [row["name"] for row in found["changes"] if row["verdict"] == "regression"] == ["last_completion"]
    assert found == json.loads((tmp_path / "out" / "compare.json").read_text())
    assert (tmp_path / "out" / "compare.svg").exists()


def test_an_earlier_result_is_not_overwritten_unasked(folder):
    before = (folder / "summary.json").read_bytes()
    ended = experiment("run", folder.parent / "small.yaml", "-o", folder)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("shoal: ERR_PATH: ")
    assert "--replace" in ended.err
    assert (folder / "summary.json").read_bytes() == before


def test_what_a_run_left_is_replaced_whether_it_was_finished_or_not(tmp_path):
    slow, fast = tmp_path / "slow.yaml", tmp_path / "fast.yaml"
    slow.write_text(f"{SMALL.replace('1 min', '1 ms')}backend: sim\n")
    fast.write_text(f"{SMALL}backend: sim\n")
    (tmp_path / "twice.yaml").write_text(f"{SMALL}backend: sim\nrepetitions: 2\n")
    out = tmp_path / "out"
    assert experiment("run", slow, "-o", out).code == 6
    unasked = experiment("run", fast, "-o", out)
    assert (unasked.code, "say --replace" in unasked.err) == (2, True)
    for name in ("slow", "twice", "fast"):
        ended = experiment("run", tmp_path / f"{name}.yaml", "-o", out, "--replace")
        assert ended.code == (6 if name == "slow" else 0), ended.err
    assert not (out / "runs").exists()


def test_a_folder_that_is_no_result_is_never_deleted(tmp_path):
    (tmp_path / "fast.yaml").write_text(f"{SMALL}backend: sim\n")
    (tmp_path / "events").mkdir()
    ended = experiment("run", tmp_path / "fast.yaml", "-o", tmp_path, "--replace")
    assert (ended.code, ended.err) == (2, f"shoal: ERR_PATH: {tmp_path} is not empty; choose another folder\n")
    assert {path.name for path in tmp_path.iterdir()} == {"fast.yaml", "events"}


def test_a_run_that_was_refused_leaves_room_for_the_next(tmp_path):
    (tmp_path / "disk.yaml").write_text(
        f"{SMALL.replace('leecher: {', 'leecher: {disk: {read: 1 MiB/s}, ')}backend: sim\n"
    )
    arguments = ["run", tmp_path / "disk.yaml", "-o", tmp_path / "out"]
    refused = experiment(*arguments, "--backend", "inproc")
    assert (refused.code, "only with backend: sim" in refused.err) == (2, True)
    assert experiment(*arguments).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "{}/absent.yaml", "-o", "{}/out"], 2, "ERR_CONFIG: scenario"),
        (
            ["run", "{}/bad.yaml", "-o", "{}/out"],
            2,
            "groups.a.peers: expected a whole number from 1 to 100,000, found 0",
        ),
        (["run", "{}/bad.yaml"], 2, "ERR_USAGE: the following arguments are required: -o/--output"),
        (["report", "{}"], 1, "ERR_UNREADABLE: "),
        (["compare", "{}", "{}"], 2, "ERR_USAGE: cannot compare "),
        (["compare", "{}", "{}", "--threshold", "much"], 2, "ERR_USAGE: argument --threshold: "),
        ([], 2, "ERR_USAGE: "),
    ],
)
def test_what_is_wrong_with_a_command_is_one_line(tmp_path, arguments, code, words):
    (tmp_path / "bad.yaml").write_text("content: {size: 1}\ngroups: {a: {peers: 0}}\n")
    ended = experiment(*[argument.format(tmp_path) for argument in arguments])
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_an_experiment_that_takes_too_long_fails_and_leaves_its_events_but_no_process(tmp_path):
    (tmp_path / "slow.yaml").write_text(
        "content: {size: 8 MiB}\ntimeout: 1 s\n"
        "groups: {seed: {peers: 1, complete: true, up: 64 KiB/s}, leecher: {peers: 1}}\n"
    )
    ended = experiment("run", tmp_path / "slow.yaml", "-o", tmp_path / "out")
    assert ended.code == 6
    assert "ERR_TIMEOUT: waited 1 s for all downloads to end" in ended.err
    assert (tmp_path / "out" / "events" / "leecher-1.jsonl").stat().st_size > 0
    assert not (tmp_path / "out" / "state").exists()
    assert eventually(lambda: not processes_at(tmp_path), within=30)


def test_a_content_that_the_disk_has_no_room_for_is_one_line_and_is_not_left_there(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "experiments", "run", tmp_path / "small.yaml", "-o", tmp_path / "out"],
        capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"shoal: ERR_DISK_FULL: {tmp_path / 'out'} has not enough room for this experiment")
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["run.json"]


@pytest.mark.parametrize(("repetitions", "place"), [(1, "out"), (2, "out/runs/5")])
def test_a_run_that_is_terminated_leaves_no_state_and_no_process(tmp_path, repetitions, place):
    slow = SMALL.replace("complete: true", "complete: true, up: 64 KiB/s")
    (tmp_path / "slow.yaml").write_text(f"{slow}repetitions: {repetitions}\n")
    command = [sys.executable, "-P", "-m", "experiments", "run", tmp_path / "slow.yaml", "-o", tmp_path / "out"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    eventually((tmp_path / place / "events" / "leecher-1.jsonl").exists, within=60)
    assert (tmp_path / place / "state").exists()
    running.terminate()
    _, told = running.communicate(timeout=60)
    assert (running.returncode, "Traceback" in told) == (130, False)
    assert not (tmp_path / place / "state").exists()
    assert eventually(lambda: not processes_at(tmp_path), within=30)


def test_a_repetition_that_is_killed_leaves_no_state(tmp_path):
    slow = SMALL.replace("complete: true", "complete: true, up: 64 KiB/s")
    (tmp_path / "slow.yaml").write_text(f"{slow}repetitions: 2\n")
    command = [sys.executable, "-P", "-m", "experiments", "run", tmp_path / "slow.yaml", "-o", tmp_path / "out"]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    first = tmp_path / "out" / "runs" / "5"
    eventually((first / "events" / "leecher-1.jsonl").exists, within=60)
    (run,) = psutil.Process(running.pid).children()
    run.kill()
    eventually(lambda: not (first / "state").exists(), within=30)
    running.terminate()
    assert running.wait(60) == 130
    assert eventually(lambda: not processes_at(tmp_path), within=30)


def test_the_command_line_leads_to_the_experiments(tmp_path):
    command = [str(Path(sys.executable).with_name("shoal")), "experiment", "report", str(tmp_path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("shoal: ERR_UNREADABLE: ")


def test_the_demo_tells_its_story_and_ends_by_itself(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-P", "-m", "experiments.demo"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("found holiday", "100 %", "files and folders are the same", "SUCCESSFUL_UPLOAD", "Done in"):
        assert words in done.stdout
    assert list(tmp_path.iterdir()) == []
    assert eventually(lambda: not processes_at(tmp_path), within=30)


def processes_at(folder: Path) -> list[str]:
    """Command lines of processes that were started for a base directory below a folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        base_dir = (process.info["environ"] or {}).get("SHOAL_BASE_DIR", "")
        words = [base_dir, *(process.info["cmdline"] or [])]
        if any(word.startswith(str(folder)) for word in words):
            found.append(" ".join(words))
    return found
