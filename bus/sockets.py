"""Every ZeroMQ socket of the program is made here, with every option that matters, by role.

The reasons for the values stand beside them; a test walks all live sockets and compares.  Two
rules need saying:

- automatic routing ids start at libc's `rand()`, which nobody seeds: every process would start
  at the same one, and a client that claims the next aborts libzmq 4.3.5.  `make_context`
  seeds it before the first ROUTER exists.
- CURVE without a ZAP domain that is enforced lets any key in, so the domain is set here too.
  A server in clear text has one as well: its ZAP loop gives each connection a name of its own.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import resource
import secrets
import weakref
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import zmq

from bus.errors import ERR_PORT_IN_USE, ERR_USAGE, ShoalError
from bus.identity import Identity, z85_of
from bus.messages import MAX_DATA_PAYLOAD, Channel

MAX_SOCKETS: Final = 4096
MAX_DESCRIPTORS: Final = 65536
MAX_REQUEST: Final = 2**16
"""Bytes of one request's body that a peer takes on its control socket."""
_FRAMING: Final = 2**16
"""Room for headers, bodies and CURVE beside a payload."""

Role = Literal[
    "tracker-server", "tracker-client", "data-server", "data-client", "clear-data-server", "clear-data-client",
    "control-server", "control-client", "publisher", "subscriber", "monitor", "zap",
]  # fmt: skip
Options = dict[zmq.SocketOption, int]

_TCP: Final[Options] = {
    zmq.HANDSHAKE_IVL: 5_000,
    zmq.HEARTBEAT_IVL: 5_000,
    zmq.HEARTBEAT_TIMEOUT: 15_000,
    zmq.HEARTBEAT_TTL: 15_000,
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 60,
    zmq.TCP_KEEPALIVE_CNT: 3,
    zmq.TCP_KEEPALIVE_INTVL: 20,
}
_SERVER: Final[Options] = {zmq.ROUTER_MANDATORY: 1, zmq.ROUTER_HANDOVER: 0, zmq.SNDTIMEO: 0}
# A link is one connection: the core, not libzmq, decides when to dial again, and the dialler closes the socket when its
# connection ends.  RECONNECT_IVL = -1 and IMMEDIATE = 1 would say the same, but with either libzmq 4.3.5 throws away
# what has arrived and is not yet read when the connection ends.
_DIALLED: Final[Options] = {zmq.IMMEDIATE: 0, zmq.RECONNECT_IVL: 3_600_000, zmq.CONNECT_TIMEOUT: 5_000}
# Local sockets are dialled again by libzmq; an attempt costs next to nothing, and a page must be right again within
# 5 s of its peer's restart, so the back-off stops early.
_LOCAL: Final[Options] = {zmq.IMMEDIATE: 1, zmq.RECONNECT_IVL: 200, zmq.RECONNECT_IVL_MAX: 2_000}


class _Row(NamedTuple):
    kind: int
    hwm: int
    max_message: int
    """Longest inbound frame in bytes, -1 for no limit (inside the process)."""
    options: Options


