"""Connections in clear text that have not proved who they are: how many at a time, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from bus.reactor import Reactor, Timer

MAX_UNPROVED: Final = 256
"""At a time, from the first packet on; as hyperdht's limit of pending handshakes."""
PATIENCE: Final = 5.0
"""Seconds that one has to prove who it is, from the first packet on."""

C = TypeVar("C", bound=Hashable)


class Gate(Generic[C]):
    """The unproved connections of one listener, oldest first.

    Args:
        reactor: the loop.
        end: ends a connection whose time is over.
    """

    def __init__(self, reactor: Reactor, end: Callable[[C], None]) -> None:
        self._reactor = reactor
        self._end = end
        self._until: dict[C, float] = {}
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._until)

    def enter(self, connection: C) -> bool:
        """A connection came; False if there are too many, and it is to be ended."""
        if len(self._until) >= MAX_UNPROVED:
            return False
        self._until[connection] = self._reactor.now + PATIENCE
        if self._timer is None:
            self._timer = self._reactor.call_later(PATIENCE, self._look)
        return True

    def leave(self, connection: C) -> None:
        """It is proved, or gone."""
        self._until.pop(connection, None)

    def close(self) -> None:
        """End nobody any more."""
        self._until.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        now = self._reactor.now
        late = [connection for connection, until in self._until.items() if until <= now]
        for connection in late:
            self.leave(connection)
            self._end(connection)
        self._timer = None  # not before: who enters meanwhile would start one more
        if self._until:
            oldest = next(iter(self._until.values()))
            self._timer = self._reactor.call_later(oldest - now, self._look)
