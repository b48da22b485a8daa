"""Clients that hold a gateway up: silent, dripping, clinging; and how the gateway fares meanwhile."""

from __future__ import annotations

import itertools
import socket
import time
from pathlib import Path

import websocket

from tests.kit.web_peer import WebPeer, children_of


def head(web: WebPeer, request: str, *lines: str) -> bytes:
    return "\r\n".join([f"{request} HTTP/1.1", f"Host: localhost:{web.port}", *lines, "", ""]).encode()


def health(web: WebPeer) -> float:
    """Seconds until a new connection is answered."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        connection.sendall(head(web, "GET /healthz", "Connection: close"))
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    return time.monotonic() - began


def memory(web: WebPeer) -> int:
    """Peak resident bytes of the gateway's worker."""
    assert web.gateway is not None
    (worker,) = children_of(web.gateway.pid)
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


class Besieger:
    """One connection that never ends by itself: it sends its first bytes, and then one after another, if any."""

    def __init__(self, web: WebPeer, first: bytes = b"", drip: bytes = b"") -> None:
        self._connect(web, first)
        self.drip = itertools.cycle(bytes([byte]) for byte in drip) if drip else None
        self.began = time.monotonic()
        self.lasted: float | None = None

    def _connect(self, web: WebPeer, first: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", web.port), timeout=10)
        self.socket.sendall(first)

    def look(self, drips: bool) -> bool:
        """Whether it has been cut off."""
        self.socket.setblocking(False)
        try:
            while self.lasted is None and self.socket.recv(65536):
                pass
            self._end()
        except BlockingIOError:
            pass
        except OSError:
            self._end()
        if drips and self.drip and self.lasted is None:
            try:
                self.socket.send(next(self.drip))
            except OSError:
                self._end()
        return self.lasted is not None

    def _end(self) -> None:
        self.lasted = self.lasted or time.monotonic() - self.began


class SilentPage(Besieger):
    """A WebSocket that says too little: perhaps a wrong token, and a pong now and then."""

    def _connect(self, web: WebPeer, first: bytes) -> None:
        url = f"ws://127.0.0.1:{web.port}/socket.io/?EIO=4&transport=websocket"
        self.websocket = websocket.create_connection(url, timeout=10)
        if first:
            self.websocket.send(first.decode())
        assert self.websocket.sock is not None
        self.socket = self.websocket.sock
