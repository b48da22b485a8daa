"""An event or wire stream that says the same to every new subscriber: for what watches streams."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType

import zmq


class Announcer:
    """Sends `messages` at an endpoint whenever somebody subscribes, from `with` to its end."""

    def __init__(self, endpoint: str, messages: Sequence[Sequence[bytes]]) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.set(zmq.XPUB_VERBOSE, 1)
        self._socket.bind(endpoint)
        self._messages = messages
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Announcer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close(linger=0)
        self._context.term()

    def _serve(self) -> None:
        while not self._ended.is_set():
            if self._socket.poll(20) and self._socket.recv()[:1] == b"\x01":
                for frames in self._messages:
                    self._socket.send_multipart(frames)
