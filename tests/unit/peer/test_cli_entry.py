"""Every command line ends in data on stdout or one line on stderr, and the documented exit code."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

from bus.errors import CODES, INTERRUPTED, ShoalError
from bus.places import DirectoryLock, PeerPlaces
from peer import cli
from peer.cli import entry, launching
from peer.cli.session import Session


def run(capsys, *arguments):
    """Exit code, stdout, stderr."""
    code = entry.run(arguments)
    return code, *capsys.readouterr()


@pytest.fixture
def raising(monkeypatch):
    """Makes `shoal status` raise."""

    def arm(error):
        def fail(self, *_sections):
            raise error

        monkeypatch.setattr(Session, "state", fail)

    return arm


def test_help_names_every_command_of_this_version(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    listed = {
        line.split()[0] for line in out.split("Commands:")[1].splitlines() if line.startswith("  ") and line.split()
    }
    assert listed >= {
        "up", "tracker", "peer", "gateway", "share", "unshare", "search", "get", "ls", "status", "peers", "reputation",
        "pause", "resume", "verify", "remove", "limit", "priority", "explain", "tap", "config", "experiment", "doctor",
    }  # fmt: skip


@pytest.mark.parametrize("command", sorted(set(entry.shoal.commands) - {"experiment"}))  # that has a program's own
def test_every_command_has_help(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert out.startswith(f"Usage: shoal {command} ")


@pytest.mark.parametrize("command", sorted(entry.shoal.commands))
def test_every_command_takes_the_common_options(command):
    assert {"--peer", "--base-dir", "--config", "--json", "--verbose", "--quiet", "--version"} <= {
        name for parameter in entry.shoal.commands[command].params for name in parameter.opts
    }


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["nonsense"], "shoal --help"),
        (["ls", "--nonsense"], "shoal ls --help"),
        (["get"], "shoal get --help"),
        (["tap", "--count", "0"], "shoal tap --help"),
        (["config", "nonsense"], "shoal config --help"),
    ],
)
def test_a_wrong_command_line_is_one_line_that_says_where_help_is(capsys, arguments, where):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("shoal: ERR_USAGE: ")
    assert err.endswith(f"see {where}\n")
    assert err.count("\n") == 1


def test_no_arguments_show_the_help(capsys):
    code, out, err = run(capsys)
    assert (code, out) == (2, "")
    assert "Usage: shoal" in err


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_error_is_one_line_with_its_code_and_exit_code(capsys, raising, code):
    raising(ShoalError(code, "what\nand where"))
    assert run(capsys, "--json", "status") == (CODES[code].exit_code, "", f"shoal: {code}: what and where\n")


def test_an_interruption_is_no_error(capsys, raising):
    raising(KeyboardInterrupt())
    assert run(capsys, "status") == (130, "", "\n")  # the line that ^C stands in is ended


@pytest.mark.parametrize("module", ["click", "peer.cli.entry", "msgspec", "zmq", "bus.messages"])
def test_ctrl_c_at_any_import_is_130_without_a_traceback(tmp_path, module):
    code = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from peer.cli import main\n"
        "main()"
    )
    (tmp_path / "peers" / "north").mkdir(parents=True)
    command = [sys.executable, "-c", code, "--base-dir", str(tmp_path), "ls", "--peer", "north"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "")


def test_the_code_of_an_interruption_is_the_documented_one():
    assert cli.INTERRUPTED == INTERRUPTED


def test_a_crash_is_one_line_that_says_how_to_see_more(capsys, raising):
    raising(RuntimeError("boom"))
    code, out, err = run(capsys, "status")
    assert (code, out) == (1, "")
    assert err == "shoal: ERR_FAILURE: this is a bug: RuntimeError: boom; run it again with -vv to see where\n"


@pytest.mark.parametrize("arguments", [["-vv", "status"], ["status", "-vv"], ["-v", "status", "-v"]])
def test_a_crash_shows_where_it_was_to_who_asked(capsys, raising, arguments):
    raising(RuntimeError("boom"))
    _, _, err = run(capsys, *arguments)
    assert "Traceback" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--peer", "south", "--json", "-q", "--base-dir", "/b", "--config", "/c", "status"],
        ["status", "--peer", "south", "--json", "-q", "--base-dir", "/b", "--config", "/c"],
        ["--peer", "north", "--json", "--base-dir", "/b", "status", "--peer", "south", "-q", "--config", "/c"],
    ],
)
def test_common_options_stand_before_or_after_the_command(monkeypatch, arguments):
    seen = []

    def keep(self, *_sections):
        seen.append((self.peer, self.json, self.quiet, str(self.base_dir), str(self.config)))
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "state", keep)
    entry.run(arguments)
    assert seen == [("south", True, True, "/b", "/c")]


@pytest.mark.parametrize("arguments", [["--version"], ["ls", "--version"]])
def test_the_version_is_told(capsys, arguments):
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert out.startswith("shoal 0.")


@pytest.fixture
def execs(monkeypatch):
    called = []

    def record(path, arguments):
        called.append(arguments[1:])
        raise KeyboardInterrupt  # the real one does not come back either

    monkeypatch.setattr(os, "execv", record)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name != "absent" else None)
    return called


@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        (["up"], ["supervisor", "--"]),
        (["--base-dir", "/b", "up", "north", "--json", "--ready-file", "/r", "--no-gateway", "-q"],
         ["supervisor", "--base-dir", "/b", "--json", "--quiet", "--no-gateway", "--ready-file", "/r", "--", "north"]),
        (["up", "--peers", "0", "--config", "/c"], ["supervisor", "--config", "/c", "--peers", "0", "--"]),
        (["tracker", "--base-dir", "/b"], ["tracker", "--base-dir", "/b"]),
        (["peer", "north"], ["peer", "--", "north"]),
        (["gateway", "north", "--config", "/c"], ["gateway", "--config", "/c", "--", "north"]),
        (["experiment", "run", "s.yaml", "-o", "d", "--seed", "7"],
         ["experiments", "run", "s.yaml", "-o", "d", "--seed", "7"]),
        (["--json", "experiment", "report", "a"], ["experiments", "report", "a", "--json"]),
        (["experiment", "--help"], ["experiments", "--help"]),
    ],
)  # fmt: skip
def test_launching_replaces_the_process_and_passes_the_options_on(execs, arguments, module):
    entry.run(arguments)
    assert execs == [["-P", "-m", *module]]


def test_a_part_that_is_not_installed_is_an_error(execs):
    with pytest.raises(ShoalError, match="no module absent"):
        launching.become("absent")


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom peer.cli import entry\nentry.run(['--help'])\n"
        "heavy = {'zmq', 'flask', 'rich', 'yaml', 'nacl', 'sqlite3', 'msgpack', 'bus.messages', 'bus.config'}\n"
        "print('heavy', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy []"


def test_a_reader_that_leaves_early_is_no_error():
    command = f"{sys.executable} -c 'from peer.cli import main; main()' --help | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("U0\n", "")


@pytest.mark.parametrize(
    ("redirection", "code", "told"),
    [
        (
            "--help >/dev/full",
            1,
            "shoal: ERR_DISK_FULL: the output cannot be written: No space left on device; ",
        ),
        ("--help >&-", 0, ""),
        ("frob 2>/dev/full", 2, ""),
        ("frob 2>&-", 2, ""),
    ],
)
def test_an_output_that_takes_nothing_is_no_bug_of_ours(redirection, code, told):
    command = f"{sys.executable} -c 'from peer.cli import main; main()' {redirection}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr.startswith(told)
    assert len(done.stderr.splitlines()) == bool(told)


def test_a_peer_that_runs_and_does_not_answer_is_named_with_its_pid(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("bus.rpc.RpcClient.__init__.__defaults__", (0.1,))
    places = PeerPlaces(tmp_path, "north")
    places.prepare()
    arguments = ("--base-dir", str(tmp_path), "--peer", "north", "ls")
    with DirectoryLock(places.lock_file):  # and nobody at its control socket, as of a process that is stopped
        code, _, err = run(capsys, *arguments)
    assert code == 4
    assert f"peer north runs (pid {os.getpid()}) but does not answer" in err
    code, _, err = run(capsys, *arguments)
    assert code == 4
    assert "start it with: shoal up" in err