_ROLES: Final[dict[Role, _Row]] = {
    "tracker-server": _Row(zmq.ROUTER, 256, 2**16, {**_TCP, **_SERVER, zmq.BACKLOG: 512}),
    "tracker-client": _Row(zmq.DEALER, 256, 2**20, {**_TCP, **_DIALLED}),
    "data-server": _Row(zmq.ROUTER, 256, MAX_DATA_PAYLOAD + _FRAMING, {**_TCP, **_SERVER}),
    "data-client": _Row(zmq.DEALER, 256, MAX_DATA_PAYLOAD + _FRAMING, {**_TCP, **_DIALLED}),
    "clear-data-server": _Row(zmq.ROUTER, 256, MAX_DATA_PAYLOAD + _FRAMING, {**_TCP, **_SERVER}),
    "clear-data-client": _Row(zmq.DEALER, 256, MAX_DATA_PAYLOAD + _FRAMING, {**_TCP, **_DIALLED}),
    "control-server": _Row(zmq.ROUTER, 256, MAX_REQUEST, _SERVER),
    "control-client": _Row(zmq.DEALER, 256, 2**20, {**_LOCAL, zmq.SNDTIMEO: 5_000, zmq.RCVTIMEO: 5_000}),
    # Subscribers may miss events (they see it by seq); the publisher never waits for them.
    "publisher": _Row(zmq.XPUB, 10_000, 2**10, {zmq.XPUB_NODROP: 0, zmq.XPUB_VERBOSE: 1}),
    "subscriber": _Row(zmq.SUB, 10_000, 2**20, {zmq.RECONNECT_IVL: 200, zmq.RECONNECT_IVL_MAX: 2_000}),
    # Unbounded: libzmq's I/O thread would wait in the middle of its work for room in a monitor.
    "monitor": _Row(zmq.PAIR, 0, -1, {}),
    "zap": _Row(zmq.ROUTER, 0, -1, {zmq.ROUTER_MANDATORY: 1}),
}
_HWM_IS_A_SETTING: Final = {"tracker-server", "tracker-client", "data-server", "data-client", "clear-data-server",
                            "clear-data-client", "control-server", "control-client"}  # fmt: skip
_CLEAR: Final = {"clear-data-server", "clear-data-client"}

_live: Final[weakref.WeakKeyDictionary[zmq.Socket[bytes], Role]] = weakref.WeakKeyDictionary()


def make_context() -> zmq.Context[zmq.Socket[bytes]]:
    """The process's one context.

    Raises:
        ShoalError: ERR_USAGE if the installed ZeroMQ is too old or lacks CURVE.
    """
    _check_versions()
    _raise_descriptor_limit()
    # Before the first ROUTER, see the module's head.
    ctypes.CDLL(None).srand(ctypes.c_uint(secrets.randbits(32)))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
    context.set(zmq.MAX_SOCKETS, MAX_SOCKETS)
    context.set(zmq.BLOCKY, 0)
    return context


def server_role(channel: Channel, *, clear: bool = False) -> Role:
    """The role of the bound socket of a channel; `clear` for data links without encryption."""
    return "clear-data-server" if clear else _SERVER_ROLES[channel]


def client_role(channel: Channel, *, clear: bool = False) -> Role:
    """The role of a connecting socket of a channel; `clear` for data links without encryption."""
    return "clear-data-client" if clear else _CLIENT_ROLES[channel]


_SERVER_ROLES: Final[dict[Channel, Role]] = {
    "tracker": "tracker-server", "data": "data-server", "control": "control-server",
}  # fmt: skip
_CLIENT_ROLES: Final[dict[Channel, Role]] = {
    "tracker": "tracker-client", "data": "data-client", "control": "control-client",
}  # fmt: skip


def make_socket(
    context: zmq.Context[zmq.Socket[bytes]],
    role: Role,
    *,
    hwm: int = 0,
    identity: Identity | None = None,
    server: str = "",
) -> zmq.Socket[bytes]:
    """A socket with all options of its role, neither bound nor connected.

    Args:
        context: of this process.
        role: what it is for.
        hwm: messages that each connection may queue each way, instead of the role's; for links and control only.
        identity: our keys, for the CURVE roles.
        server: peer id that the other side must prove, for the CURVE clients.
    """
    row = _ROLES[role]
    socket = context.socket(row.kind)
    mark = hwm if hwm and role in _HWM_IS_A_SETTING else row.hwm
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.SNDHWM, mark)
    # libzmq 4.3.5 puts the User-Id into the same pipe as the messages and never counts it as read, so a server's
    # connection holds one message less than its mark: at a mark of 1, none, for ever.
    named = (identity is not None and not server) or role == "clear-data-server"
    socket.set(zmq.RCVHWM, mark + 1 if named else mark)
    socket.set(zmq.MAXMSGSIZE, row.max_message)
    for option, value in row.options.items():
        socket.set(option, value)
    if identity is not None:
        _secure(socket, role, identity, server)
    elif role in _CLEAR:
        socket.set(zmq.IPV6, int(has_ipv6()))
        if role == "clear-data-server":
            _name_connections(socket, role)
    _live[socket] = role
    return socket


