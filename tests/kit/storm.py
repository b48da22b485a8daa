"""Many events a second from a stand-in peer, in slices, so that it still answers requests meanwhile.

Each event sets one of ROWS uploads.  The state is folded once a slice, by the newest event of each row: nobody can ask
for it in between, and folding every one would take the time that publishing needs.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Final

from bus import events
from bus.codec import encode_event
from bus.publisher import PeerPublisher
from bus.reactor import Reactor

SLICE: Final = 0.01
"""Seconds between two slices, and how long one may take at most."""
ROWS: Final = 100
CONTENT: Final = "f" * 64
LAST: Final = "e" * 64
"""The peer of the last event, which says how many there were."""
ENDED: Final = "storm.json"
"""File in the peer's data directory, written at the end: {"time": wall clock, "events": number}."""


class Storm:
    """Begins when it is made.

    Args:
        reactor: of the peer, in whose thread this happens.
        publisher: of the peer.
        rate: events a second, if the machine can.
        seconds: until it ends.
        folder: where ENDED is written.
    """

    def __init__(self, reactor: Reactor, publisher: PeerPublisher, rate: float, seconds: float, folder: Path) -> None:
        self._publisher = publisher
        self._rate, self._seconds, self._ended = rate, seconds, folder / ENDED
        self._begin = time.monotonic()
        self._sent = 0
        self._timer = reactor.every(SLICE, self._slice)

    def _slice(self) -> None:
        now = time.monotonic()
        newest: dict[int, events.UploadProgress] = {}
        due = int(min(self._seconds, now - self._begin) * self._rate)
        while self._sent < due and time.monotonic() < now + SLICE:
            for _ in range(min(100, due - self._sent)):
                row = self._sent % ROWS
                newest[row] = events.UploadProgress(CONTENT, f"{row:064x}", self._sent << 10, 1.0)
                self._send(newest[row])
                self._sent += 1
        for event in newest.values():
            self._publisher.state.apply(event)
        if now > self._begin + self._seconds:
            self._timer.cancel()
            self._publisher.publish(events.UploadProgress(CONTENT, LAST, self._sent, 0.0))
            self._ended.write_text(json.dumps({"time": time.time(), "events": self._sent}))

    def _send(self, event: events.UploadProgress) -> None:
        """As Publisher.publish does, but for the state."""
        publisher = self._publisher
        seq = publisher.seqs["upload"] = publisher.seqs.get("upload", 0) + 1
        publisher._socket.send_multipart(encode_event(event, publisher.epoch, seq, time.time(), publisher._source))
