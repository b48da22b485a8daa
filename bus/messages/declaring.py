"""What every message is made of: the base record, the field types with their limits, the register."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, Literal, NamedTuple, TypeVar

from msgspec import Meta, Struct

PROTOCOL_VERSION: Final = 1

MAX_CHUNKS_PER_FILE: Final = 2**19
MAX_CHUNKS: Final = 2**22
MAX_CHUNK_SIZE: Final = 16 * 2**20
MAX_DATA_PAYLOAD: Final = 2**20
"""Bytes of one data message's payload frame."""
MAX_MANIFEST: Final = 16 * 2**20 + 2**16
"""Bytes of one manifest or digest list (libtorrent allows 30 MiB)."""

Hex64 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
RequestId = Annotated[int, Meta(ge=0, le=2**63 - 1)]
StreamNumber = Annotated[int, Meta(ge=1, le=2**31 - 1)]
WantNumber = Annotated[int, Meta(ge=1, le=2**31 - 1)]
ChunkIndex = Annotated[int, Meta(ge=0, lt=MAX_CHUNKS)]
ChunkCount = Annotated[int, Meta(ge=1, le=MAX_CHUNKS)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Score = Annotated[float, Meta(ge=0, le=1)]
ScoreChange = Annotated[float, Meta(ge=-1, le=1)]
Name = Annotated[str, Meta(max_length=255)]
ShortText = Annotated[str, Meta(max_length=512)]
PathText = Annotated[str, Meta(max_length=4096)]
Endpoint = Annotated[str, Meta(max_length=300)]
Endpoints = Annotated[list[Endpoint], Meta(max_length=24)]
Ranges = Annotated[list[tuple[ChunkIndex, ChunkCount]], Meta(max_length=8192)]
Part = tuple[ChunkIndex, Annotated[int, Meta(ge=0, le=MAX_MANIFEST)], Annotated[int, Meta(ge=1, le=MAX_DATA_PAYLOAD)]]
"""(chunk, offset in the chunk, length)"""
Parts = Annotated[list[Part], Meta(max_length=8192, min_length=1)]
Kind = Literal["file", "tree", ""]
"""Empty while a leecher does not know it yet."""

Channel = Literal["tracker", "data", "control", "proof"]
"""`proof` is spoken on data connections in clear text until they are links."""
CLIENT: Final = "client"
SERVER: Final = "server"
BOTH: Final = "both"


class Message(Struct, frozen=True, gc=False):
    """Base of every message."""


class Declared(NamedTuple):
    """One row of the vocabulary."""

    number: int
    channel: Channel
    sender: str
    """Who may send it: the client (the side that dialled), the server, or both."""
    type: type[Message]


BY_NUMBER: Final[dict[int, Declared]] = {}
BY_TYPE: Final[dict[type[Message], Declared]] = {}

M = TypeVar("M", bound=type[Message])


def declare(number: int, channel: Channel, sender: str) -> Callable[[M], M]:
    def register(cls: M) -> M:
        if number in BY_NUMBER:
            raise ValueError(f"message number {number} is taken by {BY_NUMBER[number].type.__name__}")
        BY_NUMBER[number] = BY_TYPE[cls] = Declared(number, channel, sender, cls)
        return cls

    return register
