"""Who may talk to a gateway: the Host allow-list, the token, the password.

The Host check is the outermost layer of the program, in front of the page, REST and Socket.IO alike: a hostile site
can make a browser send requests to this machine, and by rebinding its own name even read the answers, but it cannot
make the browser name us as the host, or as the origin of what it sends.  The token then decides; no cookie exists that
a browser would send by itself.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import stat
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from bus.errors import ERR_CONFIG, ERR_HOST, ERR_KEY_FILE, ERR_LIMIT, ERR_RATE, ERR_TOKEN, ERR_USAGE, ShoalError
from gateway import problems
from gateway.strangers import JOIN_WITHIN, Strangers
from gateway.tickets import Tickets

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

TOKEN_BYTES: Final = 32
IDLE_TIMEOUT: Final = 30.0
"""Seconds for which a request's body, or its reader, may stand still: each keeps a thread."""
MAX_FAILURES: Final = 5
"""Wrong passwords from one address in FAILURE_WINDOW seconds."""
FAILURE_WINDOW: Final = 60.0
MAX_ADDRESSES: Final = 1024
"""Addresses whose failures are remembered; the one that failed longest ago goes first."""
SOCKET_PATH: Final = "/socket.io/"
CONNECTION: Final = "gunicorn.socket"
"""Where a request's environment has its connection."""
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")


