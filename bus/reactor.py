"""The one loop of a process: sockets, timers and work posted by threads, in a fixed order.

A turn:  posted functions, control sockets, tracker sockets, data sockets, timers, end-of-turn
functions.  Each kind of socket gets 2 ms, and each socket 64 messages, so control waits for a
turn and never for the data.

Sockets are watched through their ZMQ_FD, which does not mean "readable": it fires once when
libzmq has news for the socket (messages, a pipe that drained), and stops when any call on the
socket takes the news.  Two rules follow, and the loop depends on both:

- a callback drains its socket until it would block, or says that more may be waiting;
- who sends on a socket calls `touch`, since the send may have taken news of arrivals; it is
  asked for them before the loop sleeps.

Source: zmq_getsockopt(3), ZMQ_FD and ZMQ_EVENTS.
"""

from __future__ import annotations

import heapq
import itertools
import os
import select
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import zmq

CONTROL: Final = 0
TRACKER: Final = 1
DATA: Final = 2

BATCH: Final = 64
"""Messages that one callback takes at most before it lets others go on."""
SLICE: Final = 0.002
"""Seconds that the sockets of one priority together take in one turn, and one message more."""
LONGEST_TURN: Final = 1.0
"""Seconds that one turn counts at most: a suspended process must not expire what waits in its queues."""
_LONGEST_SLEEP: Final = 0.5
"""Seconds; below LONGEST_TURN, so that an idle process's clock does not lag."""

Readable = Callable[[], bool]


class Timer:
    """A function to be called later; `cancel` may be called at any time, also twice."""

    __slots__ = ("function", "interval", "when")

    def __init__(self, when: float, function: Callable[[], object], interval: float = 0.0) -> None:
        self.when = when
        self.function: Callable[[], object] | None = function
        self.interval = interval

    def cancel(self) -> None:
        self.function = None


class _Watched:
    """One socket in the loop."""

    __slots__ = ("descriptor", "listed", "on_readable", "priority", "socket", "touched")

    def __init__(self, socket: zmq.Socket[bytes], on_readable: Readable, priority: int) -> None:
        self.socket = socket
        self.descriptor = int(socket.get(zmq.FD))
        self.on_readable: Readable | None = on_readable
        self.priority = priority
        self.listed = False
        """In the list of those to be called."""
        self.touched = False
        """In the list of those to be looked at before the next sleep."""


