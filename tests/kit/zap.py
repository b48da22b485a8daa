"""Asking a ZAP loop as libzmq asks it."""

from __future__ import annotations

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