class HostEdge:
    """WSGI layer that refuses requests for other hosts or from other sites, and more pages than there are threads
    for.

    `hosts` are names as a browser writes them in a URL; one without a port stands for any port.
    """

    def __init__(self, inner: WSGIApplication, hosts: Iterable[str], max_pages: int, strangers: Strangers) -> None:
        self._inner = inner
        self._hosts = frozenset(host.lower() for host in hosts)
        self._pages = threading.BoundedSemaphore(max_pages)
        self._strangers = strangers

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        foreign = [host for host in _hosts_named_by(environ) if not self._is_ours(host)]
        if foreign:
            detail = (
                f"the request names the host {foreign[0][:200]!r}; open the page by its printed address, or add the "
            )
            return _refuse(environ, start_response, ERR_HOST, detail + "name to gateway.allowed_hosts")
        origin = str(environ.get("HTTP_ORIGIN", ""))
        if origin and not self._is_ours(_host_of(origin)):
            detail = f"the request was made by a page of {origin[:200]!r}; only pages of this peer may make any"
            return _refuse(environ, start_response, ERR_HOST, detail)
        if f"{environ['PATH_INFO']}/".startswith(SOCKET_PATH):
            return self._socket(environ, start_response)
        _limit_idling(environ)
        return self._inner(environ, start_response)

    def _socket(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        websocket = opens_websocket(environ)
        asked = parse_qs(environ.get("QUERY_STRING", ""))
        if websocket != (asked.get("transport", ["polling"])[0] == "websocket") or (websocket and "sid" in asked):
            detail = 'this is no WebSocket, or not from the start; begin with transports=["websocket"]'
            return _refuse(environ, start_response, ERR_USAGE, detail)
        if environ["REQUEST_METHOD"] != "GET":  # what a page without a WebSocket says: nobody waits for anything
            _limit_idling(environ)
            return self._inner(environ, start_response)
        # A WebSocket keeps its thread until it ends, a poll until there is news: the other threads stay free.
        if not self._pages.acquire(blocking=False):
            self._strangers.make_room()  # for who asks again
            detail = "too many pages of this peer are open; close one"
            return _refuse(environ, start_response, ERR_LIMIT, detail, status=503)
        try:
            if websocket:
                self._strangers.enter(environ.get(CONNECTION), JOIN_WITHIN)
            return self._inner(environ, start_response)
        finally:
            self._pages.release()

    def _is_ours(self, host: str) -> bool:
        return host in self._hosts or _without_port(host) in self._hosts


def own_hosts(bind: str, port: int, allowed: Iterable[str], addresses: Iterable[str]) -> list[str]:
    """The hosts under which a page bound to `bind` and `port` may be opened.

    `allowed` comes from the configuration; `addresses` are this machine's, used if bound to all of them: an address
    cannot be rebound as a name can.
    """
    bound = [bind] if not is_any_address(bind) else list(addresses)
    names = dict.fromkeys([*LOOPBACK_NAMES, *(f"[{name}]" if ":" in name else name for name in bound)])
    ours = [*(f"{name}:{port}" for name in names), *(names if port == 80 else ())]
    return [*ours, *allowed]


def is_any_address(bind: str) -> bool:
    return bind in {"", "*", "0.0.0.0", "::"}


def load_or_mint_token(path: Path) -> str:
    """The access token in `path`, made at the first start.

    Raises:
        ShoalError: ERR_KEY_FILE if others may read the file, or it holds no token.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        token = _read_secret(path, ERR_KEY_FILE, "delete it to get a new token")
        if len(token) < 2 * TOKEN_BYTES:
            message = f"{path} holds no token of {2 * TOKEN_BYTES} digits; delete it to get a new one"
            raise ShoalError(ERR_KEY_FILE, message) from None
        return token
    token = secrets.token_hex(TOKEN_BYTES)
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")
        file.flush()
        os.fsync(file.fileno())
    return token


def load_password(path: Path) -> str:
    """The page's password: the first line of a file that only its owner can read.

    Raises:
        ShoalError: ERR_CONFIG if the file is missing or empty, ERR_KEY_FILE if others may read it.
    """
    password = _read_secret(path, ERR_CONFIG, "put the page's password into it, or change gateway.password_file")
    if not password:
        raise ShoalError(ERR_CONFIG, f"{path} is empty; put the page's password into its first line")
    return password


class Gate:
    """Checks tokens and passwords; thread-safe."""

    def __init__(self, token: str, password: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._token = token.encode()
        self._password = password.encode()
        self.tickets = Tickets(token)
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def has_password(self) -> bool:
        return bool(self._password)

    def admits(self, token: object) -> bool:
        """Whether this is the token; takes the same time whatever is wrong with it."""
        return isinstance(token, str) and hmac.compare_digest(token.encode(), self._token)

    def admit_header(self, authorization: str | None) -> None:
        """Check an `Authorization: Bearer` header.

        Raises:
            ShoalError: ERR_TOKEN.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not self.admits(token.strip()):
            raise ShoalError(ERR_TOKEN, "send the peer's token: Authorization: Bearer <content of gateway.token>")

    def exchange(self, password: str, address: str) -> str:
        """The token, for the password.

        Raises:
            ShoalError: ERR_TOKEN if it is wrong, ERR_RATE after too many wrong ones from this address.
        """
        now = self._clock()
        with self._lock:
            failures = self._failures.setdefault(address, deque())
            while failures and now - failures[0] >= FAILURE_WINDOW:
                failures.popleft()
            if len(failures) >= MAX_FAILURES:
                raise ShoalError(ERR_RATE, f"{MAX_FAILURES} wrong passwords from {address}; wait a minute")
            # Compared under the lock, so that a burst of parallel tries cannot outrun the count.
            if self.has_password and hmac.compare_digest(password.encode(), self._password):
                del self._failures[address]
                return self._token.decode()
            failures.append(now)
            self._failures.move_to_end(address)
            while len(self._failures) > MAX_ADDRESSES:
                self._failures.popitem(last=False)
        raise ShoalError(ERR_TOKEN, "the password is wrong")


def opens_websocket(environ: WSGIEnvironment) -> bool:
    """Whether a request becomes a WebSocket."""
    connecting = [word.strip() for word in environ.get("HTTP_CONNECTION", "").lower().split(",")]
    wanted = (environ["REQUEST_METHOD"], environ.get("HTTP_UPGRADE", "").lower(), "upgrade" in connecting)
    version, key = environ.get("HTTP_SEC_WEBSOCKET_VERSION"), environ.get("HTTP_SEC_WEBSOCKET_KEY")
    return wanted == ("GET", "websocket", True) and version == "13" and bool(key)


def _limit_idling(environ: WSGIEnvironment) -> None:
    connection = environ.get(CONNECTION)
    if isinstance(connection, socket.socket):
        connection.settimeout(IDLE_TIMEOUT)


def _hosts_named_by(environ: WSGIEnvironment) -> list[str]:
    """The Host header, and the host of a request line in absolute form; an absent one is the empty name."""
    named = [str(environ.get("HTTP_HOST", "")).lower()]
    target = str(environ.get("RAW_URI", "/"))
    if not target.startswith("/") and target != "*":
        named.append(_host_of(target))
    return named


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:  # brackets that do not match
        return ""


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if port.isdecimal() else host


def _refuse(
    environ: WSGIEnvironment, start_response: StartResponse, code: str, detail: str, status: int | None = None
) -> Iterable[bytes]:
    document = problems.problem(code, detail, str(environ.get("PATH_INFO", "")), status)
    body = problems.encode(document)
    headers = [
        ("Content-Type", problems.CONTENT_TYPE),
        ("Content-Length", str(len(body))),
        ("X-Content-Type-Options", "nosniff"),
        ("Connection", "close"),
    ]
    start_response(f"{document.status} Refused", headers)
    return [body]


def _read_secret(path: Path, missing: str, remedy: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise ShoalError(missing, f"{path} cannot be read ({error.strerror}); {remedy}") from None
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise ShoalError(ERR_KEY_FILE, f"{path} can be read by others (mode {mode:04o}); run chmod 600 {path}")
        return file.readline().strip()
