"""Real Shoal processes for system tests, on a base directory of their own and free ports.

    with Swarm(tmp_path) as swarm:
        done = swarm.cli("share", str(path))
        swarm.cli("get", done.data[0]["id"], peer="south")

`Swarm` runs `shoal up`. `Loose` starts trackers and peers one by one, without a supervisor that would start them again.
When the block ends, everything is stopped, and nothing may be left; when it ends by a failure, the ends of all logs
are printed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import msgspec
import yaml

from bus.places import PeerPlaces, TrackerPlaces
from bus.process import Process
from bus.ready import PeerReady, PeerUp, Report, TrackerReady
from tests.kit import forking
from tests.kit.dying import die_with_parent
from tests.kit.waiting import eventually

SHOAL = str(Path(sys.executable).with_name("shoal"))
START = 60.0
"""Seconds for everything to serve; much, because other tests run beside."""
TAIL = 60
"""Lines of each log that a failure prints."""
OURS = ("SHOAL_PEER", "SHOAL_BASE_DIR", "SHOAL_CONFIG", "SHOAL_READY_FILE")
"""What the environment of the tests must not decide. SHOAL__SECTION__KEY may: it runs all tests with a setting."""

Setting = Mapping[str, object]
R = TypeVar("R", TrackerReady, PeerReady)


class Finished(NamedTuple):
    """A command line that ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.out)


