"""What somebody sees who sits at a terminal: a pseudo terminal stands in."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.kit.swarm import SHOAL, Swarm
from tests.kit.waiting import eventually

pytestmark = pytest.mark.system


class Terminal:
    """A command at a terminal of 120 columns."""

    def __init__(self, *command: str, environ: dict[str, str], folder: Path) -> None:
        self.shown = ""
        self._controller, terminal = pty.openpty()
        environ = {**environ, "COLUMNS": "120", "TERM": "xterm"}
        self.process = subprocess.Popen(
            command, stdin=terminal, stdout=terminal, stderr=terminal, env=environ, cwd=folder, start_new_session=True
        )
        os.close(terminal)

    def shows(self, pattern: str, within: float = 60) -> re.Match[str]:
        """Wait until what is shown has the pattern in it."""
        eventually(lambda: re.search(pattern, self._read()), within=within, message=lambda: self.shown[-2000:])
        match = re.search(pattern, self.shown)
        assert match is not None
        return match

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> int:
        deadline = time.monotonic() + 20
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.1)
        self._read()
        os.close(self._controller)
        return self.process.wait(timeout=1)

    def _read(self, seconds: float = 0) -> str:
        while select.select([self._controller], [], [], seconds)[0]:
            try:
                chunk = os.read(self._controller, 65536)
            except OSError:  # the other side is closed
                break
            if not chunk:
                break
            self.shown += chunk.decode(errors="replace")
        return self.shown


def test_up_shows_the_pages_links_with_their_tokens_and_ends_by_ctrl_c(tmp_path):
    swarm = Swarm(tmp_path, ["north"], gateways=True)
    terminal = Terminal(SHOAL, *swarm.options, "up", environ=swarm.environ, folder=tmp_path)
    token = terminal.shows(r"http://127\.0\.0\.1:\d+/#token=(\S+)")[1]
    terminal.shows(r"Ready\. Ctrl-C stops everything\.")
    assert (swarm.base_dir / "peers" / "north" / "gateway.token").read_text().strip() == token
    assert terminal.interrupt() == 0
    swarm.nothing_is_left()


def test_get_shows_a_bar_and_ctrl_c_ends_only_the_waiting(tmp_path):
    with Swarm(tmp_path) as swarm:
        path = tmp_path / "slow.bin"
        path.write_bytes(os.urandom(2**20))
        row = swarm.cli("share", str(path), peer="north").data[0]
        eventually(lambda: swarm.cli("search", "slow", peer="south").data, within=10)
        north = swarm.kill("north", signal.SIGSTOP)
        command = [SHOAL, *swarm.options, "--peer", "south", "get", row["id"]]
        terminal = Terminal(*command, environ=swarm.environ, folder=tmp_path)
        terminal.shows("━")
        assert terminal.interrupt() == 130
        assert "the download goes on" in terminal.shown
        os.kill(north, signal.SIGCONT)
        again = Terminal(*command, environ=swarm.environ, folder=tmp_path)
        assert again.end() == 0
        assert re.search(r"slow\.bin: (1 MiB in|was here already)", again.shown)  # it went on meanwhile
        listed = Terminal(SHOAL, *swarm.options, "ls", environ=swarm.environ, folder=tmp_path)
        assert listed.end() == 0
        assert re.search(rf"{row['id'][:16]} +slow\.bin +1 MiB +100% +seeding", listed.shown)


def test_a_sweep_shows_a_bar_with_the_time_that_is_left_and_what_failed(tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "small.yaml").write_text(
        "content: {size: 3 MiB}\nbackend: sim\n"
        "groups: {seed: {peers: 1, complete: true, up: 1 MiB/s}, leecher: {peers: 2, up: 1 MiB/s}}\n"
    )
    command = [sys.executable, "-P", "-m", "experiments", "sweep", str(tmp_path / "small.yaml"), "--jobs", "1"]
    command += ["--set", "timeout=20 s,1 s", "--seeds", "1-2", "-o", str(tmp_path / "out")]
    terminal = Terminal(*command, environ=dict(os.environ), folder=tmp_path)
    terminal.shows("━")
    terminal.shows(r"2/4(\x1b\[[\d;]*m| )+\d:\d\d:\d\d")
    terminal.shows(r"sweep: timeout=1 s seed 1: FAILED, ERR_TIMEOUT: ")
    terminal.shows(r"# Sweep of small")
    terminal.shows(r"2 of 4 runs have no result; the same again tries them again\r\n$")
    assert terminal.end() == 1
