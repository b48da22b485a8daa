"""A tracker and peers that need not be alike: each is started with a configuration of its own.

The tracker is started by the supervisor, as users start it; the peers by hand, with `python -m peer`, since one
supervisor's peers share one configuration.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

import msgspec

from bus.errors import ERR_FAILURE, ERR_TIMEOUT, ShoalError
from bus.messages import Message, SearchContents, SearchResults, Shared, SharePath
from bus.process import Process, told_by
from bus.ready import PeerReady, PeerUp
from experiments.bench.usage import Usage, spent, usage_of
from experiments.fleet import START, Fleet

Sections = Mapping[str, Mapping[str, object]]
"""Sections of config.yaml, as users write them."""
ANNOUNCED: Final = 15.0
"""Seconds within which the tracker must know what was shared."""
STOP: Final = 8.0
"""Seconds within which a peer must have ended."""
_POLL: Final = 0.05

M = TypeVar("M", bound=Message)


class Peers:
    """Runs from `with` to its end; whatever happens, no process is left behind.

    Args:
        base_dir: for all state; made if it is not there.
        settings: of each peer.

    Raises:
        ShoalError: a peer's own error, or ERR_TIMEOUT if not all serve in time.
    """

    def __init__(self, base_dir: Path, settings: Sequence[Sections]) -> None:
        self._base_dir = base_dir
        self._settings = settings
        self._fleet = Fleet(base_dir, 0)
        self._exits = ExitStack()
        self._processes: list[Process] = []
        self.ups: list[PeerUp] = []
        """One for each of the settings, once they serve."""

    def __enter__(self) -> Peers:
        try:
            self._exits.enter_context(self._fleet)
            self._exits.callback(self._stop)
            self._start()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exits.close()

    @property
    def fleet(self) -> Fleet:
        return self._fleet

    @property
    def pids(self) -> list[int]:
        """Of all peers, then of the tracker."""
        return [*(peer.pid for peer in self.ups), self._fleet.tracker.pid]

    def ask(self, peer: PeerUp, request: Message, kind: type[M]) -> M:
        """As `Fleet.ask`."""
        return self._fleet.ask(peer, request, kind)

    def share(self, peer: PeerUp, source: Path, asker: PeerUp, seeds: int = 1) -> Shared:
        """Share a file or tree at one peer, and wait until the tracker tells another of so many seeds.

        Raises:
            ShoalError: ERR_TIMEOUT, it does not.
        """
        shared = self.ask(peer, SharePath(0, str(source)), Shared)
        deadline = time.monotonic() + ANNOUNCED
        while not self._counts(asker, shared.id, seeds):
            if time.monotonic() > deadline:
                raise ShoalError(ERR_TIMEOUT, f"the tracker does not count {seeds} seeds within {ANNOUNCED:g} s")
            time.sleep(_POLL)
        return shared

    def _counts(self, asker: PeerUp, content: str, seeds: int) -> bool:
        results = self.ask(asker, SearchContents(0, content), SearchResults).results
        return any(found.seeds >= seeds for found in results)

    def _start(self) -> None:
        for number, sections in enumerate(self._settings):
            self._processes.append(self._process(f"p{number:02}", sections))
        deadline = time.monotonic() + START
        self.ups = [self._await(process, deadline) for process in self._processes]

    def _process(self, name: str, sections: Sections) -> Process:
        tracker = self._fleet.tracker
        configuration: dict[str, Mapping[str, object] | list[dict[str, str]] | str] = {
            **sections,
            "data_dir": str(self._base_dir),
            "tracker": {"endpoint": tracker.endpoint, "public_key": tracker.public_key},
            "network": {"bind": "127.0.0.1", **sections.get("network", {})},
            "peers": [{"name": name}],
        }
        config = self._base_dir / f"{name}.yaml"
        config.write_bytes(msgspec.yaml.encode(configuration))
        command = [sys.executable, "-P", "-m", "peer", name, "--config", str(config)]
        log = self._base_dir / "logs" / f"peer-{name}.log"
        return Process(command, {}, self._base_dir / f"{name}-ready.json", log)

    @staticmethod
    def _await(process: Process, deadline: float) -> PeerUp:
        while (ready := process.served(PeerReady)) is None:
            if process.ended() is not None:
                words = process.last_words()
                raise told_by(words) or ShoalError(ERR_FAILURE, f"a peer ended: {words}")
            if time.monotonic() > deadline:
                raise ShoalError(ERR_TIMEOUT, f"not all peers serve within {START:g} s")
            time.sleep(_POLL)
        return msgspec.convert(
            {**msgspec.structs.asdict(ready), "url": None, "token_file": None, "gateway_pid": None}, PeerUp
        )

    def _stop(self) -> None:
        for process in self._processes:
            process.terminate()
        deadline = time.monotonic() + STOP
        while any(process.ended() is None for process in self._processes) and time.monotonic() < deadline:
            time.sleep(_POLL)
        for process in self._processes:
            process.kill()


class Meter:
    """What processes use from the making of this on."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._before = [usage_of(pid, with_children=True) for pid in pids]

    def read(self) -> list[Usage]:
        used = [usage_of(pid, with_children=True) for pid in self._pids]
        return [spent(before, after) for before, after in zip(self._before, used, strict=True)]
