"""A production peer that plays a part: it can leave and return within one process, with all that it had, or under a
new identity.  Its core is wrapped (experiments/behaviours); everything else is `peer/running.py`."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bus.config import Loaded
from bus.errors import ERR_UNREADABLE, ShoalError
from bus.places import PeerPlaces
from bus.ready import PeerReady
from experiments.backends.namespaces import Wire
from experiments.behaviours.playing import on_stage
from experiments.behaviours.wrapping import Means, Part
from peer.running import RunningPeer

AWAY: Final = "away"
"""In the data directory: until when (wall clock) the peer is not to come back."""
EARS: Final = 3.0
"""Seconds for which a peer that returns waits at most for the tap on its earlier run to connect again, so that this run
is heard from its first event on; a tap tries every 2 s (bus/sockets.py)."""


class Role(Struct, frozen=True):
    """What one peer is told at its start."""

    settings: dict[str, str]
    """Dotted key -> value, over the configuration that all share."""
    part: Part
    wire: Wire | None = None
    """Its cable in a network of the kernel's; None: it is where its supervisor is."""


def write_roles(path: Path, roles: dict[str, Role]) -> None:
    """Roles by the names of the peers."""
    path.write_bytes(msgspec.json.encode(roles))


def read_role(path: Path, name: str) -> Role:
    """What a peer is told.

    Raises:
        ShoalError: ERR_UNREADABLE.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Role])[name]
    except (OSError, msgspec.MsgspecError, KeyError) as error:
        raise ShoalError(ERR_UNREADABLE, f"{path} has no role for peer {name}: {error}") from None


def stay_away(data_dir: Path, seconds: float) -> None:
    """Keep a peer that is about to be killed from coming back for so long, for good if that is 0."""
    (data_dir / AWAY).write_text(str(time.time() + seconds if seconds else math.inf))


class Actor:
    """Made and run by one thread, which holds the lock on `places`.

    Args:
        loaded: the configuration, with the role's settings in it.
        name: of the peer.
        places: prepared.
        part: what it plays.
    """

    def __init__(self, loaded: Loaded, name: str, places: PeerPlaces, part: Part) -> None:
        self._loaded = loaded
        self._name = name
        self._places = places
        self._part = part
        self._ended = threading.Event()
        self._peer: RunningPeer | None = None
        self._away = 0.0
        self._renew = False

    def run(self, ready: Callable[[PeerReady], None]) -> None:
        """Play until `stop`; `ready` is told each time it serves."""
        while self._wait():
            returns = self._places.identity_file.exists()
            if self._renew:
                self._places.identity_file.unlink(missing_ok=True)
                self._renew = False
            self._peer = peer = RunningPeer(
                self._loaded,
                self._name,
                self._places,
                lambda node: on_stage(node, self._part, self._means()),
                EARS if returns else 0.0,
            )
            try:
                peer.start()
                ready(peer.record)
                if self._ended.is_set():
                    peer.stop("stopped")
                peer.run()
            finally:
                peer.close()

    def stop(self, reason: str) -> None:
        """End it; fit for signal handlers and other threads."""
        self._ended.set()
        if self._peer is not None:
            self._peer.stop(reason)

    def _wait(self) -> bool:
        """Wait until it may serve; False if it is to end instead."""
        away = self._places.data_dir / AWAY
        until = time.time() + self._away
        if away.exists():
            until = float(away.read_text())
        while not self._ended.is_set() and (left := until - time.time()) > 0:
            self._ended.wait(min(left, 60.0))
        away.unlink(missing_ok=True)
        self._away = math.inf
        return not self._ended.is_set()

    def _means(self) -> Means:
        return Means(flipped, self._come_back_new, self._go)

    def _go(self, polite: bool, seconds: float) -> None:
        assert self._peer is not None
        self._away = seconds or math.inf
        if polite:
            self._peer.stop("leaving")
        else:
            self._peer.reactor.post(self._peer.reactor.stop)

    def _come_back_new(self) -> None:
        self._renew = True
        self._away = 0.0
        assert self._peer is not None
        self._peer.stop("leaving")


def flipped(payload: object) -> object:
    """A payload with a flipped bit; what was read stays as it is."""
    copy = bytearray(memoryview(payload))  # type: ignore[arg-type]
    if copy:
        copy[len(copy) // 2] ^= 1
    return bytes(copy)