class BaseDirectory:
    """A base directory with its configuration, and `shoal` on it.

    Args:
        folder: where everything lies; a test's own.
        peers: names of the configured peers.
        settings: sections and their keys, over those of the kit.
        environ: more variables for every process.
    """

    def __init__(
        self, folder: Path, peers: Sequence[str] = ("north", "south"), settings: Mapping[str, Setting] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.base_dir = folder / "base"
        self.config = folder / "config.yaml"
        self.environ = {name: value for name, value in os.environ.items() if name not in OURS} | dict(environ or {})
        given = settings or {}
        sections: dict[str, object] = {
            "tracker": {"run": True, "listen": "tcp://127.0.0.1:0", **given.get("tracker", {})},
            "network": {"bind": "127.0.0.1", **given.get("network", {})},
            "peers": [{"name": name} for name in peers],
        }
        sections |= {name: dict(section) for name, section in given.items() if name not in sections}
        self.config.write_text(yaml.safe_dump(sections))

    def cli(self, *arguments: str, peer: str = "", expect: int | None = 0, within: float = 120.0) -> Finished:
        """Run `shoal` with --json; fails unless it ends with the expected code (None: any) within so many seconds."""
        picked = ["--peer", peer] if peer else []
        done = forking.run([SHOAL, *self.options, "--json", *picked, *arguments], self.environ, self.folder, within)
        assert expect in (None, done.returncode), f"shoal {' '.join(arguments)}: {done.returncode}: {done.stderr}"
        return Finished(done.returncode, done.stdout, done.stderr)

    @property
    def options(self) -> list[str]:
        return ["--config", str(self.config), "--base-dir", str(self.base_dir)]

    def processes(self) -> list[int]:
        """Pids of everything that runs on this base directory, workers included, the supervisor not."""
        mark = b"SHOAL_BASE_DIR=" + os.fsencode(self.base_dir)
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # it ended meanwhile, or is another user's
        return found

    def logs(self) -> str:
        """The ends of all logs."""
        parts = []
        for log in sorted((self.base_dir / "logs").glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-TAIL:]
            parts.append("\n".join([f"--- {log.name}", *lines]))
        return "\n".join(parts)

    def nothing_is_left(self) -> None:
        """Wait until nothing runs here any more."""
        eventually(lambda: not self.processes(), within=5, message=lambda: f"left: {self.processes()}\n{self.logs()}")


class Swarm(BaseDirectory):
    """`shoal up`: see BaseDirectory for the arguments.

    Args:
        arguments: more for `shoal up`.
    """

    def __init__(
        self, folder: Path, peers: Sequence[str] = ("north", "south"), *, gateways: bool = False,
        settings: Mapping[str, Setting] | None = None, environ: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(folder, peers, settings, environ)
        self.ready_file = folder / "ready.json"
        self.arguments = [*([] if gateways else ["--no-gateway"]), *arguments]
        self.up: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        """Start `shoal up` and do not wait for it."""
        self.ready_file.unlink(missing_ok=True)
        with (self.folder / "up.out").open("w") as out, (self.folder / "up.err").open("w") as err:
            self.up = subprocess.Popen(
                [SHOAL, "up", "--json", "--ready-file", str(self.ready_file), *self.options, *self.arguments],
                env=self.environ, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509  safe: it allocates nothing and takes no lock
            )  # fmt: skip
        return self.up

    def ready(self) -> Report:
        """Wait until everything serves."""
        up = self.up or self.start()
        eventually(lambda: self.ready_file.exists() or up.poll() is not None, within=START, message=self.logs)
        assert up.poll() is None, f"shoal up ended with {up.returncode}: {self.messages()}"
        return self.report()

    def report(self) -> Report:
        """What serves, as the supervisor wrote it last."""
        return msgspec.json.decode(self.ready_file.read_bytes(), type=Report)

    def messages(self) -> str:
        """What the supervisor wrote to stderr."""
        return (self.folder / "up.err").read_text()

    @property
    def tracker(self) -> TrackerReady:
        tracker = self.report().tracker
        assert tracker is not None
        return tracker

    def peer(self, name: str) -> PeerUp:
        """Addresses, folders and pids of one peer."""
        return next(peer for peer in self.report().peers if peer.name == name)

    def pid(self, label: str) -> int:
        """Pid of `tracker`, a peer by its name, or a gateway as `gateway NAME`."""
        if label == "tracker":
            return self.tracker.pid
        if label.startswith("gateway "):
            return self.peer(label.removeprefix("gateway ")).gateway_pid or 0
        return self.peer(label).pid

    def kill(self, label: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to a process, labelled as in `pid`; gives the pid it had."""
        pid = self.pid(label)
        os.kill(pid, number)
        return pid

    def restarted(self, label: str, old: int, within: float = START) -> int:
        """Wait until a process serves under another pid than the old one."""
        eventually(lambda: self.pid(label) != old, within=within, message=self.logs)
        return self.pid(label)

    def stop(self) -> float:
        """Ctrl-C; the seconds until everything had ended. The exit code must be 0."""
        assert self.up is not None
        begin = time.monotonic()
        if self.up.poll() is None:
            self.up.send_signal(signal.SIGINT)
        assert self.up.wait(timeout=30) == 0, self.messages()
        return time.monotonic() - begin

    def __enter__(self) -> Self:
        try:
            self.ready()
        except BaseException:
            self._clear()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if value is not None:
            sys.stderr.write(f"--- shoal up\n{self.messages()}\n{self.logs()}\n")
            self._clear()
            return
        if self.up is not None and self.up.poll() is None:
            self.stop()
        self.nothing_is_left()

    def _clear(self) -> None:
        """Away with everything, however it is."""
        if self.up is not None:
            self.up.kill()
            self.up.wait()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


class Loose(BaseDirectory):
    """A tracker and peers without a supervisor; what is killed stays dead until it is started again."""

    def __init__(
        self, folder: Path, peers: Sequence[str] = ("north", "south"), settings: Mapping[str, Setting] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(folder, peers, settings, environ)
        self.running: dict[str, Process] = {}
        self._tracker: TrackerReady | None = None

    def start_tracker(self) -> TrackerReady:
        """Start the tracker, a second time where it was, and wait until it serves."""
        more = {"SHOAL__TRACKER__LISTEN": self._tracker.endpoint} if self._tracker else {}
        process = self._start("tracker", ["tracker"], TrackerPlaces(self.base_dir).data_dir, more)
        self._tracker = self._served(process, TrackerReady)
        return self._tracker

    def start_peer(self, name: str, environ: Mapping[str, str] | None = None) -> PeerReady:
        """Start a peer and wait until it serves."""
        more = {}
        if self._tracker:
            more["SHOAL__TRACKER__ENDPOINT"] = self._tracker.endpoint
            more["SHOAL__TRACKER__PUBLIC_KEY"] = self._tracker.public_key
        more |= dict(environ or {})
        process = self._start(name, ["peer", name], PeerPlaces(self.base_dir, name).data_dir, more)
        return self._served(process, PeerReady)

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal that ends it to `tracker` or a peer; gives its exit code."""
        process = self.running.pop(name)
        os.kill(process.pid, number)
        eventually(lambda: process.ended() is not None, within=10)
        return process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if value is not None:
            sys.stderr.write(f"{self.logs()}\n")
        for process in self.running.values():
            process.kill()

    def _start(self, name: str, command: list[str], data_dir: Path, environ: dict[str, str]) -> Process:
        variables = {**self.environ, **environ, "SHOAL_CONFIG": str(self.config), "SHOAL_BASE_DIR": str(self.base_dir)}
        log = self.base_dir / "logs" / f"{name}.log"
        self.running[name] = Process([sys.executable, "-P", "-m", *command], variables, data_dir / "ready.json", log)
        return self.running[name]

    def _served(self, process: Process, kind: type[R]) -> R:
        eventually(lambda: process.served(kind) or process.ended() is not None, within=START, message=self.logs)
        ready = process.served(kind)
        assert ready is not None, f"it ended: {process.last_words()}"
        return ready
