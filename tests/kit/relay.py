"""The way between a browser and a gateway, on a bad day: it loses an answer, or carries nothing and says nothing."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Final, Self

END: Final = b"\r\n\r\n"
"""Of a head."""
FAREWELL: Final = 10.0
"""Seconds that a thread gets to end."""


class Relay:
    """Carries connections to a gateway, whose `allowed_hosts` must name the `host` that it has here.

    `requests` are the heads of what was sent through it, in order, of those that begin a read, as a browser's do.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._port = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.host}"
        self._flowing = threading.Event()
        self._flowing.set()
        self._losing: tuple[str, bool] | None = None
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def carry_to(self, port: int) -> None:
        """From now on, to this port of this machine."""
        self._port = port
        self._thread.start()

    def lose_answer(self, to: str, head: bool) -> None:
        """Of the next answer to a request that begins so, pass on its head or nothing, and end the connection."""
        self._losing = (to, head)

    def stall(self) -> None:
        """Carry nothing any more, as a cable that was pulled; no end is told."""
        self._flowing.clear()

    def flow(self) -> None:
        """Carry on."""
        self._flowing.set()

    def cut(self) -> None:
        """End all connections, as a machine that slept; others may begin."""
        _end(*self._open)

    def end(self) -> None:
        """End all connections and take no more."""
        self.flow()
        _end(self._listener, *self._open)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self._thread.join(FAREWELL)
        for one in [self._listener, *self._open]:
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it is over
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                self._open += [near, far]
                threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        """One connection, both ways."""
        losing: list[bool] = []

        def upwards() -> None:
            with contextlib.suppress(OSError):
                while data := near.recv(65536):
                    self._flowing.wait()
                    self._note(data, losing)
                    far.sendall(data)
            _end(near, far)

        threading.Thread(target=upwards, daemon=True).start()
        with contextlib.suppress(OSError):
            while data := far.recv(65536):
                self._flowing.wait()
                if losing:
                    head = data.partition(END)
                    near.sendall(b"".join(head[:2]) if losing[0] else b"")
                    break
                near.sendall(data)
        _end(near, far)

    def _note(self, data: bytes, losing: list[bool]) -> None:
        if data.split(b" ", 1)[0] in (b"GET", b"POST", b"PATCH", b"DELETE"):
            self.requests.append(data.partition(END)[0].decode("latin-1"))
            if self._losing and self.requests[-1].startswith(self._losing[0]):
                losing.append(self._losing[1])
                self._losing = None


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):  # it has ended already
            one.shutdown(socket.SHUT_RDWR)
