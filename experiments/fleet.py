"""A tracker and some peers in processes of their own, in a fresh base directory, for experiments and benchmarks.

They are started the way users start them, by the supervisor, with a configuration written for the occasion, and are
asked through their control sockets.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from bus.errors import ERR_FAILURE, ERR_PROTOCOL, ERR_TIMEOUT, ShoalError
from bus.messages import Message
from bus.process import Process, told_by
from bus.ready import PeerUp, Report, TrackerReady
from bus.rpc import RpcClient
from bus.sockets import make_context

START: Final = 60.0
START_EACH: Final = 1.0
"""Seconds within which all must serve, and so many more for each; they start together, on however few cores."""
STOP: Final = 8.0
"""Seconds within which all must have ended; the supervisor promises 5."""
ANSWER: Final = 30.0
"""Seconds without an answer or progress after which a peer is stuck."""
CLOSE: Final = 1.0
"""Seconds in which its own sockets must have closed."""
_POLL: Final = 0.05

M = TypeVar("M", bound=Message)


class Fleet:
    """Runs from `with` to its end; whatever happens, no process is left behind.

    Args:
        base_dir: folder for all state; made if it is not there.
        peers: how many, or their names.
        settings: sections of config.yaml beside the tracker and the network, as users write them.
        environment: what the supervisor and all processes find in their environment besides.

    Raises:
        ShoalError: the supervisor's own error, or ERR_TIMEOUT if not all serve in time.
    """

    def __init__(
        self,
        base_dir: Path,
        peers: int | Sequence[str],
        settings: Mapping[str, Mapping[str, object]] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.base_dir = base_dir
        self.logs = base_dir / "logs"
        self.context = make_context()
        self._names = [] if isinstance(peers, int) else list(peers)
        self._count = peers if isinstance(peers, int) else len(peers)
        self._environment = dict(environment or {})
        self._settings = dict(settings or {})
        self._config = base_dir / "config.yaml"
        self._ready_file = base_dir / "fleet.json"
        self._process: Process | None = None
        self._clients: dict[str, RpcClient] = {}
        self.tracker = TrackerReady("", "", "", "", 0, "")
        """As the supervisor reports it, and the peers too, once they serve."""
        self.peers: list[PeerUp] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def ask(self, peer: PeerUp, request: Message, kind: type[M]) -> M:
        """The peer's answer, which must be of that kind.

        Raises:
            ShoalError: what the peer answered, or that it did not.
        """
        client = self._clients.get(peer.name)
        if client is None:
            client = self._clients[peer.name] = RpcClient(self.context, peer.control)
        answer = client.call(request, ANSWER)
        if not isinstance(answer, kind):
            raise ShoalError(ERR_PROTOCOL, f"peer {peer.name} answered with {type(answer).__name__}")
        return answer

    @property
    def patience(self) -> float:
        """Seconds within which all must serve."""
        return START + START_EACH * self._count

    def close_clients(self) -> None:
        """Ask nothing any more."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        # Not here: it waits for ever for a socket that an interrupt met in its making, for nobody can close that one.
        ending = threading.Thread(target=self.context.destroy, args=(0,), daemon=True)
        ending.start()
        ending.join(CLOSE)

    def _start(self) -> None:
        self.base_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._config.write_bytes(msgspec.yaml.encode(self._configuration()))
        self._process = Process(
            self._command(), self._environment, self.base_dir / "supervisor-ready.json", self.logs / "supervisor.log"
        )
        report = self._await_report(self._process)
        if report.tracker is None:
            raise ShoalError(ERR_FAILURE, "the supervisor reports no tracker")
        self.tracker, self.peers = report.tracker, report.peers

    def _command(self) -> list[str]:
        """What starts the supervisor."""
        command = [sys.executable, "-P", "-m", "supervisor", "--no-gateway", "--quiet"]
        command += ["--config", str(self._config), "--base-dir", str(self.base_dir)]
        command += [] if self._names else ["--peers", str(self._count)]
        return [*command, "--ready-file", str(self._ready_file)]

    def _configuration(self) -> dict[str, Mapping[str, object] | list[object] | str]:
        # Ports are left to the system, so that fleets, and a user's own peers, can run side by side.
        return {
            **self._settings,
            "data_dir": str(self.base_dir),
            "tracker": {"run": True, "listen": "tcp://127.0.0.1:0", **self._settings.get("tracker", {})},
            "network": {"bind": "127.0.0.1", **self._settings.get("network", {})},
            "peers": [{"name": name} for name in self._names],
        }

    def _await_report(self, process: Process) -> Report:
        deadline = time.monotonic() + self.patience
        while not self._ready_file.exists():
            if process.ended() is not None:
                words = process.last_words()
                raise told_by(words) or ShoalError(ERR_FAILURE, f"the supervisor ended: {words}")
            if time.monotonic() > deadline:
                raise ShoalError(ERR_TIMEOUT, f"not all of {self._count} peers serve within {self.patience:g} s")
            time.sleep(_POLL)
        return msgspec.json.decode(self._ready_file.read_bytes(), type=Report)

    def _stop(self) -> None:
        self.close_clients()
        if self._process is None:
            return
        self._process.terminate()
        deadline = time.monotonic() + STOP
        while self._process.ended() is None and time.monotonic() < deadline:
            time.sleep(_POLL)
        self._process.kill()
        self._process = None
