from __future__ import annotations

import os
import shutil

import pytest

from bus.errors import ERR_DISK_FULL, ERR_FAILURE, ShoalError
from experiments.bench.contest import Case, Contest, check_room
from experiments.bench.records import Figure, Run


class Contender:
    """Writes down when it ran."""

    how = "somehow"

    def __init__(self, name, log, fails_in=None, missing=""):
        self.name = name
        self._log = log
        self._fails_in = fails_in
        self._missing = missing
        self._runs = 0

    def missing(self):
        return self._missing

    def run(self, job, work):
        assert not any(work.iterdir())
        (work / "left behind").touch()
        self._log.append((self.name, job))
        self._runs += 1
        if self._runs == self._fails_in:
            raise ShoalError(ERR_FAILURE, f"{work}/file broke")
        return Run(float(self._runs), [])


def case(directory, contenders, warm_up=None):
    def prepare(folder):
        (folder / "material").touch()
        return "job"

    return Case("name", "title", 1, contenders, prepare, lambda _: [], directory, 0, warm_up)


def measure(directory, contenders, rounds=2, warm_up=None, notes=None):
    note = (lambda _: None) if notes is None else notes.append
    return Contest(case(directory, contenders, warm_up), rounds, note).measure("command")


def test_all_meet_in_every_round_and_each_begins_one(tmp_path):
    log: list[tuple[str, str]] = []
    measure(tmp_path, [Contender("a", log), Contender("b", log)])
    assert "".join(name for name, _ in log) == "ab" + "ba" + "ab"


def test_the_warm_up_does_not_count(tmp_path):
    result = measure(tmp_path, [Contender("a", [])])
    assert [run.seconds for run in result.runs_of("a")] == [2.0, 3.0]


def test_the_warm_up_may_have_a_smaller_job(tmp_path):
    log: list[tuple[str, str]] = []
    measure(tmp_path, [Contender("a", log)], rounds=1, warm_up=lambda _: "small job")
    assert [job for _, job in log] == ["small job", "job"]


def test_nothing_is_left_on_the_disk(tmp_path):
    measure(tmp_path, [Contender("a", []), Contender("b", [], fails_in=2)])
    assert not any(tmp_path.iterdir())


def test_what_a_killed_run_left_is_removed_and_what_a_running_one_has_is_not(tmp_path):
    left, used = tmp_path / f"shoal-bench-{2**22 + 1}-abc", tmp_path / f"shoal-bench-{os.getpid()}-abc"
    for folder in (left, used):
        folder.mkdir()
        (folder / "file").touch()
    measure(tmp_path, [Contender("a", [])])
    assert list(tmp_path.iterdir()) == [used]


def test_one_that_fails_is_absent_and_the_others_go_on(tmp_path):
    notes: list[str] = []
    result = measure(tmp_path, [Contender("a", [], fails_in=2), Contender("b", [])], notes=notes)
    assert [len(entry.runs) for entry in result.entries] == [0, 2]
    assert result.entries[0].absent == "failed: ERR_FAILURE: file broke"
    assert "NOT MEASURED: a failed: ERR_FAILURE: file broke" in notes


def test_one_that_is_not_installed_is_said_loudly_and_leaves_the_table_incomplete(tmp_path):
    notes: list[str] = []
    log: list[tuple[str, str]] = []
    result = measure(tmp_path, [Contender("a", log), Contender("b", log, missing="b: install it")], notes=notes)
    assert notes[0] == "NOT MEASURED: b: b: install it"
    assert {name for name, _ in log} == {"a"}
    assert result.figures == [Figure("contenders measured", "all", "without b", False)]
    assert not result.reached


def test_what_does_not_fit_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ShoalError, match="are needed; choose a --size") as raised:
        check_room(shutil.disk_usage(tmp_path).total, tmp_path)
    assert raised.value.code == ERR_DISK_FULL
