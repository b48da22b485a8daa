"""What every socket's options must be, written down a second time: the reliability table, not the program's."""

from __future__ import annotations

from typing import Final

import zmq

from bus.sockets import Role, has_ipv6

SECURED: Final = ("tracker-server", "tracker-client", "data-server", "data-client")
CLEAR: Final = ("clear-data-server", "clear-data-client")
_CLEAR_TCP: Final = {
    "HANDSHAKE_IVL": 5_000,
    "HEARTBEAT_IVL": 5_000,
    "HEARTBEAT_TIMEOUT": 15_000,
    "HEARTBEAT_TTL": 15_000,
    "TCP_KEEPALIVE": 1,
    "TCP_KEEPALIVE_IDLE": 60,
    "TCP_KEEPALIVE_CNT": 3,
    "TCP_KEEPALIVE_INTVL": 20,
    "IPV6": int(has_ipv6()),
    "MECHANISM": zmq.NULL,
}
_TCP: Final = {**_CLEAR_TCP, "MECHANISM": zmq.CURVE}
_MIB: Final = 2**20


def expected(role: Role, hwm: int) -> dict[str, object]:
    """Option name -> value, for a socket made with this `hwm` (0: the role's own)."""
    table: dict[str, dict[str, object]] = {
        "tracker-server": {"TYPE": zmq.ROUTER, "MAXMSGSIZE": 64 * 1024, "BACKLOG": 512, **_TCP},
        "tracker-client": {"TYPE": zmq.DEALER, "MAXMSGSIZE": _MIB, "CONNECT_TIMEOUT": 5_000, **_TCP},
        "data-server": {"TYPE": zmq.ROUTER, "MAXMSGSIZE": _MIB + 64 * 1024, **_TCP},
        "data-client": {"TYPE": zmq.DEALER, "MAXMSGSIZE": _MIB + 64 * 1024, "CONNECT_TIMEOUT": 5_000, **_TCP},
        "clear-data-server": {"TYPE": zmq.ROUTER, "MAXMSGSIZE": _MIB + 64 * 1024, **_CLEAR_TCP},
        "clear-data-client": {
            "TYPE": zmq.DEALER,
            "MAXMSGSIZE": _MIB + 64 * 1024,
            "CONNECT_TIMEOUT": 5_000,
            **_CLEAR_TCP,
        },
        "control-server": {"TYPE": zmq.ROUTER, "MAXMSGSIZE": 64 * 1024},
        "control-client": {"TYPE": zmq.DEALER, "MAXMSGSIZE": _MIB, "IMMEDIATE": 1, "RCVTIMEO": 5_000},
        "publisher": {"TYPE": zmq.XPUB, "MAXMSGSIZE": 1024, "SNDHWM": 10_000},
        "subscriber": {"TYPE": zmq.SUB, "MAXMSGSIZE": _MIB, "RCVHWM": 10_000},
        "monitor": {"TYPE": zmq.PAIR, "RCVHWM": 0},
        "zap": {"TYPE": zmq.ROUTER, "RCVHWM": 0},
    }
    options = {"LINGER": 0, **table[role]}
    if role in {*SECURED, *CLEAR, "control-server", "control-client"}:
        options["SNDHWM"] = hwm or 256
        # One more at a server with a ZAP loop: the User-Id takes a place in the pipe and never leaves it.
        options["RCVHWM"] = (hwm or 256) + (role in {"tracker-server", "data-server", "clear-data-server"})
    if role in {"tracker-client", "data-client", "clear-data-client"}:
        # No reconnection while a link's end is being read, and no message lost by its end.
        options |= {"RECONNECT_IVL": 3_600_000, "IMMEDIATE": 0}
    if role in {"control-client", "subscriber"}:
        options |= {"RECONNECT_IVL": 200, "RECONNECT_IVL_MAX": 2_000}
    if role in {"tracker-server", "data-server", "clear-data-server"}:
        options |= {"ZAP_DOMAIN": role.removesuffix("-server").encode(), "ZAP_ENFORCE_DOMAIN": 1}
    if role in {"tracker-server", "data-server"}:
        options["CURVE_SERVER"] = 1
    if role.endswith("-server"):
        options["SNDTIMEO"] = 0
    return options


def differences(role: Role, socket: zmq.Socket[bytes], hwm: int) -> list[str]:
    """What is not as it must be, one line each; empty for a good socket."""
    found = []
    for name, value in expected(role, hwm).items():
        actual = socket.get(getattr(zmq, name))
        if isinstance(actual, bytes):
            actual = actual.rstrip(b"\0")
        if actual != value:
            found.append(f"{role}: {name} is {actual!r}, not {value!r}")
    routing_id = socket.get(zmq.ROUTING_ID) if socket.type in {zmq.ROUTER, zmq.DEALER} else b""
    if routing_id:
        found.append(f"{role}: a routing id is set")
    return found


def a_full_router_refuses(socket: zmq.Socket[bytes]) -> bool:
    """ROUTER_MANDATORY cannot be read; a ROUTER that has it refuses an unknown route instead of dropping."""
    try:
        socket.send(b"nobody", zmq.SNDMORE | zmq.DONTWAIT)
    except zmq.ZMQError as error:
        return error.errno == zmq.EHOSTUNREACH
    return False
