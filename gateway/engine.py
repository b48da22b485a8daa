"""Socket.IO's engine, changed in what whoever asks could use against it: none of it has an option.

A session that has not shown the token in time ends, and only so many of them without a WebSocket begin.

Nobody may send a long message, nothing but the token before it has been shown, and is pinged only then (a ping is a
thread that sleeps).  A session ends without a traceback in the log, and with everything that belonged to it.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import time
from typing import Any, Final

import msgspec
from engineio.async_drivers.threading import SimpleWebSocketWSGI
from engineio.exceptions import EngineIOError
from engineio.packet import Packet
from engineio.socket import Socket as Session

from gateway.access import opens_websocket
from gateway.strangers import JOIN_WITHIN, Strangers

MAX_JOINING: Final = 64
"""Sessions without a WebSocket that have not shown the token yet; each is a few kilobytes."""
_SESSION: Final = "shoal.session"
_PONG: Final = "3"
_CONNECT: Final = "40"


class _WebSocket(SimpleWebSocketWSGI):  # type: ignore[misc]  # it has no types
    def __init__(self, handler: Any, engine: Any, **options: Any) -> None:
        super().__init__(handler, engine, **options)
        self._engine = engine

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self._session = self._engine.sockets[environ[_SESSION]]
        try:
            return super().__call__(environ, start_response)
        except Exception:
            if hasattr(self, "ws"):
                raise
            return self._engine._bad_request("the headers of the WebSocket cannot be read")
        finally:
            self._end()

    def wait(self) -> Any:
        """The next message; None ends it."""
        message = super().wait()
        return message if self._session.has_joined or _may_come_first(message) else None

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the other side was faster
            super().close()

    def _end(self) -> None:
        if hasattr(self, "ws"):
            with contextlib.suppress(OSError):  # it is closed already
                self.ws.sock.shutdown(socket.SHUT_RDWR)
            # It closes the connection, whose number may be another one's from then on.
            self.ws.thread.join()
        if not self._session.closed:
            self._session.close(wait=False, abort=True)


def harden(engine: Any, longest: int, strangers: Strangers) -> None:
    """Change an engine that serves nobody yet; `longest` is the bytes of one message."""
    # The engine itself looks at a message's length when it has it all.
    engine._async = {**engine._async, "websocket": functools.partial(_WebSocket, max_message_size=longest)}
    welcome, farewell = engine.handlers["connect"], engine.handlers["disconnect"]

    def connect(session: str, environ: dict[str, Any]) -> object:
        environ[_SESSION] = session
        connection = engine.sockets[session]
        connection.has_joined = False
        connection.last_ping = None
        if not opens_websocket(environ):
            if sum(_is_joining(each) for each in list(engine.sockets.values())) > MAX_JOINING:
                return False
            connection.receive = functools.partial(_receive, connection)
            connection.handle_post_request = functools.partial(_take_post, connection)
            strangers.enter(connection, JOIN_WITHIN)
        return welcome(session, environ)

    def disconnect(session: str, reason: str) -> None:
        engine.sockets.pop(session, None)  # what is said to one that has ended would be a KeyError
        farewell(session, reason)

    engine.on("connect", connect)
    engine.on("disconnect", disconnect)


def has_joined(engine: Any, session: str) -> object:
    """A session has shown the token: it may say what it likes, and is closed if it does not answer pings.

    Returns:
        what a session without a WebSocket is called among the strangers.
    """
    connection = engine.sockets[session]
    connection.has_joined = True
    connection.last_ping = time.time()
    connection.schedule_ping()
    return connection


def _receive(session: Any, packet: Packet) -> None:
    """Take what a session without a WebSocket says.  What it says after its end would be kept for ever."""
    if not session.closing and (session.has_joined or _may_come_first(packet.encode())):
        Session.receive(session, packet)


def _take_post(session: Any, environ: dict[str, Any]) -> None:
    """Take the body of a session without a WebSocket; one that makes no sense ends it."""
    try:
        Session.handle_post_request(session, environ)
    except (EngineIOError, msgspec.DecodeError, ValueError, KeyError, RecursionError, OSError):
        # The engine itself would wait until somebody has fetched the farewell, or write a traceback.
        session.close(wait=False, abort=True)


def _is_joining(session: Any) -> bool:
    """Whether a session may show the token yet; one that has ended is in the engine's list for some time more."""
    return not session.closed and not getattr(session, "has_joined", False)


def _may_come_first(message: object) -> bool:
    """Whether this may be said before the token is shown: that it is shown now, or the answer to a ping."""
    if not isinstance(message, str) or not message.startswith(_CONNECT):
        return message == _PONG
    try:
        msgspec.json.decode(message[len(_CONNECT) :] or "{}")
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return False
    return True
