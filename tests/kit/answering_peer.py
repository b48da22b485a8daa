"""A stand-in for a peer's control socket: real frames on a real socket, and answers that a test gives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import TracebackType

import msgspec
import zmq

from bus.codec import decode, encode, rows_of
from bus.errors import ERR_STATE
from bus.events import Event
from bus.messages import CLIENT, ControlFailed, Message, Snapshot, SnapshotPage

Answer = Callable[[Message], Iterable[Message]]


class AnsweringPeer:
    """Answers requests in a thread of its own, from `with` to its end.

    What it answers to a type of request is set in `answers`; a snapshot is answered with the rows of `state`, of which
    the asked sections are not picked out. Everything asked is kept in `asked`. After `vanish_after` answers it is gone,
    in the middle of the next request.
    """

    def __init__(self, endpoint: str, vanish_after: int | None = None) -> None:
        self.state: list[Event] = []
        self.asked: list[Message] = []
        self.answers: dict[type[Message], Answer] = {Snapshot: self._snapshot}
        self._vanish_after = vanish_after
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.bind(endpoint)
        self._ends = self._context.socket(zmq.PAIR), self._context.socket(zmq.PAIR)
        self._ends[0].bind("inproc://stop")
        self._ends[1].connect("inproc://stop")
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> AnsweringPeer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends[1].send(b"stop")
        self._thread.join()
        for socket in (*self._ends, self._router):
            socket.close(linger=0)
        self._context.term()

    def gone(self) -> bool:
        """Whether it has vanished."""
        return not self._thread.is_alive()

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._ends[0], zmq.POLLIN)
        while self._ends[0] not in dict(poller.poll()):
            route, *frames = self._router.recv_multipart()
            if len(self.asked) == self._vanish_after:
                self._router.close(linger=0)
                return
            request = decode(frames, "control", CLIENT)
            assert request is not None
            self.asked.append(request)
            for answer in self.answers.get(type(request), _unexpected)(request):
                numbered = msgspec.structs.replace(answer, request=getattr(request, "request", 0))
                self._router.send_multipart([route, *encode(numbered)])

    def _snapshot(self, _request: Message) -> Iterable[Message]:
        return [SnapshotPage(0, 1, 0, True, 1, {}, rows_of(self.state))]


def _unexpected(request: Message) -> Iterable[Message]:
    return [ControlFailed(0, ERR_STATE, f"the test has no answer to {type(request).__name__}")]
