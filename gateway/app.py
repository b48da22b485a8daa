"""The web application: REST, Socket.IO, the built page, and what every answer carries.

HostEdge ▶ Socket.IO ▶ Flask: /healthz /readyz /metrics /api/v1/... and the page's files
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from flask import Flask, Response, request, send_from_directory
from flask_socketio import SocketIO
from msgspec import Struct
from socketio.exceptions import ConnectionRefusedError as ConnectionRefused
from werkzeug.exceptions import HTTPException

from bus.errors import ERR_CONFIG, ERR_FAILURE, ERR_TOKEN, ERR_UNREACHABLE, ShoalError
from gateway import problems
from gateway.access import CONNECTION, Gate, HostEdge, opens_websocket
from gateway.answers import answer
from gateway.api import Api
from gateway.described import Configured
from gateway.engine import harden, has_joined
from gateway.live import Live
from gateway.metrics import CONTENT_TYPE, metrics_text
from gateway.pages import Pages
from gateway.strangers import JOIN_WITHIN, Strangers
from gateway.tapping import Tapping
from gateway.view import rows

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

STATIC: Final = Path(__file__).resolve().parent / "static"
MAX_BODY: Final = 64 * 1024
"""Bytes of a request's body and of a Socket.IO message; uploads have a limit of their own."""
MAX_PAGES: Final = 32
"""Open pages; each keeps a thread, so at most half of the threads."""
NAMESPACE: Final = "/"


class Joining(Struct, frozen=True):
    """What a page sends with its connection: the token, and the state it still has, if any."""

    token: str
    epoch: str = ""
    seq: int = 0


class Alive(Struct, frozen=True):
    status: str


class Ready(Struct, frozen=True):
    """What `/readyz` says to anybody, and so without a tracker's own words."""

    status: str
    peer: str
    trackers: dict[str, str]
    """Endpoint -> connecting, reached or lost."""


