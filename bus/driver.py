"""Runs a core: events in, effects out, one deadline, never re-entered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from bus.reactor import Reactor

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)
In = TypeVar("In")
Out = TypeVar("Out")


class Core(Protocol[In_contra, Out_co]):
    """What decides; see `bus/boundary.py`."""

    def handle(self, event: In_contra, now: float) -> Iterable[Out_co]: ...

    def next_deadline(self) -> float | None: ...

    def on_deadline(self, now: float) -> Iterable[Out_co]: ...


class Driver(Generic[In, Out]):
    """Feeds one core and carries out what it decides.

    Args:
        core: the decisions.
        reactor: whose turn clock is the core's `now`, and in whose thread everything happens.
        perform: carries out one effect; it may feed events, which wait until the effects before them are done.
    """

    def __init__(self, core: Core[In, Out], reactor: Reactor, perform: Callable[[Out], object]) -> None:
        self._core = core
        self._reactor = reactor
        self._perform = perform
        self._events: deque[In] = deque()
        self._busy = False
        # Deadlines run at the end of a turn: what waited in the sockets has been heard by then.
        reactor.on_turn(self._run_deadline)
        reactor.wake_for(core.next_deadline)

    def feed(self, event: In) -> None:
        """Let the core handle an event, now or as soon as those before it are done."""
        self._events.append(event)
        if not self._busy:
            self._run(())

    def _run_deadline(self) -> None:
        deadline = self._core.next_deadline()
        if deadline is not None and deadline <= self._reactor.now:
            self._run(self._core.on_deadline(self._reactor.now))

    def _run(self, effects: Iterable[Out]) -> None:
        core, events, perform, reactor = self._core, self._events, self._perform, self._reactor
        self._busy = True
        try:
            for effect in effects:
                perform(effect)
            while events:
                for effect in core.handle(events.popleft(), reactor.now):
                    perform(effect)
        finally:
            self._busy = False
