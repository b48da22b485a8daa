"""A stand-in peer with its real gateway in front, each in its own process, and ways to talk to the gateway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import requests

from bus import events, messages
from bus.places import PeerPlaces
from bus.ready import GatewayReady, PeerReady
from tests.kit.dying import die_with_parent
from tests.kit.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
START = 20.0
"""Seconds in which a process is ready on a busy machine."""


class WebPeer:
    """Peer and gateway under one base directory; started by `with`.

    Args:
        base: an empty folder.
        gateway: the section `gateway` of the configuration.
        rate: bytes a second of the peer's pretended downloads.
    """

    def __init__(self, base: Path, gateway: Mapping[str, object] | None = None, rate: int = 50 * 2**20) -> None:
        self.base = base
        self.rate = rate
        self.config = base / "config.yaml"
        self._section = dict(gateway or {})
        self._configure(0)
        self.places = PeerPlaces(base / "var", "north")
        self.peer: subprocess.Popen[str] | None = None
        self.gateway: subprocess.Popen[str] | None = None
        self.url = ""
        self.session = requests.Session()

    def __enter__(self) -> WebPeer:
        try:
            self.start_peer()
            self.start_gateway()
            # What is published from now on is news to the gateway, not part of the state that it found.
            eventually(lambda: requests.get(f"{self.url}/readyz", timeout=5).ok, within=START)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.session.close()
        for process in (self.gateway, self.peer):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def start_peer(self, *flags: str) -> None:
        arguments = ["tests.kit.fake_peer", "north", "--base-dir", str(self.base / "var"), "--rate", str(self.rate)]
        arguments += flags
        self.peer, _ = self._start("peer", arguments, PeerReady)

    def start_gateway(self) -> None:
        arguments = ["gateway", "north", "--config", str(self.config)]
        self.gateway, ready = self._start("gateway", arguments, GatewayReady)
        assert isinstance(ready, GatewayReady)
        self.url = ready.url

    def restart_gateway(self) -> None:
        """Kill the gateway and start another one on the same port."""
        assert self.gateway is not None
        self.gateway.kill()
        self.gateway.wait()
        self._configure(self.port)
        self.start_gateway()

    def _configure(self, port: int) -> None:
        peers = [{"name": "north", "web_port": port}]
        self.config.write_text(json.dumps({"data_dir": "var", "peers": peers, "gateway": self._section}))

    def kill_peer(self) -> None:
        assert self.peer is not None
        self.peer.kill()
        self.peer.wait()

    def order(self, line: str) -> None:
        """Tell the stand-in peer something; see its module."""
        assert self.peer is not None
        assert self.peer.stdin is not None
        self.peer.stdin.write(line + "\n")
        self.peer.stdin.flush()

    def publish(self, event: events.Event) -> None:
        self.order(f"publish {events.BY_TYPE[type(event)].topic} {msgspec.json.encode(event).decode()}")

    def let_find(self, found: messages.FoundContent) -> None:
        self.order(f"found {msgspec.json.encode(found).decode()}")

    def fetch(self, found: messages.FoundContent, only: Sequence[str] = ()) -> None:
        """Begin to fetch a content that is found from now on, or these paths of it."""
        self.let_find(found)
        wanted = {"id": found.id, "only": list(only)} if only else {"id": found.id}
        # The order and the request come to the peer by different ways.
        eventually(lambda: self.call("POST", "/downloads", json=wanted).ok, within=START)

    def let_list(self, content: str, files: list[tuple[str, int]]) -> None:
        """These are the files of a content: path and size of each."""
        self.order(f"tree {content} {json.dumps(files)}")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def token(self) -> str:
        return self.places.token_file.read_text().strip()

    @property
    def page(self) -> str:
        """The link that `shoal up` prints."""
        return f"{self.url}/#token={self.token}"

    def log(self, name: str = "gateway") -> str:
        return (self.base / f"{name}.log").read_text()

    def call(self, method: str, path: str, *, authorised: bool = True, **options: Any) -> requests.Response:
        """One request under /api/v1."""
        headers = dict(options.pop("headers", {}))
        if authorised:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return self.session.request(method, f"{self.url}/api/v1{path}", headers=headers, timeout=30, **options)

    def get(self, path: str) -> Any:
        """The JSON answer of a GET that must succeed."""
        response = self.call("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    def uploads(self) -> list[str]:
        """Everything in the peer's uploads folder, as relative paths."""
        root = self.places.uploads_dir
        return sorted(str(path.relative_to(root)) for path in root.rglob("*"))

    def _start(
        self, name: str, arguments: list[str], kind: type[PeerReady] | type[GatewayReady]
    ) -> tuple[subprocess.Popen[str], PeerReady | GatewayReady]:
        ready = self.base / f"{name}-ready.json"
        ready.unlink(missing_ok=True)
        environment = {**os.environ, "SHOAL_READY_FILE": str(ready)}
        environment.pop("SHOAL_BASE_DIR", None)
        with (self.base / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509  safe: it allocates nothing and takes no lock
            )  # fmt: skip

        def is_ready() -> bool:
            assert process.poll() is None, f"{name} ended with {process.returncode}: {self.log(name)}"
            return ready.exists()

        try:
            eventually(is_ready, within=START, message=lambda: self.log(name))
        except BaseException:
            process.kill()
            process.wait()
            raise
        return process, msgspec.json.decode(ready.read_bytes(), type=kind)


def children_of(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(status.parent.name))
    return found


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIG_DFL)
    except ProcessLookupError:
        return False
    return True