class WebApp:
    """Everything behind one port.

    Args:
        live: the connection to the peer; started and stopped by the caller.
        hosts: names under which the page may be opened.
        threads: requests and open pages served at a time.
        configured: where the settings come from, for who asks.
        folders: may be looked into, to choose what to share.
        strangers: who has a thread without the token.
    """

    def __init__(
        self,
        live: Live,
        gate: Gate,
        uploads_dir: Path,
        upload_max: int,
        hosts: list[str],
        threads: int,
        configured: Configured,
        folders: Sequence[Path],
        strangers: Strangers,
    ) -> None:
        self._live = live
        self._gate = gate
        self._strangers = strangers
        self.flask = Flask("gateway", static_folder=None)
        self.flask.config["MAX_CONTENT_LENGTH"] = MAX_BODY
        self.flask.url_map.merge_slashes = False  # a path is what it says, and nobody is sent elsewhere
        self.flask.json.sort_keys = False  # type: ignore[attr-defined]
        self._socketio = SocketIO(
            self.flask,
            async_mode="threading",
            allow_upgrades=False,  # a page begins with its WebSocket, and who cannot have one polls
            async_handlers=False,  # what a page says is taken in the order in which it says it
            cors_allowed_origins=[],  # HostEdge looks at the origin of every request
            max_http_buffer_size=MAX_BODY,
            ping_interval=10,
            ping_timeout=20,
            json=_Json,
            logger=_quiet("socketio"),
            engineio_logger=_quiet("engineio"),
        )
        server: Any = self._socketio.server  # type: ignore[attr-defined]
        harden(server.eio, MAX_BODY, strangers)
        self._server = server
        capacity = min(MAX_PAGES, threads // 2)
        self.pages = Pages(live.frame, _Transport(server), capacity)
        self._add_files()
        self._add_probes()
        self._add_errors()
        self._add_socket()
        streams = max(1, threads // 4)
        api = Api(live, gate, uploads_dir, upload_max, streams, configured, folders)
        self.flask.register_blueprint(api.blueprint(self._admitted))
        self.flask.after_request(_secure)
        self.wsgi: WSGIApplication = HostEdge(self.flask, hosts, capacity, strangers)

    def _admitted(self) -> None:
        """The request being served has shown the token."""
        self._strangers.leave(request.environ.get(CONNECTION))

    def _add_files(self) -> None:
        @self.flask.get("/", provide_automatic_options=False)
        def page() -> Response:
            return send_from_directory(STATIC, "index.html", max_age=0)

        @self.flask.get("/assets/<path:name>", provide_automatic_options=False)
        def asset(name: str) -> Response:
            # The build names these files by their content: what has been seen once never changes.
            response = send_from_directory(STATIC / "assets", name, max_age=31_536_000)
            response.cache_control.immutable = True
            return response

    def _add_probes(self) -> None:
        @self.flask.get("/healthz", provide_automatic_options=False)
        def healthz() -> Response:
            return answer(Alive("ok"))

        @self.flask.get("/readyz", provide_automatic_options=False)
        def readyz() -> Response:
            self._live.require_peer(patience=0.0)
            return answer(Ready("ready", "heard", _trackers_of(self._live)))

        @self.flask.get("/metrics", provide_automatic_options=False)
        def metrics() -> Response:
            self._gate.admit_header(request.headers.get("Authorization"))
            own = {"gateway_open_pages": float(len(self.pages)), **self._live.counts()}
            return Response(metrics_text({"gateway": own, **self._live.samples()}), content_type=CONTENT_TYPE)

    def _add_errors(self) -> None:
        self.flask.register_error_handler(ShoalError, problems.respond_to_error)
        self.flask.register_error_handler(HTTPException, problems.respond_to_refusal)

        @self.flask.errorhandler(500)
        def failed(_: HTTPException) -> Response:
            # Flask has logged the traceback; a user gets one line.
            return problems.respond(ERR_FAILURE, "the gateway failed; its log says more")

    def _add_socket(self) -> None:
        @self._socketio.on("connect", namespace=NAMESPACE)
        def connect(auth: object) -> None:
            try:
                joining = msgspec.convert(auth, Joining)
            except msgspec.ValidationError:
                joining = Joining("")
            if not self._gate.admits(joining.token):
                raise ConnectionRefused("send the peer's token as auth.token", {"code": ERR_TOKEN})
            try:
                self.pages.join(request.sid, joining.epoch, joining.seq)  # type: ignore[attr-defined]
            except ShoalError as error:
                raise ConnectionRefused(error.message, {"code": error.code}) from None
            self._admitted()
            manager = self._server.manager
            session = manager.eio_sid_from_sid(request.sid, NAMESPACE)  # type: ignore[attr-defined]
            self._strangers.leave(has_joined(self._server.eio, session))

        @self._socketio.on("disconnect", namespace=NAMESPACE)
        def disconnect(*_: object) -> None:
            self.pages.leave(request.sid)  # type: ignore[attr-defined]
            if opens_websocket(request.environ):
                # Its thread waits for the connection to end, which may have gone silent.
                self._strangers.enter(request.environ.get(CONNECTION), JOIN_WITHIN)

        @self._socketio.on("tap", namespace=NAMESPACE)
        def tap(wanted: object = None) -> None:
            # A page that asks for what makes no sense gets nothing.
            with contextlib.suppress(msgspec.ValidationError):
                self.pages.tap(request.sid, msgspec.convert(wanted, Tapping).topic)  # type: ignore[attr-defined]

        @self._socketio.on("untap", namespace=NAMESPACE)
        def untap(*_: object) -> None:
            self.pages.tap(request.sid, None)  # type: ignore[attr-defined]


def _trackers_of(live: Live) -> dict[str, str]:
    """The state of each tracker that the peer knows.

    Raises:
        ShoalError: ERR_UNREACHABLE if there are some and none has registered the peer.
    """
    found = {row.endpoint: row.state for row in live.rows(rows.TRACKER, rows.TrackerRow)}
    if found and "reached" not in found.values():
        states = ", ".join(f"{endpoint} ({state})" for endpoint, state in found.items())
        message = f"the peer is heard, but no tracker has registered it: {states}; it tries again by itself"
        raise ShoalError(ERR_UNREACHABLE, message)
    return found


def _quiet(name: str) -> logging.Logger:
    """A library's log without what it says of every packet: the first packet of a page holds the token."""
    log = logging.getLogger(name)
    log.setLevel(logging.WARNING)
    return log


class _Json:
    """What Socket.IO asks of a JSON module, on msgspec, which knows the rows."""

    @staticmethod
    def dumps(value: object, **_: object) -> str:
        return msgspec.json.encode(value).decode()

    @staticmethod
    def loads(text: str | bytes, **_: object) -> Any:
        return msgspec.json.decode(text)


class _Transport:
    """Socket.IO, as the pages use it."""

    def __init__(self, server: Any) -> None:
        self._server = server  # a socketio.Server, which has no types

    def is_open(self, sid: str) -> bool:
        return bool(self._server.manager.is_connected(sid, NAMESPACE))

    def emit(self, sid: str, event: str, payload: object, done: Callable[[], None] | None) -> None:
        callback = (lambda *_: done()) if done else None
        self._server.emit(event, payload, to=sid, namespace=NAMESPACE, callback=callback)

    def cut_off(self, sid: str) -> None:
        environ: Mapping[str, object] = self._server.get_environ(sid, NAMESPACE) or {}
        self._server.disconnect(sid, namespace=NAMESPACE)
        connection = environ.get(CONNECTION)
        # A page that reads nothing would not hear the farewell; its thread waits in the socket.
        if isinstance(connection, socket.socket) and environ.get("HTTP_UPGRADE"):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it is gone already


def require_page() -> None:
    """Check that the page has been built.

    Raises:
        ShoalError: ERR_CONFIG.
    """
    if not (STATIC / "index.html").is_file():
        raise ShoalError(ERR_CONFIG, f"the page is not built: {STATIC / 'index.html'} is missing; run `make setup`")


def _secure(response: Response) -> Response:
    """The headers of every answer.  The Host has been checked, so it may be repeated."""
    response.headers.setdefault(  # the data of contents has a stricter one
        "Content-Security-Policy",
        f"default-src 'self'; connect-src 'self' ws://{request.host} wss://{request.host}; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
