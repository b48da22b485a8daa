"""Who may connect: the ZAP server (ZeroMQ RFC 27) of a process, in its own thread.

Every bound CURVE socket names a domain and enforces it, so that without this loop, or when it
fails, nobody gets in.  An admitted connection's User-Id is its CURVE public key in hex: that
is the peer id of everything that arrives on it.

A data connection in clear text proves nothing here.  Its User-Id is a name that no other
connection of this process ever has, so that what it proves later (bus/proof.py) is its own and
cannot pass to another one, whatever routing id and descriptor that one gets.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import zmq

from bus.sockets import make_socket, plain_host

log = logging.getLogger(__name__)

ENDPOINT: Final = "inproc://zeromq.zap.01"
DOMAINS: Final = ("tracker", "data")
CLEAR_DOMAIN: Final = "clear-data"
_SLOW: Final = 1.0
"""Seconds after which a check is reported: every other handshake waits for it."""
_PAUSE: Final = 0.1
"""Seconds before the loop is started again after a fault, so that a lasting one does not spin."""
_POLL: Final = 100
"""Milliseconds between looks at the stop flag."""

Allow = Callable[[str, str, str], bool]


class ZapLoop:
    """Answers the handshakes of all sockets of one context.

    Args:
        context: whose sockets it serves.
        allow: called in the loop's thread with (domain, peer id, address); True lets the connection in.  It must be
            quick; if it raises, the connection is refused and the error logged.  In clear text the peer id is empty.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], allow: Allow) -> None:
        self._context = context
        self._allow = allow
        self._stopping = threading.Event()
        self._bound = threading.Event()
        self._unproved = itertools.count(1)
        self._thread = threading.Thread(target=self._supervise, name="zap", daemon=True)
        self.counts: Counter[str] = Counter()
        """allowed, denied, failed (the check raised), malformed, restarts"""

    def start(self) -> None:
        """Serve; to be called before any socket is bound."""
        self._thread.start()
        self._bound.wait()

    def stop(self) -> None:
        """End the thread; nobody gets in after it."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _supervise(self) -> None:
        while not self._stopping.is_set():
            try:
                self._serve()
            except Exception:
                self.counts["restarts"] += 1
                log.exception("the authentication loop failed and is started again; nobody gets in meanwhile")
                self._stopping.wait(_PAUSE)
            finally:
                self._bound.set()

    def _serve(self) -> None:
        socket = make_socket(self._context, "zap")
        try:
            socket.bind(ENDPOINT)
            self._bound.set()
            while not self._stopping.is_set():
                if socket.poll(_POLL):
                    self._answer(socket)
        finally:
            socket.close()

    def _answer(self, socket: zmq.Socket[bytes]) -> None:
        frames = socket.recv_multipart()
        # [route, empty, version, request, domain, address, routing id, mechanism, credentials ...]
        curve = len(frames) == 9 and frames[7] == b"CURVE" and len(frames[8]) == 32
        if not (curve or (len(frames) == 8 and frames[7] == b"NULL")) or frames[2] != b"1.0":
            self.counts["malformed"] += 1
            if len(frames) >= 4:
                _reply(socket, frames, b"400", b"")
            return
        peer = frames[8].hex() if curve else ""
        domain = frames[4].decode("ascii", "replace")
        known = domain in DOMAINS if curve else domain == CLEAR_DOMAIN
        allowed = known and self._check(domain, peer, plain_host(frames[5].decode("ascii", "replace")))
        self.counts["allowed" if allowed else "denied"] += 1
        user = peer or f"connection {next(self._unproved)}"
        _reply(socket, frames, b"200" if allowed else b"400", user.encode() if allowed else b"")

    def _check(self, domain: str, peer: str, address: str) -> bool:
        began = time.monotonic()
        try:
            return self._allow(domain, peer, address)
        except Exception:
            self.counts["failed"] += 1
            log.exception("the check of a connection from %s failed; it is refused", address)
            return False
        finally:
            if (seconds := time.monotonic() - began) > _SLOW:
                log.warning("the check of a connection took %.1f s; others waited for it", seconds)


def _reply(socket: zmq.Socket[bytes], request: list[bytes], status: bytes, user: bytes) -> None:
    text = b"" if status == b"200" else b"refused"
    # Who closes its connection while it is judged must not end the loop for all others.
    with suppress(zmq.ZMQError):
        socket.send_multipart([request[0], b"", b"1.0", request[3], status, text, user, b""], zmq.DONTWAIT)