def _secure(socket: zmq.Socket[bytes], role: Role, identity: Identity, server: str) -> None:
    socket.set(zmq.IPV6, int(has_ipv6()))
    socket.set(zmq.CURVE_PUBLICKEY, identity.curve_public)
    socket.set(zmq.CURVE_SECRETKEY, identity.curve_secret)
    if server:
        socket.set(zmq.CURVE_SERVERKEY, z85_of(server))
        return
    socket.set(zmq.CURVE_SERVER, 1)
    _name_connections(socket, role)


def _name_connections(socket: zmq.Socket[bytes], role: Role) -> None:
    """Let nobody in whom the ZAP loop does not know or name."""
    socket.set(zmq.ZAP_DOMAIN, role.removesuffix("-server").encode())
    socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)


def bind(socket: zmq.Socket[bytes], endpoint: str) -> str:
    """Bind, and return the real endpoint (port 0 is any free one).

    Raises:
        ShoalError: ERR_PORT_IN_USE if another program has it; ERR_USAGE if it is no address of this machine, or one
            that only a privileged program may take.
    """
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        if error.errno == zmq.EADDRINUSE:
            port = endpoint.rpartition(":")[2]
            raise ShoalError(
                ERR_PORT_IN_USE, f"port {port} of {endpoint} is in use by another program; choose another, or 0 for any"
            ) from None
        privileged = error.errno == errno.EACCES and endpoint.startswith("tcp:")
        advice = "ports under 1024 need privileges, choose a higher one" if privileged else "use an address of here"
        # Not the error's own text, in which pyzmq names the endpoint a second time.
        reason = zmq.strerror(error.errno or 0)
        raise ShoalError(ERR_USAGE, f"cannot listen on {endpoint}: {reason}; {advice}") from None
    return plain_endpoint(socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0"))


def plain_endpoint(endpoint: str) -> str:
    """An endpoint with IPv4 addresses written as such: a dual-stack socket writes them as mapped IPv6."""
    mapped = "tcp://[::ffff:"
    return endpoint.replace(mapped, "tcp://", 1).replace("]", "", 1) if endpoint.startswith(mapped) else endpoint


def plain_host(address: str) -> str:
    """A host as a dual-stack socket names it, with IPv4 addresses written as such."""
    return address.removeprefix("::ffff:")


def live_sockets() -> Iterator[tuple[Role, zmq.Socket[bytes]]]:
    """Every socket of this process that is still open, with its role; for the test of the options."""
    return ((role, socket) for socket, role in list(_live.items()) if not socket.closed)


@functools.cache
def has_ipv6() -> bool:
    """Whether this machine has IPv6 sockets; looked at once, since a look takes a socket of its own."""
    import socket as sockets

    if not sockets.has_ipv6:
        return False
    try:
        with sockets.socket(sockets.AF_INET6, sockets.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _check_versions() -> None:
    # Older ones have CVE-2020-15166 (a raw TCP connection blocks a CURVE server) and others.
    if zmq.zmq_version_info() < (4, 3, 3) or zmq.pyzmq_version_info()[:2] < (27, 1):
        raise ShoalError(
            ERR_USAGE,
            f"libzmq {zmq.zmq_version()} with pyzmq {zmq.pyzmq_version()}: 4.3.3 and 27.1 are needed; upgrade pyzmq",
        )
    if not zmq.has("curve"):
        raise ShoalError(ERR_USAGE, "this pyzmq is built without CURVE encryption; install the wheel of pyzmq")


def _raise_descriptor_limit() -> None:
    # At the limit libzmq's I/O thread spins on accept, so the limit is put out of reach.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
