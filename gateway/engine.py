"""Socket.IO's engine, changed in what whoever asks could use against it: none of it has an option.

A WebSocket may send no long message, is pinged only when it has shown the token (a ping is a thread that sleeps), and
ends without a traceback in the log.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import time
from typing import Any

from engineio.async_drivers.threading import SimpleWebSocketWSGI


class _WebSocket(SimpleWebSocketWSGI):  # type: ignore[misc]  # it has no types
    def __call__(self, environ: Any, start_response: Any) -> Any:
        try:
            return super().__call__(environ, start_response)
        finally:
            self._end()

    def _end(self) -> None:
        """Wait for the thread that reads: it closes the connection, whose number may then be another one's."""
        if hasattr(self, "ws"):
            with contextlib.suppress(OSError):  # it is closed already
                self.ws.sock.shutdown(socket.SHUT_RDWR)
            self.ws.thread.join()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the other side was faster
            super().close()


def harden(engine: Any, longest: int) -> None:
    """Change an engine that serves nobody yet; `longest` is the bytes of one message."""
    # The engine itself looks at a message's length when it has it all.
    engine._async = {**engine._async, "websocket": functools.partial(_WebSocket, max_message_size=longest)}
    welcome = engine.handlers["connect"]

    def connect(sid: str, environ: object) -> object:
        engine.sockets[sid].last_ping = None  # begin_pings is called when it has joined
        return welcome(sid, environ)

    engine.on("connect", connect)


def begin_pings(engine: Any, sid: str) -> None:
    """Ping a connection from now on, and close it when it does not answer."""
    connection = engine.sockets[sid]
    connection.last_ping = time.time()
    connection.schedule_ping()
