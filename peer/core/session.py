"""One tracker, as this peer sees it.

DOWN --dial--> DIALLING --up--> REGISTERING --ok--> UP --lost--> DOWN
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

from msgspec import Struct

from bus.boundary import ContentId, LinkId
from bus.forms import is_endpoint
from bus.messages import ContentEntry, FoundContent, Register, SwarmPeer, Version
from peer.core.settings import NodeSettings, TrackerAddress

PAGE_BYTES: Final = 40 * 1024
"""Estimated bytes of a page of entries; a tracker takes messages of 64 KiB."""

Answer = Callable[[list[FoundContent] | None], None]
"""Hears one tracker's results, or None if it did not answer."""


class SessionState(Enum):
    DOWN = "down"
    DIALLING = "dialling"
    REGISTERING = "registering"
    UP = "up"


class Asked(Struct):
    """A request that waits for its answer."""

    kind: str
    """register, announce, renew, query or search"""
    content: str = ""
    answer: Answer | None = None


class Session:
    """One tracker."""

    __slots__ = (
        "address",
        "announced",
        "asked",
        "errors",
        "failures",
        "heard",
        "lease",
        "link",
        "reason",
        "state",
        "version",
    )

    def __init__(self, address: TrackerAddress) -> None:
        self.address = address
        self.state = SessionState.DOWN
        self.link: LinkId | None = None
        self.version = 0
        self.announced: dict[ContentId, ContentEntry] = {}
        """What the tracker was told."""
        self.asked: dict[int, Asked] = {}
        self.failures = 0
        self.errors = 0
        self.lease = 90.0
        self.heard = 0.0
        self.reason = ""

    @property
    def host(self) -> str:
        """The host by which we reach this tracker; replaces `@tracker` in endpoints it lists."""
        return self.address.endpoint.removeprefix("tcp://").rpartition(":")[0]


def resolved(peer: SwarmPeer, host: str) -> SwarmPeer:
    """`@tracker` stands for the host by which we reached the tracker; it sends us to nothing but TCP."""
    endpoints = [endpoint.replace("@tracker", host) for endpoint in peer.endpoints]
    diallable = [endpoint for endpoint in endpoints if is_endpoint(endpoint)]
    if diallable == peer.endpoints:
        return peer
    return SwarmPeer(peer.peer, diallable, peer.complete, peer.encrypted)


def pages_of(entries: list[ContentEntry]) -> list[list[ContentEntry]]:
    """Entries in pages that a tracker takes in one message."""
    pages: list[list[ContentEntry]] = []
    room = 0
    for entry in entries:
        size = 140 + 4 * len(entry.name)
        if size > room or not pages:
            pages.append([])
            room = PAGE_BYTES
        pages[-1].append(entry)
        room -= size
    return pages


def register_page(
    settings: NodeSettings, request: int, version: Version, number: int, page: list[ContentEntry], *, last: bool
) -> Register:
    """One page of all that we offer."""
    return Register(
        request,
        version,
        number,
        last,
        settings.name,
        settings.data_port,
        settings.loopback,
        list(settings.advertise),
        list(settings.addresses),
        page,
        settings.encryption,
    )
