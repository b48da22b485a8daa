"""Requests over a peer's control socket: blocking for the command line, by callback for a gateway.

Every request carries a number, and every answer repeats it; `progress` may come before the
answer and says that the peer is alive.  A peer answers each number once.  A request is not
repeated by itself: not every command may be carried out twice.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec
import zmq

from bus.codec import decode, encode, events_of
from bus.errors import (
    CODES,
    ERR_FAILURE,
    ERR_LIMIT,
    ERR_PROTOCOL,
    ERR_TIMEOUT,
    ERR_UNREACHABLE,
    RemoteProtocolError,
    ShoalError,
)
from bus.messages import SERVER, ControlFailed, Message, Progress, Snapshot, SnapshotPage
from bus.monitor import close_monitor, open_monitor, read_monitor
from bus.reactor import BATCH, CONTROL, Reactor, Timer
from bus.sockets import MAX_REQUEST, make_socket
from bus.state import PublishedState

log = logging.getLogger(__name__)

PATIENCE: Final = 2.0
"""Seconds in which a peer that is starting may take the first connection."""
NOT_UNDERSTOOD: Final = 0
"""Request number of the answer to a message that was none."""
_GONE: Final = int(zmq.EVENT_DISCONNECTED)

ZmqSocket = zmq.Socket[bytes]


class NobodyThereError(ShoalError):
    """No connection came about: the request was never sent."""


class RpcClient:
    """Asks one peer, one request at a time, and waits for the answer.

    Args:
        context: of this process.
        endpoint: the peer's control socket.
        patience: seconds to keep trying to connect.
    """

    def __init__(self, context: zmq.Context[ZmqSocket], endpoint: str, patience: float = PATIENCE) -> None:
        self._endpoint = endpoint
        self._patience = patience
        self._requests = itertools.count(1)
        self._socket = make_socket(context, "control-client")
        self._monitor = open_monitor(self._socket, _GONE)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        self._socket.connect(endpoint)

    def call(
        self, message: Message, timeout: float, on_progress: Callable[[Progress], object] | None = None
    ) -> Message:
        """Send a request and return its answer.

        Args:
            message: the request; its number is set here.
            timeout: seconds without an answer or progress after which to give up.
            on_progress: hears the progress that comes before the answer.

        Raises:
            ShoalError: what the peer answered; ERR_UNREACHABLE, nobody is there or it went away; ERR_TIMEOUT;
                ERR_LIMIT, the request is too long to be sent.
        """
        number = next(self._requests)
        frames = _frames_of(message, number)
        for _ in read_monitor(self._monitor):
            pass  # what happened to earlier connections does not concern this request
        self._send(frames, timeout)
        deadline = time.monotonic() + timeout
        while True:
            answer = self._receive(number, deadline, timeout)
            if isinstance(answer, Progress):
                deadline = time.monotonic() + timeout
                if on_progress is not None:
                    on_progress(answer)
            elif isinstance(answer, ControlFailed):
                raise _error_of(answer)
            else:
                return answer

    def snapshot(self, sections: Sequence[str] = (), timeout: float = 10.0) -> PublishedState:
        """The peer's state, all pages of it.

        Args:
            sections: of the state; empty means all.
            timeout: seconds for each page.

        Raises:
            ShoalError: as `call`.
        """
        state = PublishedState()
        request = Snapshot(0, sections=list(sections))
        while True:
            page = self.call(request, timeout)
            if not isinstance(page, SnapshotPage):
                raise ShoalError(ERR_PROTOCOL, f"{self._endpoint} answered snapshot with {type(page).__name__}")
            for event in events_of(page.rows):
                state.apply(event)
            if page.last:
                return state
            request = Snapshot(0, page.snapshot, page.page + 1, list(sections))

    def close(self) -> None:
        close_monitor(self._socket, self._monitor)
        self._socket.close()

    def __enter__(self) -> RpcClient:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _send(self, frames: list[bytes], timeout: float) -> None:
        # IMMEDIATE is set, so there is room only once a connection stands; libzmq tries again and again meanwhile.
        if not self._socket.poll(round(min(self._patience, timeout) * 1000), zmq.POLLOUT):
            raise NobodyThereError(ERR_UNREACHABLE, f"no peer answers at {self._endpoint}; start it with: shoal up")
        self._socket.send_multipart(frames)

    def _receive(self, number: int, deadline: float, timeout: float) -> Message:
        """The next message about this request; answers to requests given up before are passed over."""
        while True:
            left = deadline - time.monotonic()
            ready = dict(self._poller.poll(max(0, round(left * 1000))))
            if self._socket in ready:
                answer = self._decoded(self._socket.recv_multipart())
                if answer is not None and getattr(answer, "request", None) in (number, NOT_UNDERSTOOD):
                    return answer
            elif self._monitor in ready and any(True for _ in read_monitor(self._monitor)):
                raise ShoalError(ERR_UNREACHABLE, f"the peer at {self._endpoint} went away before it answered")
            if left <= 0:
                raise ShoalError(
                    ERR_TIMEOUT, f"no answer from {self._endpoint} within {timeout:g} s; is the peer stuck?"
                )

    def _decoded(self, frames: list[bytes]) -> Message | None:
        try:
            return decode(frames, "control", SERVER)
        except RemoteProtocolError as error:
            raise ShoalError(ERR_PROTOCOL, f"the answer from {self._endpoint} is not understood: {error}") from None


class _Pending:
    """A request that waits for its answer."""

    __slots__ = ("frames", "on_progress", "on_reply", "sent", "timeout", "timer")

    def __init__(
        self,
        timeout: float,
        on_reply: Callable[[Message | ShoalError], object],
        on_progress: Callable[[Progress], object] | None,
    ) -> None:
        self.frames: list[bytes] = []
        self.timeout = timeout
        self.on_reply = on_reply
        self.on_progress = on_progress
        self.sent = False
        self.timer: Timer | None = None


class Requests:
    """Asks one peer from a reactor, many requests at a time; reconnects by itself.

    Args:
        reactor: in whose thread everything happens.
        context: of this process.
        endpoint: the peer's control socket.
    """

    def __init__(self, reactor: Reactor, context: zmq.Context[ZmqSocket], endpoint: str) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._unsent: dict[int, _Pending] = {}
        self._socket = make_socket(context, "control-client")
        self._monitor = open_monitor(self._socket, _GONE)
        reactor.add(self._monitor, self._hear, CONTROL)
        reactor.add(self._socket, self._drain, CONTROL)
        reactor.on_turn(self._send_unsent)
        self._socket.connect(endpoint)

    def request(
        self,
        message: Message,
        timeout: float,
        on_reply: Callable[[Message | ShoalError], object],
        on_progress: Callable[[Progress], object] | None = None,
    ) -> None:
        """Ask; `on_reply` is called once, later, with the answer or the error.

        Args:
            message: the request; its number is set here.
            timeout: seconds without an answer or progress before ERR_TIMEOUT, or ERR_UNREACHABLE without a connection.
            on_reply: hears the answer or the error; ERR_LIMIT if the request is too long to be sent.
            on_progress: hears the progress before it.
        """
        number = next(self._numbers)
        pending = self._pending[number] = _Pending(timeout, on_reply, on_progress)
        try:
            pending.frames = _frames_of(message, number)
        except ShoalError as error:
            pending.timer = self._reactor.call_later(0, partial(self._reply, number, error))
            return
        self._unsent[number] = pending
        self._arm(number, pending)
        self._send_unsent()

    def close(self) -> None:
        """Close; what waits is not answered any more."""
        for pending in self._pending.values():
            if pending.timer is not None:
                pending.timer.cancel()
        self._pending.clear()
        self._unsent.clear()
        self._reactor.remove(self._monitor)
        self._reactor.remove(self._socket)
        close_monitor(self._socket, self._monitor)
        self._socket.close()

    def _arm(self, number: int, pending: _Pending) -> None:
        if pending.timer is not None:
            pending.timer.cancel()
        pending.timer = self._reactor.call_later(pending.timeout, lambda: self._time_out(number))

    def _time_out(self, number: int) -> None:
        pending = self._pending[number]
        if pending.sent:
            self._reply(number, ShoalError(ERR_TIMEOUT, f"no answer from {self._endpoint} in {pending.timeout:g} s"))
        else:
            self._reply(number, ShoalError(ERR_UNREACHABLE, f"no peer answers at {self._endpoint}"))

    def _reply(self, number: int, answer: Message | ShoalError) -> None:
        pending = self._pending.pop(number)
        self._unsent.pop(number, None)
        if pending.timer is not None:
            pending.timer.cancel()
        pending.on_reply(answer)

    def _send_unsent(self) -> None:
        while self._unsent:
            number, pending = next(iter(self._unsent.items()))
            try:
                self._socket.send_multipart(pending.frames, zmq.DONTWAIT)
            except zmq.Again:
                # The socket's descriptor fires when a connection stands or drains; the look at it here may take that
                # news, and with it news of answers.
                if int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
                    self._reactor.touch(self._socket)
                return
            self._reactor.touch(self._socket)
            pending.sent = True
            del self._unsent[number]

    def _hear(self) -> bool:
        if any(True for _ in read_monitor(self._monitor)):
            self._drain()
            gone = ShoalError(ERR_UNREACHABLE, f"the peer at {self._endpoint} went away before it answered")
            for number in [number for number, pending in self._pending.items() if pending.sent]:
                self._reply(number, gone)
        return False

    def _drain(self) -> bool:
        for _ in range(BATCH):
            if self._socket.closed:
                return False
            try:
                frames = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return False
            try:
                self._take(decode(frames, "control", SERVER))
            except RemoteProtocolError as error:
                log.warning("an answer from %s is not understood: %s", self._endpoint, error)
        return True

    def _take(self, answer: Message | None) -> None:
        number = getattr(answer, "request", NOT_UNDERSTOOD)
        if number == NOT_UNDERSTOOD and isinstance(answer, ControlFailed):
            # It does not say which request it was: the oldest is the best guess, and it must not wait for ever.
            number = next(iter(self._pending), NOT_UNDERSTOOD)
        pending = self._pending.get(number)
        if answer is None or pending is None:
            return  # given up before
        if isinstance(answer, Progress):
            self._arm(number, pending)
            if pending.on_progress is not None:
                pending.on_progress(answer)
            return
        self._reply(number, _error_of(answer) if isinstance(answer, ControlFailed) else answer)


def _frames_of(message: Message, number: int) -> list[bytes]:
    frames = encode(msgspec.structs.replace(message, request=number))
    size = len(frames[1])
    if size > MAX_REQUEST:  # the peer would end the connection without a word
        limit = f"the request has {size:,} bytes, a peer takes {MAX_REQUEST:,}"
        raise ShoalError(ERR_LIMIT, f"{limit}; name folders instead of single files")
    return frames


def _error_of(answer: ControlFailed) -> ShoalError:
    return ShoalError(answer.code if answer.code in CODES else ERR_FAILURE, answer.message)
