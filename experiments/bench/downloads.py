"""The same content fetched by several real peers at once: when each was complete, and what its record says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import zmq

from bus.codec import decode_envelope
from bus.errors import ERR_FAILURE, ERR_INTEGRITY, ERR_TIMEOUT, ShoalError
from bus.events import Transfer
from bus.messages import Done, Get
from bus.ready import PeerUp
from bus.tap import subscriber
from experiments.bench.children import LONGEST
from experiments.bench.peers import Peers

_HEARD: Final = 10.0
"""Seconds within which the subscription must stand at every peer."""
_STEP: Final = 2**20
"""Bytes compared at a time."""
_LOOK: Final = 200
"""Milliseconds of one wait."""


class Downloads:
    """Hears the transfer events of some peers from `with` to its end.

    Args:
        peers: the running ones.
        leechers: which of them fetch.
    """

    def __init__(self, peers: Peers, leechers: Sequence[PeerUp]) -> None:
        self._peers = peers
        self._leechers = leechers
        self._socket = subscriber(peers.fleet.context, leechers[0].events, ("heartbeat", "transfer"))
        for peer in leechers[1:]:
            self._socket.connect(peer.events)

    def __enter__(self) -> Downloads:
        heard: set[str] = set()
        deadline = time.monotonic() + _HEARD
        while len(heard) < len(self._leechers):  # then the subscription stands everywhere
            heard.update(source for source, _, _ in self._poll(deadline, "a heartbeat of every peer"))
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def fetch(self, content: str) -> tuple[float, dict[str, tuple[float, Transfer]]]:
        """Have all of them fetch a content.

        Returns:
            When the first was asked, and by peer id when its completion was heard and its last record; monotonic clock.

        Raises:
            ShoalError: one failed, or took longer than LONGEST.
        """
        begin = time.monotonic()
        for peer in self._leechers:
            self._peers.ask(peer, Get(0, content), Done)
        ends: dict[str, tuple[float, Transfer]] = {}
        while len(ends) < len(self._leechers):
            for source, kind, data in self._poll(begin + LONGEST, "all downloads to end"):
                if kind in ("transfer.failed", "transfer.completed") and data.get("id") == content:
                    record = msgspec.convert(data, Transfer)
                    if kind == "transfer.failed":
                        raise ShoalError(ERR_FAILURE, f"a download failed: {record.error}")
                    ends[source] = time.monotonic(), record
        return begin, ends

    def _poll(self, deadline: float, what: str) -> list[tuple[str, str, dict[str, object]]]:
        """What has arrived: peer id, type, fields."""
        if time.monotonic() > deadline:
            raise ShoalError(ERR_TIMEOUT, f"waited in vain for {what}")
        arrived = []
        if self._socket.poll(_LOOK):
            while True:
                try:
                    envelope = decode_envelope(self._socket.recv_multipart(zmq.DONTWAIT))
                except zmq.Again:
                    break
                arrived.append((envelope.source, envelope.type, envelope.data))
        return arrived


def check_same(source: Path, path: Path) -> None:
    """Raises ShoalError, ERR_INTEGRITY, unless both are the same file, or trees of the same files."""
    if source.is_file():
        same = path.is_file() and _same_bytes(source, path)
    else:
        names = sorted(inner.relative_to(source) for inner in source.rglob("*") if inner.is_file())
        found = sorted(inner.relative_to(path) for inner in path.rglob("*") if inner.is_file())
        same = names == found and all(_same_bytes(source / name, path / name) for name in names)
    if not same:
        raise ShoalError(ERR_INTEGRITY, f"{path} is not what was to be fetched")


def _same_bytes(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb", buffering=0) as left, other.open("rb", buffering=0) as right:
        while part := left.read(_STEP):
            if part != right.read(_STEP):
                return False
    return True
