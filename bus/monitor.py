"""What happens to a socket's connections: the only way to hear of refusals and of lost ends."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterator
from typing import Final

import zmq

from bus.sockets import make_socket

HANDSHAKE_FAILED: Final = int(
    zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)

OTHER_ENCRYPTION: Final = int(zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
"""The value of HANDSHAKE_FAILED_PROTOCOL when one side encrypts and the other does not."""

_EVENT: Final = struct.Struct("=Hi")  # zmq_socket_monitor(3): u16 event, i32 value; the second frame is the endpoint


def open_monitor(socket: zmq.Socket[bytes], events: int) -> zmq.Socket[bytes]:
    """A socket that reports these events of another; to be closed before the other."""
    address = f"inproc://monitor-{secrets.token_hex(8)}"
    socket.monitor(address, events)
    watcher = make_socket(socket.context, "monitor")
    watcher.connect(address)
    return watcher


def close_monitor(socket: zmq.Socket[bytes], watcher: zmq.Socket[bytes]) -> None:
    """End the reports of `socket`."""
    socket.disable_monitor()
    watcher.close()


def read_monitor(watcher: zmq.Socket[bytes]) -> Iterator[tuple[int, int]]:
    """What was reported since the last call: (event, value); the value is mostly the connection's descriptor."""
    while True:
        try:
            frames = watcher.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return
        event, value = _EVENT.unpack(frames[0])
        yield event, value
