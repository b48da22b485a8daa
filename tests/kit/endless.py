"""The other end of a connection byte by byte (ZMTP 3.0), for what libzmq never does: a message without end.

libzmq keeps a message back until it has its last frame, so such a client cannot be made of it.  Sources: ZMTP 3.0
(RFC 23), CurveZMQ (RFC 26).
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
from types import TracebackType
from typing import Final, Self

from nacl.bindings import crypto_box_afternm, crypto_box_beforenm, crypto_box_keypair, crypto_box_open_afternm

from bus.identity import Identity
from tests.kit.curve import raw

MORE: Final = 1
LONG: Final = 2
COMMAND: Final = 4
PART: Final = bytes(60_000)
"""A frame of the endless message; shorter than any limit."""
PATIENCE: Final = 20.0
"""Seconds for any answer of the other side."""


class Raw:
    """One connection that shook hands, in clear text, or encrypted as a client.

    Args:
        connection: which stands.
        kind: of socket that it says to be.
        identity: ours, to encrypt.
        server: peer id of the other side, to encrypt.
    """

    def __init__(
        self, connection: socket.socket, kind: bytes = b"DEALER", identity: Identity | None = None, server: str = ""
    ) -> None:
        connection.settimeout(PATIENCE)
        self._socket = connection
        self.port: int = connection.getsockname()[1]
        self._key = b""
        self._nonces = itertools.count(1)
        self._thread: threading.Thread | None = None
        self.sent = 0
        """Bytes of the endless message."""
        mechanism = b"NULL" if identity is None else b"CURVE"
        self.push(b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism.ljust(20, b"\0") + bytes(32))
        self._take(64)
        if identity is None:
            self.push(_frame(COMMAND, b"\x05READY" + _metadata(kind)))
            self.hear()
        else:
            self._encrypt(identity, bytes.fromhex(server))

    @classmethod
    def dial(cls, endpoint: str, identity: Identity | None = None, server: str = "") -> Raw:
        host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
        return cls(socket.create_connection((host, int(port))), b"DEALER", identity, server)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(PATIENCE)
        self._socket.close()

    def say(self, *frames: bytes) -> None:
        """One message."""
        self.push(self.framed(*frames))

    def framed(self, *frames: bytes) -> bytes:
        """One message as it goes over the wire."""
        return b"".join(self._part(frame, more=number < len(frames) - 1) for number, frame in enumerate(frames))

    def push(self, data: bytes) -> None:
        """So much of what goes over the wire."""
        self._socket.sendall(data)

    def hear(self) -> bytes:
        """The body of the next frame, in clear text."""
        flags = self._take(1)[0]
        return self._take(struct.unpack(">Q", self._take(8))[0] if flags & LONG else self._take(1)[0])

    def begin_endless(self) -> None:
        """Send a message that has no last frame, as fast as it goes, until the connection is ended."""

        def send() -> None:
            with contextlib.suppress(OSError):
                while True:
                    self.push(self._part(PART, more=True))
                    self.sent += len(PART)

        self._thread = threading.Thread(target=send, daemon=True)
        self._thread.start()

    def _part(self, data: bytes, *, more: bool) -> bytes:
        if not self._key:
            return _frame(MORE if more else 0, data)
        nonce = self._nonce()
        box = crypto_box_afternm(bytes([more]) + data, b"CurveZMQMESSAGEC" + nonce, self._key)
        return _frame(0, b"\x07MESSAGE" + nonce + box)

    def _take(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            some = self._socket.recv(count - len(taken))
            if not some:
                raise ConnectionError("the other side ended the connection")
            taken += some
        return taken

    def _encrypt(self, identity: Identity, server: bytes) -> None:
        public, secret = raw(identity.curve_public), raw(identity.curve_secret)
        own_public, own_secret = crypto_box_keypair()
        to_server = crypto_box_beforenm(server, own_secret)
        nonce = self._nonce()
        hello = crypto_box_afternm(bytes(64), b"CurveZMQHELLO---" + nonce, to_server)
        self.push(_frame(COMMAND, b"\x05HELLO\x01\x00" + bytes(72) + own_public + nonce + hello))
        welcome = self.hear().removeprefix(b"\x07WELCOME")
        opened = crypto_box_open_afternm(welcome[16:], b"WELCOME-" + welcome[:16], to_server)
        theirs, cookie = opened[:32], opened[32:]
        vouch = crypto_box_afternm(own_public + server, b"VOUCH---" + bytes(16), crypto_box_beforenm(theirs, secret))
        self._key = crypto_box_beforenm(theirs, own_secret)
        nonce = self._nonce()
        about = public + bytes(16) + vouch + _metadata(b"DEALER")
        box = crypto_box_afternm(about, b"CurveZMQINITIATE" + nonce, self._key)
        self.push(_frame(COMMAND, b"\x08INITIATE" + cookie + nonce + box))
        self.hear()

    def _nonce(self) -> bytes:
        return struct.pack(">Q", next(self._nonces))


def _frame(flags: int, body: bytes) -> bytes:
    size = struct.pack(">BQ", flags | LONG, len(body)) if len(body) > 255 else bytes([flags, len(body)])
    return size + body


def _metadata(kind: bytes) -> bytes:
    return b"\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
