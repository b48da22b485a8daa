"""Asking a ZAP loop as libzmq asks it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import zmq

from bus.auth import ENDPOINT


def ask(context: zmq.Context[zmq.Socket[bytes]], frames: list[bytes]) -> list[bytes]:
    """The frames of the reply to a request, both without the empty first one."""
    with context.socket(zmq.REQ) as socket:
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.RCVTIMEO, 5_000)
        socket.connect(ENDPOINT)
        socket.send_multipart(frames)
        return socket.recv_multipart()


@contextmanager
def asking(context: zmq.Context[zmq.Socket[bytes]], frames: list[bytes]) -> Iterator[None]:
    """Ask, and be gone at the end of the block without having heard the answer."""
    with context.socket(zmq.DEALER) as socket:
        socket.set(zmq.LINGER, 0)
        socket.connect(ENDPOINT)
        socket.send_multipart([b"", *frames])
        yield
