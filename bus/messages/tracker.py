"""The tracker channel, numbers 1 to 31: a peer dials a tracker."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from bus.messages.declaring import (
    BOTH,
    CLIENT,
    SERVER,
    Count,
    Endpoints,
    Hex64,
    Kind,
    Message,
    Name,
    Port,
    RequestId,
    Seconds,
    ShortText,
    declare,
)


class Version(Struct, frozen=True, gc=False):
    """Where a peer's list of contents stands: its epoch (random per start) and a count of changes."""

    epoch: Count
    n: Count


class ContentEntry(Struct, frozen=True, gc=False):
    """One content a peer offers or fetches."""

    id: Hex64
    name: Name
    kind: Kind
    size: Count
    complete: bool
    """True for a seed."""


class SwarmPeer(Struct, frozen=True, gc=False, omit_defaults=True):
    """One member of a swarm, as the tracker lists it."""

    peer: Hex64
    endpoints: Endpoints
    """In the order to try; the host `@tracker` stands for the host by which the asker reached the tracker."""
    complete: bool
    encrypted: bool = True
    """Whether its data links are encrypted: two peers can link only if both encrypt or neither does."""


class FoundContent(Struct, frozen=True, gc=False):
    """One search result."""

    id: Hex64
    name: Name
    kind: Kind
    size: Count
    seeds: Count
    leechers: Count


@declare(1, "tracker", CLIENT)
class Register(Message, frozen=True, gc=False):
    """The full list of a peer's contents, in pages; replaces the tracker's list when the last page arrives."""

    request: RequestId
    version: Version
    page: Count
    last: bool
    name: Name
    port: Port
    """Data port of the peer; the tracker adds the address it saw."""
    loopback: bool
    """The data socket is bound to loopback only."""
    advertise: Endpoints
    """`host:port` set by the user in `network.advertise`."""
    addresses: Endpoints
    """Interface addresses, without port."""
    contents: Annotated[list[ContentEntry], Meta(max_length=1000)]
    encrypted: bool = True
    """Whether its data links are encrypted."""


@declare(2, "tracker", CLIENT)
class Announce(Message, frozen=True, gc=False):
    """Changes of the list since the version before; answered `resync` when it does not follow."""

    request: RequestId
    version: Version
    added: Annotated[list[ContentEntry], Meta(max_length=1000)]
    removed: Annotated[list[Hex64], Meta(max_length=1000)]


@declare(3, "tracker", CLIENT)
class Renew(Message, frozen=True, gc=False):
    """Extends the lease; answered `resync` when the tracker has another version."""

    request: RequestId
    version: Version


@declare(4, "tracker", CLIENT)
class Leave(Message, frozen=True, gc=False):
    """The peer stops: its lease ends now. Not answered."""


@declare(5, "tracker", SERVER)
class Registered(Message, frozen=True, gc=False):
    """Answers register, announce and renew."""

    request: RequestId
    status: Literal["ok", "resync"]
    lease: Seconds


@declare(6, "tracker", CLIENT)
class Query(Message, frozen=True, gc=False):
    """Asks for the swarm of one content."""

    request: RequestId
    content: Hex64


@declare(7, "tracker", SERVER)
class Swarm(Message, frozen=True, gc=False):
    """Answers query with a bounded random sample of the swarm, the asker left out."""

    request: RequestId
    content: Hex64
    name: Name
    kind: Kind
    size: Count
    seeds: Count
    leechers: Count
    peers: Annotated[list[SwarmPeer], Meta(max_length=50)]


@declare(8, "tracker", CLIENT)
class Search(Message, frozen=True, gc=False):
    """Searches names (all words, prefix and substring), or an id by 8 or more first digits."""

    request: RequestId
    words: ShortText
    limit: Annotated[int, Meta(ge=1, le=200)]


@declare(9, "tracker", SERVER)
class Found(Message, frozen=True, gc=False):
    """Answers search, best first."""

    request: RequestId
    results: Annotated[list[FoundContent], Meta(max_length=200)]


@declare(10, "tracker", CLIENT)
class Watch(Message, frozen=True, gc=False):
    """Asks for pushes about these swarms until unwatch or the link's end. Not answered."""

    contents: Annotated[list[Hex64], Meta(max_length=500)]


@declare(11, "tracker", CLIENT)
class Unwatch(Message, frozen=True, gc=False):
    """Ends watches. Not answered."""

    contents: Annotated[list[Hex64], Meta(max_length=500)]


@declare(12, "tracker", SERVER)
class SwarmChanged(Message, frozen=True, gc=False):
    """Pushed to a watcher: a hint, at most one per content and 5 s, with at most 16 random peers."""

    content: Hex64
    seeds: Count
    leechers: Count
    joined: Annotated[list[SwarmPeer], Meta(max_length=16)]
    left: Annotated[list[Hex64], Meta(max_length=16)]


@declare(13, "tracker", BOTH)
class TrackerPing(Message, frozen=True, gc=False):
    """Asks whether the other side is alive."""

    nonce: Count


@declare(14, "tracker", BOTH)
class TrackerPong(Message, frozen=True, gc=False):
    """Answers ping with its nonce."""

    nonce: Count


@declare(15, "tracker", SERVER)
class TrackerFailed(Message, frozen=True, gc=False):
    """Answers a request that cannot be served."""

    request: RequestId
    code: Name
    message: ShortText
