"""Connections that have a thread and have not shown the token: they keep it for a short time only.

Whoever is slow on purpose needs no token for it.  What is cut is the connection: the thread that waits in it wakes up
and ends by itself.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from engineio.socket import Socket as Session

JOIN_WITHIN: Final = 5.0
"""Seconds in which a session of Socket.IO must have shown the token."""
ANSWER_WITHIN: Final = 30.0
"""Seconds in which any other request without the token must have its whole answer."""
GRACE: Final = 1.0
"""Seconds that a stranger has at least, however many others wait."""


class Strangers:
    """Thread-safe.  `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._inside: dict[object, tuple[float, float]] = {}  # connection: when it came, when it must be gone
        self._lock = threading.RLock()  # what is cut may have something to say

    def enter(self, connection: object, within: float) -> None:
        """A connection got a thread, for so many seconds unless it shows the token; or a session of Socket.IO that has
        none of its own, as its engine knows it."""
        now = self._clock()
        with self._lock:
            self._inside[connection] = (now, now + within)

    def leave(self, connection: object) -> None:
        """It has shown the token, or gave the thread back."""
        with self._lock:
            self._inside.pop(connection, None)

    def cut_late(self) -> None:
        """Cut those off whose time is over."""
        now = self._clock()
        with self._lock:
            self._cut([connection for connection, (_, deadline) in self._inside.items() if deadline <= now])

    def make_room(self) -> None:
        """Others wait for a thread: cut off who has had one for longest, if that is more than GRACE."""
        now = self._clock()
        with self._lock:
            oldest = min(self._inside, key=lambda connection: self._inside[connection][0], default=None)
            if oldest is not None and self._inside[oldest][0] + GRACE <= now:
                self._cut([oldest])

    def _cut(self, connections: list[object]) -> None:
        for connection in connections:
            del self._inside[connection]
            with contextlib.suppress(OSError):  # it is gone already
                if isinstance(connection, socket.socket):
                    connection.shutdown(socket.SHUT_RDWR)
                elif isinstance(connection, Session):
                    connection.close(wait=False, abort=True)
