"""Real sockets and disks, and all nodes in one process, one thread each: for a debugger, a profiler, or a print."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from bus.config import load
from bus.errors import ERR_FAILURE, ERR_TIMEOUT, ShoalError
from bus.places import DirectoryLock, TrackerPlaces
from bus.ready import PeerReady, PeerUp, TrackerReady
from experiments.acting import Actor, Role
from experiments.backends.real import Actors
from peer.running import places_of
from tracker.service import TrackerService

STOP: Final = 5.0
"""Seconds within which a thread must have ended."""


class Threads(Actors):
    """A tracker and actors, each a thread.

    Args:
        base_dir: folder for all state.
        roles: by the peers' names.
    """

    def __init__(self, base_dir: Path, roles: dict[str, Role]) -> None:
        super().__init__(base_dir, list(roles))
        self._roles = roles
        self._threads: list[threading.Thread] = []
        self._stops: list[Callable[[], object]] = []
        self._changed = threading.Condition()
        self._ready: dict[str, PeerReady] = {}
        self._ended: tuple[str, BaseException] | None = None
        """The first that ended before it was stopped, and by what."""

    def _start(self) -> None:
        self.base_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        config = self.base_dir / "config.yaml"
        config.write_bytes(msgspec.yaml.encode(self._configuration()))
        self._run("tracker", lambda: self._track(config))
        self._await(lambda: bool(self.tracker.endpoint))
        for name, role in self._roles.items():
            self._run(name, lambda name=name, role=role: self._play(config, name, role))  # type: ignore[misc]
        self._await(lambda: len(self._ready) == len(self._roles))
        self.peers = [
            PeerUp(**msgspec.structs.asdict(self._ready[name]), url=None, token_file=None, gateway_pid=None)
            for name in self._roles
        ]

    def check(self) -> None:
        if self._ended is None:
            return
        name, error = self._ended
        if isinstance(error, ShoalError):
            raise error
        raise ShoalError(ERR_FAILURE, f"the thread of {name} ended: {error!r}; see logs/{name}.log") from error

    def _stop(self) -> None:
        self.close_clients()
        for stop in reversed(self._stops):
            stop()
        for thread in reversed(self._threads):
            thread.join(STOP)

    # -- in the threads --

    def _run(self, name: str, body: Callable[[], None]) -> None:
        def run() -> None:
            try:
                body()
            except BaseException as error:  # noqa: BLE001  told to the main thread, whatever it is
                with self._changed:
                    self._ended = self._ended or (name, error)
                    self._changed.notify_all()
                self.logs.mkdir(exist_ok=True)
                (self.logs / f"{name}.log").write_text(traceback.format_exc())

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _track(self, config: Path) -> None:
        places = TrackerPlaces(self.base_dir)
        places.prepare()
        with DirectoryLock(places.lock_file):
            service = TrackerService(load(config, {}, self.base_dir).settings, places)
            try:
                endpoint = service.start()
                record = TrackerReady(
                    endpoint, service.identity.peer_id, places.events, places.wire, os.getpid(), str(places.data_dir)
                )
                with self._changed:
                    self.tracker = record
                    self._stops.append(service.stop)
                    self._changed.notify_all()
                service.run()
            finally:
                service.close()

    def _play(self, config: Path, name: str, role: Role) -> None:
        tracker = {"tracker.endpoint": self.tracker.endpoint, "tracker.public_key": self.tracker.public_key}
        loaded = load(config, {}, self.base_dir, {**tracker, **role.settings})
        places = places_of(loaded, name)
        places.prepare()
        with DirectoryLock(places.lock_file):
            actor = Actor(loaded, name, places, role.part)
            with self._changed:
                self._stops.append(lambda: actor.stop("stopped"))
            actor.run(self._serves)

    def _serves(self, record: PeerReady) -> None:
        with self._changed:
            self._ready[record.name] = record
            self._changed.notify_all()

    # -- in the main thread --

    def _await(self, reached: Callable[[], bool]) -> None:
        with self._changed:
            within = self.patience
            if not self._changed.wait_for(lambda: reached() or self._ended is not None, within):
                raise ShoalError(ERR_TIMEOUT, f"not all of {len(self._roles)} peers serve within {within:g} s")
        self.check()
