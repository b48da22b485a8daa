"""Events that no tap hears because they are simulated, written as the collector writes those that it hears."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import msgspec

from bus.events import BY_TYPE, Envelope, Event
from experiments.collector import TRACKER
from experiments.tables.recording import FOLDER

PEERS: Final = "peers"
"""Name of the file that holds the events of all peers, where they share one."""
LEFT_OUT: Final = ("link.", "limits.", "tracker.", "swarm.", "stream.opened", "stream.closed")
"""Beginnings of the types that no metric needs; not written of swarms so large that their peers share a file."""


class EventWriter:
    """Writes files from its making to the end of its `with`.

    Args:
        folder: of the result.
        single: one file for all peers.
    """

    def __init__(self, folder: Path, *, single: bool) -> None:
        self.written: dict[str, int] = {}
        """File -> events in it."""
        self._folder = folder / FOLDER
        self._folder.mkdir(parents=True, exist_ok=True)
        self._single = single
        self._stack = ExitStack()
        self._files: dict[str, IO[bytes]] = {}
        self._seqs: dict[tuple[str, str], int] = {}
        self._encoder = msgspec.json.Encoder()

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def write(self, process: str, source: str, time: float, event: Event) -> None:
        """One event of a process."""
        declared = BY_TYPE[type(event)]
        if self._single and declared.topic.startswith(LEFT_OUT):
            return
        name = PEERS if self._single and process != TRACKER else process
        if name not in self._files:
            self._files[name] = self._stack.enter_context((self._folder / f"{name}.jsonl").open("wb"))
        seq = self._seqs[source, declared.stream] = self._seqs.get((source, declared.stream), 0) + 1
        data = msgspec.to_builtins(event)
        self._files[name].write(self._encoder.encode(Envelope(1, seq, time, source, declared.topic, data)) + b"\n")
        self.written[name] = self.written.get(name, 0) + 1
