"""Did a tap hear everything?  Judged by the numbers that events carry.

Every stream of a process counts its events, and a heartbeat tells where all streams stand.  What is judged begins at
the first heartbeat that is heard; from then on every number must follow the one before, and a heartbeat must not tell
of an event that did not come.
"""

from __future__ import annotations

import re

import msgspec

from bus.events import Envelope

_HEARTBEAT = re.compile(r"heartbeat\..+")
_Seqs = dict[str, int]


class Hearing:
    """What one tap heard of one process."""

    def __init__(self) -> None:
        self.events = 0
        """Heard, heartbeats included."""
        self.heartbeats = 0
        self.lost = 0
        """Events that were published after the first heartbeat and not heard."""
        self._epoch: int | None = None
        self._seqs: _Seqs = {}

    def hear(self, envelope: Envelope) -> None:
        """Take in the next event."""
        self.events += 1
        told = _told(envelope)
        if told is not None:
            self.heartbeats += 1
        if self._epoch is None:
            if told is None:
                return
            self._epoch, self._seqs = envelope.epoch, told
        elif envelope.epoch != self._epoch:
            # The process started again: its numbers begin at 1, and what it said before the tap was back is lost.
            self._epoch, self._seqs = envelope.epoch, {}
        stream = envelope.type.partition(".")[0]
        self._follow(stream, envelope.seq - 1)
        self._seqs[stream] = max(envelope.seq, self._seqs.get(stream, 0))
        for name, seq in (told or {}).items():
            self._follow(name, seq)

    def _follow(self, stream: str, seq: int) -> None:
        """All up to `seq` should have been heard by now."""
        known = self._seqs.get(stream, 0)
        if seq > known:
            self.lost += seq - known
            self._seqs[stream] = seq


def _told(envelope: Envelope) -> _Seqs | None:
    """Where the streams stand, if the event is a heartbeat."""
    if not _HEARTBEAT.fullmatch(envelope.type):
        return None
    return msgspec.convert(envelope.data.get("seqs"), _Seqs)
