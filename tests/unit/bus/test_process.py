"""A program in a process of its own: its log, its readiness, its end."""

from __future__ import annotations

import signal
import sys

import pytest

from bus import process as module
from bus.errors import ERR_PORT_IN_USE, ShoalError
from bus.process import Process, told_by
from bus.ready import GatewayReady, TrackerReady
from tests.kit.waiting import eventually


@pytest.fixture
def run(tmp_path):
    started = []

    def start(code, **environment):
        command = [sys.executable, "-c", code]
        started.append(Process(command, environment, tmp_path / "data" / "ready.json", tmp_path / "logs" / "it.log"))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def ended(process):
    eventually(lambda: process.ended() is not None, within=10)
    return process.ended()


SERVE = """
import os, time
from bus.ready import GatewayReady, announce_ready
announce_ready(GatewayReady("north", "http://h:1", "t", os.getpid() + int(os.environ["OFF"])), os.environ)
time.sleep(60)
"""


def test_it_serves_when_its_file_holds_its_pid(run):
    process = run(SERVE, OFF="0")
    assert eventually(lambda: process.served(GatewayReady), within=10).pid == process.pid


def test_the_file_of_another_process_says_nothing(run):
    process = run(SERVE, OFF="1")
    eventually(process.ready_file.exists, within=10)
    assert process.served(GatewayReady) is None


def test_the_file_of_an_earlier_run_is_removed(run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ready.json").write_text("{}")
    assert run("pass").served(TrackerReady) is None


@pytest.mark.parametrize(
    ("code", "exit_code"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)]
)
def test_its_exit_code_is_known_once_it_has_ended(run, code, exit_code):
    process = run(code)
    assert ended(process) == exit_code
    assert process.kill() == exit_code


def test_it_is_asked_to_end(run):
    process = run("import time; print('on', flush=True); time.sleep(60)")
    eventually(process.log.read_text, within=10)
    assert process.ended() is None
    process.terminate()
    assert ended(process) == -signal.SIGTERM


def test_its_last_words_are_its_error_line_of_this_run(run):
    ended(run("print('shoal: ERR_PATH: old')"))
    process = run("print('first'); print('shoal: ERR_PATH: new'); print('last')")
    ended(process)
    assert process.last_words() == "shoal: ERR_PATH: new"
    silent = run("pass")
    ended(silent)
    assert silent.last_words() == ""


def test_without_an_error_line_the_last_line_counts(run):
    process = run("print('first'); print('last')")
    ended(process)
    assert process.last_words() == "last"


def test_a_long_log_is_put_aside(run, monkeypatch):
    monkeypatch.setattr(module, "LOG_MAX", 10)
    first = run("print('longer than ten bytes')")
    ended(first)
    ended(run("print('short')"))
    assert first.log.read_text() == "short\n"
    assert first.log.with_name("it.log.1").read_text() == "longer than ten bytes\n"


def test_logs_are_for_their_owner_only(run):
    process = run("pass")
    ended(process)
    assert process.log.stat().st_mode & 0o777 == 0o600
    assert process.log.parent.stat().st_mode & 0o777 == 0o700


def test_a_program_that_cannot_be_started_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Process(["/nonexistent"], {}, tmp_path / "ready.json", tmp_path / "log")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("shoal: ERR_PORT_IN_USE: port 5000 is taken", ShoalError(ERR_PORT_IN_USE, "port 5000 is taken")),
        ("shoal: ERR_NONSENSE: what", None),
        ("Traceback", None),
        ("", None),
    ],
)
def test_an_error_line_is_read_back(line, error):
    assert str(told_by(line)) == str(error)
