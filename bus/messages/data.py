"""The data channel, numbers 32 to 59: a peer dials a peer; who dialled says nothing about who sends bytes."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from bus.messages.declaring import (
    BOTH,
    MAX_CHUNKS,
    MAX_MANIFEST,
    ChunkIndex,
    Count,
    Hex64,
    Message,
    Name,
    Parts,
    Ranges,
    StreamNumber,
    WantNumber,
    declare,
)


@declare(32, "data", BOTH)
class Hello(Message, frozen=True, gc=False):
    """First message of each side of a data link; nothing is opened before both have passed."""

    software: Name
    name: Name


@declare(33, "data", BOTH)
class Have(Message, frozen=True, gc=False):
    """Restates which chunks from `first` on the sender offers; bit 0 of byte 0 is chunk `first`.

    An empty one says that the sender offers nothing; who offers anything answers it with all it offers.
    """

    content: Hex64
    first: Annotated[int, Meta(ge=0, lt=MAX_CHUNKS, multiple_of=8)]
    bits: Annotated[bytes, Meta(max_length=MAX_CHUNKS // 8)]
    complete: bool = False
    """The sender has all of it, though it may offer less for now (super-seeding)."""
    part: bool = False
    """In an empty one: the sender wants a part of the tree only, so that a super-seeding seed shows it everything."""


@declare(34, "data", BOTH)
class Open(Message, frozen=True, gc=False):
    """The downloader asks for an upload slot; streams are odd if it dialled, else even, and rise."""

    stream: StreamNumber


@declare(35, "data", BOTH)
class Opened(Message, frozen=True, gc=False):
    """The uploader grants the slot; credit starts at 0."""

    stream: StreamNumber


@declare(36, "data", BOTH)
class Credit(Message, frozen=True, gc=False):
    """The uploader may send up to stream position `limit`; absolute, so repeating it changes nothing."""

    stream: StreamNumber
    limit: Count
    consumed: Count
    """Payload bytes of this stream that have left the downloader's memory."""


@declare(37, "data", BOTH)
class Want(Message, frozen=True, gc=False):
    """Asks for chunks; each is answered once: by all its bytes, by refused, or by the stream's end."""

    stream: StreamNumber
    want: WantNumber
    content: Hex64
    ranges: Annotated[Ranges, Meta(min_length=1)]


@declare(38, "data", BOTH)
class WantManifest(Message, frozen=True, gc=False):
    """Asks for a manifest or digest list of a content, by its own id."""

    stream: StreamNumber
    want: WantNumber
    content: Hex64
    manifest: Hex64


@declare(39, "data", BOTH)
class Data(Message, frozen=True, gc=False):
    """Bytes of one want; the payload is its own frame, the concatenation of the parts."""

    stream: StreamNumber
    position: Count
    """Stream position of the payload's first byte."""
    want: WantNumber
    parts: Parts
    size: Annotated[int, Meta(ge=0, le=MAX_MANIFEST)] = 0
    """Whole length of the manifest, for a manifest's want; else 0."""


@declare(40, "data", BOTH)
class Cancel(Message, frozen=True, gc=False):
    """The downloader no longer wants these chunks."""

    stream: StreamNumber
    want: WantNumber
    ranges: Annotated[Ranges, Meta(min_length=1)]


RefusalReason = Literal["cancelled", "withdrawn", "not_held", "unreadable", "closing"]


@declare(41, "data", BOTH)
class Refused(Message, frozen=True, gc=False):
    """The uploader will not send these chunks; no ranges mean the whole want."""

    stream: StreamNumber
    want: WantNumber
    ranges: Ranges
    reason: RefusalReason


@declare(42, "data", BOTH)
class Rejected(Message, frozen=True, gc=False):
    """The downloader found that a chunk's bytes do not match its digest."""

    content: Hex64
    chunk: ChunkIndex


CloseReason = Literal["done", "choked", "queued_out", "reputation", "idle", "closing", "protocol", "link_lost"]


@declare(43, "data", BOTH)
class Closed(Message, frozen=True, gc=False):
    """Final: ends the stream, its wants and its offers. Either side may send it."""

    stream: StreamNumber
    position: Count
    reason: CloseReason


@declare(44, "data", BOTH)
class Ping(Message, frozen=True, gc=False):
    """Sent every 5 s; any message counts as life."""

    nonce: Count


@declare(45, "data", BOTH)
class Pong(Message, frozen=True, gc=False):
    """Answers ping with its nonce."""

    nonce: Count


@declare(46, "data", BOTH)
class Capacity(Message, frozen=True, gc=False):
    """What the sender can carry, in bytes a second; 0: not known.  Informs the bound meter, and decides nothing.

    Sent after hello and when it changed by more than a tenth, at most every 5 s; not while nothing is known.
    """

    up: Count
    """Its upload limit, or else the highest rate at which it sent in the last minute."""
    down: Count
    """Its download limit."""
