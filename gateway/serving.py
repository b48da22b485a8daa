"""The web server: gunicorn in this process's hands, on a socket that is ours.

gunicorn forks one worker; the ZeroMQ context and all threads are made in it, since neither survives a fork.  Binding
the socket here makes the port known before anything starts, and an occupied one our own one-line error.
"""

from __future__ import annotations

import http.client
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.glogging import Logger

from bus.errors import ERR_CONFIG, ERR_PORT_IN_USE, ShoalError
from gateway.access import is_any_address
from gateway.strangers import Strangers
from gateway.worker import MAX_CONNECTIONS, PatientWorker

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

GRACEFUL: Final = 1
"""Seconds that requests get to end when the server stops (gunicorn counts in whole ones)."""
LONGEST_LINE: Final = 8190
"""Bytes of a request's first line, the most that gunicorn can take: a path of a file in a query may be long."""
READY_WITHIN: Final = 30.0
"""Seconds in which a new server answers its first request."""


class Service:
    """What the worker runs: made after the fork, stopped before the worker ends."""

    def __init__(self, wsgi: WSGIApplication, stop: Callable[[], None]) -> None:
        self.wsgi = wsgi
        self.stop = stop


class WebServer(BaseApplication):
    """Serves until SIGTERM or SIGINT.

    Args:
        listener: bound and listening; it is taken over.
        threads: requests and open pages served at a time.
        strangers: who has one of them without the token.
        make_service: called in the worker.
        on_ready: called in the worker, once a request has been answered.
    """

    def __init__(
        self,
        listener: socket.socket,
        threads: int,
        strangers: Strangers,
        make_service: Callable[[], Service],
        on_ready: Callable[[], None],
    ) -> None:
        self._family, self._address = listener.family, listener.getsockname()
        self._descriptor = listener.detach()  # gunicorn closes it when it has made a socket of its own of it
        self._threads = threads
        self._make_service = make_service
        self._on_ready = on_ready
        self._service: Service | None = None
        self.strangers = strangers
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": f"fd://{self._descriptor}",
            "workers": 1,  # Socket.IO keeps its clients in memory
            "worker_class": PatientWorker,
            "threads": self._threads,
            "worker_connections": max(MAX_CONNECTIONS, 2 * self._threads),
            "graceful_timeout": GRACEFUL,
            "keepalive": 5,
            "limit_request_line": LONGEST_LINE,
            "logger_class": _Log,
            "loglevel": "warning",
            "control_socket_disable": True,  # its default path is the same for every gateway of a user
            "post_worker_init": self._started,
            "worker_exit": self._exiting,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:  # type: ignore[override]
        self._service = self._make_service()
        return self._service.wsgi

    def stop_service(self) -> None:
        """End the worker's threads and connections; gunicorn itself would wait for the pages to go away."""
        service, self._service = self._service, None
        if service is not None:
            service.stop()

    def _started(self, worker: PatientWorker) -> None:
        worker.server = self
        threading.Thread(target=self._announce, name="readiness", daemon=True).start()

    def _announce(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if _answers(self._family, self._address):
                self._on_ready()
                return
            threading.Event().wait(0.05)

    def _exiting(self, _: object, worker: PatientWorker) -> None:
        # gunicorn calls this in the parent too, and for a worker that could not start, whose exit code matters.
        if int(worker.pid) != os.getpid() or not worker.booted:
            return
        self.stop_service()
        # What is left are threads that serve open connections: the interpreter would wait for them.
        os._exit(0)


class _Log(Logger):
    """gunicorn's log as part of the process's own."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one.

    Raises:
        ShoalError: ERR_PORT_IN_USE, or ERR_CONFIG if the host is not an address of this machine.
    """
    name = "0.0.0.0" if is_any_address(host) and host != "::" else host
    try:
        family, _, _, _, address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise ShoalError(ERR_CONFIG, f"gateway.host {host!r} is no address of this machine: {error}") from None
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        if isinstance(error, PermissionError) or "in use" in (error.strerror or ""):
            advice = "free it, or set another web_port for this peer (0 takes any free one)"
            message = f"the page's port {port} on {host} cannot be had ({error.strerror}); {advice}"
            raise ShoalError(ERR_PORT_IN_USE, message) from None
        raise ShoalError(ERR_CONFIG, f"gateway.host {host!r} cannot be bound: {error.strerror}") from None
    return listener


def origin_of(listener: socket.socket, host: str) -> str:
    """The page's origin, as a browser on this machine opens it."""
    port = listener.getsockname()[1]
    name = "localhost" if is_any_address(host) else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _answers(family: int, address: tuple[Any, ...]) -> bool:
    host, port = address[:2]
    if is_any_address(host):
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    connection = http.client.HTTPConnection(host, port, timeout=2.0)
    try:
        connection.request("GET", "/healthz", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
