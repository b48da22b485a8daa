"""gunicorn's threaded worker, changed so that whoever is slow costs a place in its poller and no thread.

gunicorn itself reads heads in its threads and says farewell in its loop, and waits in both for the other side.

    accepted, kept alive ──▶ arriving ──all there──▶ thread ──▶ kept alive, or leaving ──other side closes──▶ closed
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Mapping
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from gunicorn.http.body import LengthReader
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

from bus.errors import ERR_TOO_LARGE, ERR_USAGE
from gateway import problems
from gateway.arrivals import MAX_HEAD, MAX_SHORT, Arrival
from gateway.strangers import ANSWER_WITHIN

if TYPE_CHECKING:
    from gateway.serving import WebServer

ARRIVE_WITHIN: Final = 10.0
"""Seconds in which a request's head, and a short body, must have arrived, however steadily they drip."""
MAX_ARRIVING: Final = 256
"""Connections that may be silent or in the middle of a head; the oldest gives way."""
MAX_KEPT: Final = 128
"""Connections that are kept open for another request."""
LEAVE_WITHIN: Final = 2.0
"""Seconds in which the other side may notice that it has been answered and will be heard no more."""
MAX_LEAVING: Final = 128
"""Connections that are given that time; the oldest gives way."""
HEARD_OUT: Final = 8 * 2**20
"""Bytes that are read from a connection that is leaving: who is cut off while it sends may never see the answer."""
MAX_CONNECTIONS: Final = 1024
"""In all; more wait until they are accepted."""
_READ: Final = 64 * 1024
_UNREADABLE: Final = {LimitRequestLine: (ERR_TOO_LARGE, 414), LimitRequestHeaders: (ERR_TOO_LARGE, 431)}


class _Leaving:
    """A connection that has been answered for the last time."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.unheard = HEARD_OUT


class PatientWorker(ThreadWorker):
    """Its own methods run in the worker's loop, `handle` in a thread."""

    server: WebServer

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.max_keepalived = MAX_KEPT
        self._arriving: dict[Any, Arrival] = {}  # in the order of their deadlines
        self._leaving: dict[Any, _Leaving] = {}

    # --- requests that arrive

    def enqueue_req(self, conn: Any) -> None:
        """A connection is to be served: it gets a thread as soon as that need not wait for its request."""
        begun = conn.parser.unreader.take_buffered() if conn.parser else b""
        conn.sock.setblocking(False)
        self._arriving[conn] = Arrival(time.monotonic() + ARRIVE_WITHIN)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._arrive, conn))
        if len(self._arriving) > MAX_ARRIVING:
            self._drop(self._arriving, next(iter(self._arriving)))
        if begun:
            self._add(conn, begun)

    def _arrive(self, conn: Any, connection: socket.socket) -> None:
        if conn not in self._arriving:
            return  # it gave way to one that was accepted in this very turn
        data = _received(connection)
        if data:
            self._add(conn, data)
        elif data is not None:
            self._drop(self._arriving, conn)

    def _add(self, conn: Any, data: bytes) -> None:
        arrival = self._arriving[conn]
        arrival.add(data)
        if arrival.is_complete:
            self._release(self._arriving, conn)
            conn.init()
            conn.parser.unreader.unread(bytes(arrival.data))
            self._give_thread(conn)
        elif arrival.is_too_long:
            self._release(self._arriving, conn)
            long = LimitRequestHeaders("too long") if arrival.has_first_line else LimitRequestLine(MAX_HEAD, MAX_HEAD)
            self.handle_error(None, conn.sock, conn.client, long)
            self._see_off(conn)

    def _give_thread(self, conn: Any) -> None:
        waiting = len(self._arriving) + len(self._leaving) + len(self.keepalived_conns)
        if self.nr_conns - waiting > self.cfg.threads:
            self.server.strangers.make_room()
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Serve one request."""
        strangers = self.server.strangers
        strangers.enter(conn.sock, ANSWER_WITHIN)
        try:
            return super().handle(conn)
        finally:
            strangers.leave(conn.sock)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer one request; behind a body that may be left unread, there is no other."""
        if not isinstance(req.body.reader, LengthReader) or req.body.reader.length > MAX_SHORT:
            req.force_close()
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """A request that cannot be parsed is refused as all others are, not with a page of gunicorn's."""
        if req is not None or not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        code, status = _UNREADABLE.get(type(exc), (ERR_USAGE, 400))
        detail = " ".join(f"the request cannot be read: {exc}"[:500].split())
        body = problems.encode(problems.problem(code, detail, "", status))
        head = f"HTTP/1.1 {status} Refused\r\nConnection: close\r\nContent-Type: {problems.CONTENT_TYPE}\r\n"
        with contextlib.suppress(OSError):  # it is gone already
            write_nonblock(client, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    # --- connections that leave

    def finish_request(self, conn: Any, fs: Any) -> None:
        """A thread is done with a connection."""
        if not fs.cancelled() and not fs.exception() and fs.result():
            super().finish_request(conn, fs)
        else:
            self._see_off(conn)

    def _see_off(self, conn: Any) -> None:
        """Close a connection when its other side has seen the answer."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:
            self._close(conn)
            return
        self._leaving[conn] = _Leaving(time.monotonic() + LEAVE_WITHIN)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._leave, conn))
        if len(self._leaving) > MAX_LEAVING:
            self._drop(self._leaving, next(iter(self._leaving)))

    def _leave(self, conn: Any, connection: socket.socket) -> None:
        data = _received(connection) if conn in self._leaving else None
        if data is None:
            return
        self._leaving[conn].unheard -= len(data)
        if not data or self._leaving[conn].unheard <= 0:
            self._drop(self._leaving, conn)

    # --- time, and the end

    def murder_pending(self) -> None:
        """Look at what takes too long; gunicorn calls this in every turn of its loop, at least once a second."""
        now = time.monotonic()
        tables: tuple[dict[Any, Any], ...] = (self._arriving, self._leaving)
        for table in tables:
            while table and next(iter(table.values())).deadline <= now:
                self._drop(table, next(iter(table)))
        self.server.strangers.cut_late()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        # In the loop rather than here, in a signal handler.
        self.method_queue.defer(self._let_go)

    def _let_go(self) -> None:
        """Let go of the pages at once when the server is told to stop."""
        self.murder_keepalived(force=True)  # type: ignore[call-arg]  # the stubs are of an older version
        for table in (self._arriving, self._leaving):
            for conn in list(table):
                self._drop(table, conn)
        threading.Thread(target=self.server.stop_service, name="stopping").start()

    def _drop(self, table: Mapping[Any, Any], conn: Any) -> None:
        self._release(table, conn)
        self._close(conn)

    def _release(self, table: Any, conn: Any) -> None:
        del table[conn]
        self.poller.unregister(conn.sock)

    def _close(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()


def _received(connection: socket.socket) -> bytes | None:
    """What is there to be read: empty at the end, None if it is nothing yet."""
    try:
        return connection.recv(_READ)
    except BlockingIOError:
        return None
    except OSError:
        return b""
