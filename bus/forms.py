"""The forms a setting's value can have besides a plain number, word or switch: quantities, addresses, keys.

A form stands in the `extra` of a field's type (`bus/settings.py`); reading a configuration turns what was
written into the value that the program uses, or says what was expected.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from bus.units import (
    format_duration,
    format_limit,
    format_size,
    parse_duration,
    parse_rate,
    parse_size,
    unexpected,
)

# With _, which DNS names of hosts do not have and those of containers do.
_HOST_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}"
_HOST: Final = rf"(?:{_HOST_NAME}|\[[0-9A-Fa-f:.]{{2,45}}\])"
_HOST_PORT: Final = re.compile(rf"({_HOST}):([0-9]{{1,5}})")
_LISTEN: Final = re.compile(rf"tcp://(\*|{_HOST}):([0-9]{{1,5}})")
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_PEER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class Form(Struct, frozen=True):
    """How one kind of value is written."""

    noun: str
    """What a value is called where its range is told: `a size`."""
    parse: Callable[[object], object]
    """Turns what was written into the value; raises ValueError with what was expected and found."""
    show: Callable[[float], str] = str
    """Writes a bound of the range as a user would."""


def _text(noun: str, fits: Callable[[str], bool]) -> Form:
    def parse(found: object) -> object:
        if isinstance(found, str) and fits(found):
            return found
        raise unexpected(noun, found)

    return Form(noun, parse)


def split_host_port(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `tcp://HOST:PORT`; an IPv6 host stands in brackets and keeps them.

    Raises:
        ValueError: the text has another form.
    """
    match = _HOST_PORT.fullmatch(text) or _LISTEN.fullmatch(text)
    if match is None or int(match[2]) > 65535:
        raise unexpected("HOST:PORT", text)
    return match[1], int(match[2])


def dialable(bound: str) -> str:
    """A bound endpoint as this machine may dial it: an address that stands for all of them is loopback."""
    host, port = split_host_port(bound)
    return f"tcp://127.0.0.1:{port}" if host in ("*", "0.0.0.0", "[::]") else bound


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`; a name other than `localhost` is not looked up and counts as open."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return "/" in text


def _is_host_port(text: str) -> bool:
    match = _HOST_PORT.fullmatch(text)
    return match is not None and 1 <= int(match[2]) <= 65535


def _is_listen(text: str) -> bool:
    match = _LISTEN.fullmatch(text)
    return match is not None and int(match[2]) <= 65535


def is_endpoint(text: str) -> bool:
    """Whether this is `tcp://HOST:PORT` and can be dialled."""
    return text.startswith("tcp://") and _is_host_port(text.removeprefix("tcp://"))


def _is_host(text: str) -> bool:
    return _is_address(text) or re.fullmatch(_HOST_NAME, text) is not None


def _is_host_maybe_port(text: str) -> bool:
    return _is_host(text) or _is_host_port(text)


SIZE: Final = Form("a size", parse_size, format_size)
RATE: Final = Form("a rate", parse_rate, lambda bound: format_limit(int(bound)))
DURATION: Final = Form("a duration", parse_duration, format_duration)
KEY: Final = _text("64 lower-case hex digits", lambda text: _KEY.fullmatch(text) is not None)
KEY_OR_NONE: Final = _text('64 lower-case hex digits or ""', lambda text: not text or _KEY.fullmatch(text) is not None)
ENDPOINT: Final = _text("tcp://HOST:PORT with a port from 1 to 65535", is_endpoint)
ENDPOINT_OR_NONE: Final = _text(
    'tcp://HOST:PORT with a port from 1 to 65535, or ""', lambda text: not text or is_endpoint(text)
)
LISTEN: Final = _text("tcp://HOST:PORT with a port from 0 (any free) to 65535", _is_listen)
ADDRESS: Final = _text("an IP address of this machine, such as 127.0.0.1 or 0.0.0.0", _is_address)
HOST_PORT: Final = _text("HOST:PORT with a port from 1 to 65535", _is_host_port)
HOST: Final = _text("a host name or IP address", _is_host)
ALLOWED_HOST: Final = _text("HOST or HOST:PORT", _is_host_maybe_port)
NETWORK: Final = _text("a network such as 192.168.0.0/16, with no bits behind its prefix", _is_network)
PEER_NAME: Final = _text(
    "1 to 32 of a-z, 0-9, _ and -, the first a letter or digit", lambda text: _PEER_NAME.fullmatch(text) is not None
)
PATH: Final = _text("a path", lambda text: text != "" and "\0" not in text)
PATH_OR_NONE: Final = _text('a path or ""', lambda text: "\0" not in text)