class Reactor:
    """The loop.  Everything but `post` and `stop` belongs to the thread that calls `run`.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self.now = self._last
        """Seconds on the turn clock: the clock, less what any one turn took beyond LONGEST_TURN."""
        self._slice_end = 0.0
        self._watched: dict[zmq.Socket[bytes], _Watched] = {}
        self._by_descriptor: dict[int, _Watched] = {}
        self._ready: tuple[deque[_Watched], ...] = (deque(), deque(), deque())
        self._touched: list[_Watched] = []
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._posted: deque[Callable[[], object]] = deque()
        self._turn_ends: list[Callable[[], object]] = []
        self._deadlines: list[Callable[[], float | None]] = []
        self._stopping = False
        self._poll = select.epoll()
        self._wake_up = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._wake_up, select.EPOLLIN)
        self._woken = False

    # --- sockets --------------------------------------------------------------------------------

    def add(self, socket: zmq.Socket[bytes], on_readable: Readable, priority: int) -> None:
        """Watch a socket.  `on_readable` takes at most BATCH messages and returns True if more may be waiting."""
        watched = _Watched(socket, on_readable, priority)
        self._watched[socket] = self._by_descriptor[watched.descriptor] = watched
        self._poll.register(watched.descriptor, select.EPOLLIN)
        self._list(watched)

    def remove(self, socket: zmq.Socket[bytes]) -> None:
        """Watch it no longer; to be called before it is closed."""
        watched = self._watched.pop(socket)
        watched.on_readable = None
        del self._by_descriptor[watched.descriptor]
        self._poll.unregister(watched.descriptor)

    def touch(self, socket: zmq.Socket[bytes]) -> None:
        """Something was sent on it: look at it before the next sleep."""
        watched = self._watched.get(socket)
        if watched is not None and not watched.touched:
            watched.touched = True
            self._touched.append(watched)

    def revisit(self, socket: zmq.Socket[bytes]) -> None:
        """Call its callback before the next sleep, whether it is readable or not."""
        watched = self._watched.get(socket)
        if watched is not None and not watched.listed:
            self._list(watched)

    def slice_over(self) -> bool:
        """Asked by a callback between messages: whether it has had its share of the turn."""
        return self._clock() > self._slice_end

    def _list(self, watched: _Watched) -> None:
        watched.listed = True
        self._ready[watched.priority].append(watched)

    # --- time and other threads -----------------------------------------------------------------

    def post(self, function: Callable[[], object]) -> None:
        """Run a function in the loop's thread, in order, at its next turn.  Thread-safe."""
        self._posted.append(function)
        self._wake()

    def call_later(self, seconds: float, function: Callable[[], object]) -> Timer:
        """Run a function once, `seconds` on the turn clock from now."""
        return self._start(Timer(self.now + seconds, function))

    def every(self, seconds: float, function: Callable[[], object]) -> Timer:
        """Run a function again and again; a late run does not make up for those it missed."""
        return self._start(Timer(self.now + seconds, function, seconds))

    def _start(self, timer: Timer) -> Timer:
        heapq.heappush(self._timers, (timer.when, next(self._order), timer))
        return timer

    def on_turn(self, function: Callable[[], object]) -> None:
        """Run a function at the end of every turn."""
        self._turn_ends.append(function)

    def wake_for(self, deadline: Callable[[], float | None]) -> None:
        """Sleep no longer than to the time this returns, on the turn clock; asked before every sleep."""
        self._deadlines.append(deadline)

    # --- the loop -------------------------------------------------------------------------------

    def run(self) -> None:
        """Turn until `stop`.  What a callback raises ends it: an error that got this far is a bug."""
        while not self._stopping:
            self._turn()
        self._stopping = False

    def stop(self) -> None:
        """Let `run` return after the current turn.  Thread-safe, and fit for signal handlers."""
        self._stopping = True
        self._wake()

    def close(self) -> None:
        """Free the descriptors; the reactor is of no use after it.  What threads still post is not run."""
        self._woken = True  # so that nobody writes to the descriptor any more
        self._poll.close()
        os.close(self._wake_up)

    def _turn(self) -> None:
        self._sleep()
        elapsed = (clock := self._clock()) - self._last
        self._last = clock
        self.now += min(max(elapsed, 0.0), LONGEST_TURN)
        for _ in range(len(self._posted)):
            self._posted.popleft()()
        for ready in self._ready:  # control first
            if ready:
                self._drain(ready)
        self._run_timers()
        for function in self._turn_ends:
            function()

    def _look_at_touched(self) -> None:
        # To ask costs a third of a reading that finds nothing, and nearly all that was sent has no answer yet.
        touched, self._touched = self._touched, []
        for watched in touched:
            watched.touched = False
            idle = watched.on_readable is not None and not watched.listed
            if idle and int(watched.socket.get(zmq.EVENTS)) & zmq.POLLIN:
                self._list(watched)

    def _sleep(self) -> None:
        if self._touched:
            self._look_at_touched()
        for descriptor, _ in self._poll.poll(self._patience()):
            if descriptor == self._wake_up:
                os.eventfd_read(self._wake_up)
                # Cleared before the functions are taken: what is posted after this wakes the loop again.
                self._woken = False
            else:
                watched = self._by_descriptor[descriptor]
                if not watched.listed:
                    self._list(watched)

    def _patience(self) -> float:
        if self._posted or self._stopping or any(self._ready):
            return 0.0
        while self._timers and self._timers[0][2].function is None:
            heapq.heappop(self._timers)
        wake = self._timers[0][0] if self._timers else self.now + _LONGEST_SLEEP
        for deadline in self._deadlines:
            when = deadline()
            if when is not None and when < wake:
                wake = when
        behind = self._clock() - self._last
        return min(max(wake - self.now - behind, 0.0), _LONGEST_SLEEP)

    def _drain(self, ready: deque[_Watched]) -> None:
        self._slice_end = self._clock() + SLICE
        for _ in range(len(ready)):
            self._call(ready.popleft())
            if self.slice_over():
                return

    def _call(self, watched: _Watched) -> None:
        watched.listed = False
        if watched.on_readable is not None and watched.on_readable() and not watched.listed:
            self._list(watched)

    def _run_timers(self) -> None:
        timers = self._timers
        while timers and timers[0][0] <= self.now:
            timer = heapq.heappop(timers)[2]
            if timer.function is None:
                continue
            function = timer.function
            if timer.interval:
                timer.when = self.now + timer.interval
                self._start(timer)
            else:
                timer.function = None
            function()

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            os.eventfd_write(self._wake_up, 1)
