"""A tap on every process of an experiment: what each publishes, written to a file of its own, and judged for losses.

The files hold one envelope a line, in the form of `shoal tap --record`, so `shoal tap --replay` shows them.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import msgspec

from bus.events import Envelope
from bus.reactor import Reactor
from bus.tap import Subscription
from experiments.fleet import Fleet
from experiments.hearing import Hearing
from experiments.tables.recording import FOLDER

TRACKER: Final = "tracker"
"""The tracker's name among the peers'."""


class Collector:
    """Listens from its making to the end of its `with`; everything happens in the reactor's thread.

    Args:
        reactor: the loop.
        fleet: whose processes are tapped.
        folder: of the result; the files go into `events` in it.
    """

    def __init__(self, reactor: Reactor, fleet: Fleet, folder: Path) -> None:
        endpoints = {TRACKER: fleet.tracker.events, **{peer.name: peer.events for peer in fleet.peers}}
        self.hearing = {name: Hearing() for name in endpoints}
        self.last: dict[str, dict[str, Envelope]] = {name: {} for name in endpoints}
        """Process -> type -> newest event."""
        self._subscriptions: list[Subscription] = []
        self._files = ExitStack()
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        for name, endpoint in endpoints.items():
            file = self._files.enter_context((folder / FOLDER / f"{name}.jsonl").open("wb"))
            self._subscriptions.append(self._tap(reactor, fleet, name, endpoint, file))

    def __enter__(self) -> Collector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for subscription in self._subscriptions:
            subscription.close()
        self._files.close()

    @property
    def lost(self) -> dict[str, int]:
        """Events of each process that did not arrive, or arrived as something that is no event."""
        malformed = [subscription.malformed for subscription in self._subscriptions]
        return {name: row.lost + bad for (name, row), bad in zip(self.hearing.items(), malformed, strict=True)}

    def heartbeats(self) -> dict[str, int]:
        """How many heartbeats of each process were heard."""
        return {name: row.heartbeats for name, row in self.hearing.items()}

    def _tap(self, reactor: Reactor, fleet: Fleet, name: str, endpoint: str, file: IO[bytes]) -> Subscription:
        hearing, last = self.hearing[name], self.last[name]

        def heard(envelope: Envelope) -> None:
            hearing.hear(envelope)
            last[envelope.type] = envelope
            file.write(msgspec.json.encode(envelope) + b"\n")

        return Subscription(reactor, fleet.context, endpoint, heard)
