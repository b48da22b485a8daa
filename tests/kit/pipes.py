"""A pair of real sockets inside one process, for tests of what watches a socket."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import zmq

from bus.sockets import make_context, make_socket

_names = itertools.count()


@contextmanager
def a_context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    """A context that is ended, with all its sockets, whatever happens."""
    context = make_context()
    try:
        yield context
    finally:
        context.destroy(0)


class Pipe:
    """Messages from there to here."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        address = f"inproc://pipe-{next(_names)}"
        self.here, self._there = make_socket(context, "monitor"), make_socket(context, "monitor")
        self.here.bind(address)
        self._there.connect(address)

    def send(self, message: bytes) -> None:
        self._there.send(message)

    def take(self) -> bytes | None:
        """The next message, or None."""
        try:
            return self.here.recv(zmq.DONTWAIT)
        except zmq.Again:
            return None

    def drain(self) -> list[bytes]:
        """All messages that are here."""
        return list(iter(self.take, None))

    def here_notices(self) -> None:
        """Let the socket take all news, so that its descriptor no longer fires for them."""
        self.here.get(zmq.EVENTS)
