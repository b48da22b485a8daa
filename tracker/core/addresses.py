"""Where a peer may be reached, as seen by a given asker.

A peer registers a port and candidate addresses; the tracker knows the address it sees the
peer at.  The endpoints it lists, in the order in which they should be tried:

    1. the address seen, with the registered port; seen on loopback that is the tracker's own
       machine, which the asker knows by a better name: `@tracker`, the host by which it
       reached the tracker
    2. what the user set in `network.advertise`, each with its own port
    3. the peer's interface addresses in the private range the asker is in, and all its private
       addresses if both are seen at one public address, that of the router they share

A peer bound to loopback has only the first, and only for an asker on the same machine.
Nothing here is trusted: the dialler finds out by the key whether it reached the right peer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from msgspec import Struct

LOOPBACK: Final = "loopback"
ELSEWHERE: Final = ""
MAX_LISTED: Final = 8
"""Endpoints of one peer in an answer: at 2 s each a dialler would not get further anyway."""
MAX_LISTED_BYTES: Final = 600
"""And their text, so that one peer with long names cannot fill an answer."""

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

# RFC 1918, RFC 6598 (carrier NAT), RFC 3927 (link-local), RFC 4193.  IPv6 link-local addresses need an
# interface name that only the peer itself knows, so they are never listed.
_PRIVATE: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7")
)
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_HOST_PORT: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<host>[^\[\]:/@\s]{1,253})):(?P<port>[0-9]{1,5})"
)


class Place(Struct, frozen=True):
    """What an address says about where somebody is."""

    address: str
    zone: str
    """`loopback`, a private range, or empty for anywhere else."""
    household: str
    """What counts as one address for limits: an IPv4 address, or an IPv6 /64, since a host has a whole one."""
    network: str
    """What counts as one network for register rates: an IPv4 /24 or an IPv6 /56."""
    exempt: bool
    """Per-address limits and request rates do not count here."""


def place_of(address: str, exempt: Sequence[Network] = ()) -> Place:
    """Judge the address a socket saw; one that is no IP address (a simulator's) is a place of its own."""
    ip = _parse(address)
    if ip is None:
        return Place(address, ELSEWHERE, address, address, exempt=False)
    text, is_exempt = str(ip), any(ip in one for one in exempt)
    if ip.version == 4:
        return Place(text, _zone(ip), f"{text}/32", f"{text.rpartition('.')[0]}.0/24", is_exempt)
    household, network = (str(ip_network((ip, bits), strict=False)) for bits in (64, 56))
    return Place(text, _zone(ip), household, network, is_exempt)


class Reach(Struct, frozen=True):
    """A peer's own account of how to reach it, parsed once per registration."""

    port: int
    """0: it listens nowhere."""
    loopback: bool
    """It listens on loopback only."""
    advertise: tuple[str, ...]
    """As it was given: `host:port`."""
    addresses: tuple[str, ...]
    """As they were given: hosts of its interfaces."""
    advertised: tuple[tuple[str, str], ...]
    """(zone, endpoint)"""
    interfaces: tuple[tuple[str, str], ...]
    """(zone, endpoint), private ones only: a public interface address is what the tracker sees."""
    encrypted: bool = True
    """Whether its data links are; who does otherwise need not dial it."""


def reach_of(
    port: int, loopback: bool, advertise: Sequence[str], addresses: Sequence[str], encrypted: bool = True
) -> Reach:
    """Parse what a peer registers.

    Raises:
        ValueError: names the text that is no `host:port` or no address.
    """
    interfaces = [(_zone(ip), _endpoint(str(ip), port)) for ip in map(_interface, addresses)]
    return Reach(
        port,
        loopback,
        tuple(advertise),
        tuple(addresses),
        tuple(_advertised(text) for text in advertise),
        tuple(row for row in interfaces if port and row[0] not in (LOOPBACK, ELSEWHERE)),
        encrypted,
    )


def listed_endpoints(reach: Reach, seen: Place, asker: Place) -> tuple[str, ...]:
    """The endpoints of a peer for one asker, best first; empty if it cannot be reached from there."""
    on_this_machine = seen.zone == asker.zone == LOOPBACK
    found = []
    if reach.port and (on_this_machine or not reach.loopback):
        found.append(_endpoint("@tracker" if seen.zone == LOOPBACK else seen.address, reach.port))
    if reach.loopback:
        return tuple(found)
    found += [endpoint for zone, endpoint in reach.advertised if zone != LOOPBACK or on_this_machine]
    one_router = asker.zone == ELSEWHERE and asker.address == seen.address
    found += [endpoint for zone, endpoint in reach.interfaces if one_router or zone == asker.zone]
    return _cut(dict.fromkeys(found))


def _cut(endpoints: dict[str, None]) -> tuple[str, ...]:
    kept: list[str] = []
    room = MAX_LISTED_BYTES
    for endpoint in endpoints:
        room -= len(endpoint)
        if room < 0 or len(kept) == MAX_LISTED:
            break
        kept.append(endpoint)
    return tuple(kept)


def _parse(text: str) -> Address | None:
    try:
        ip = ip_address(text)
    except ValueError:
        return None
    if ip.version == 6 and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def _zone(ip: Address) -> str:
    if ip.is_loopback:
        return LOOPBACK
    for network in _PRIVATE:
        if ip in network:
            return str(network)
    return ELSEWHERE


def _interface(text: str) -> Address:
    ip = _parse(text)
    if ip is None:
        raise ValueError(f"the interface address {text[:60]!r} is not an IP address")
    return ip


def _advertised(text: str) -> tuple[str, str]:
    """The zone and endpoint of `host:port`, `[v6]:port` or `name:port`."""
    match = _HOST_PORT.fullmatch(text)
    port = int(match["port"]) if match else 0
    if match is None or not 1 <= port <= 65535:
        raise ValueError(f"the address {text[:60]!r} in network.advertise is not host:port")
    host = match["v6"] or match["host"]
    ip = _parse(host)
    if ip is None and (match["v6"] or not _HOST_NAME.fullmatch(host)):
        raise ValueError(f"the address {text[:60]!r} in network.advertise has no valid host")
    if ip is None:
        return (LOOPBACK if host.lower() == "localhost" else ELSEWHERE), _endpoint(host, port)
    if ip.is_unspecified or ip.is_multicast:
        raise ValueError(f"the address {text[:60]!r} in network.advertise is one that nobody can dial")
    return (LOOPBACK if ip.is_loopback else ELSEWHERE), _endpoint(str(ip), port)


def _endpoint(host: str, port: int) -> str:
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
