"""Of the control channel: which parts of a content are here, of each of its files and in all, and who offers them.

Asked for while somebody looks; events carry only the sums.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from bus.messages.control import Priority
from bus.messages.declaring import CLIENT, SERVER, Count, Hex64, Message, PathText, RequestId, ShortText, declare

Strip = Annotated[bytes, Meta(max_length=512)]
"""A byte for each of at most 512 equal parts of a content, in order."""


@declare(100, "control", CLIENT)
class ListHeld(Message, frozen=True, gc=False):
    """Asks how much of each file of a content is here, in pages that begin with any of its files."""

    request: RequestId
    content: ShortText
    first: Count = 0
    """As list files counts them."""


class HeldFile(Struct, frozen=True, gc=False):
    """How much of one file is here."""

    wanted: bool
    """It is fetched, or was; else it was left out."""
    bytes_done: Count
    """Verified."""
    priority: Priority = "normal"
    """Among the files of a running download."""


class FilePriority(Struct, frozen=True, gc=False):
    """What is set for a file or a folder of a running download; of several that a file lies in, the longest decides."""

    path: PathText
    priority: Priority


@declare(101, "control", SERVER)
class Held(Message, frozen=True, gc=False):
    """Answers list held; `next` is the next page's first row, 0 at the end."""

    request: RequestId
    files: Annotated[list[HeldFile], Meta(max_length=1000)]
    next: Count
    priorities: Annotated[list[FilePriority], Meta(max_length=1000)] = []
    """All that is set, whatever the page; the files that it names none of are normal."""


@declare(102, "control", CLIENT)
class ShowPieces(Message, frozen=True, gc=False):
    """Asks which parts of a content are here, and which are offered by the linked peers of its swarm."""

    request: RequestId
    content: ShortText


class PeerPieces(Struct, frozen=True, gc=False):
    """What a linked peer offers of a content."""

    peer: Hex64
    complete: bool
    """It has all of it, though it may offer less for now."""
    chunks: Count
    """That it offers."""
    offered: Strip
    """The share of each part that it offers, 0 to 255."""


@declare(103, "control", SERVER)
class Pieces(Message, frozen=True, gc=False):
    """Answers show pieces."""

    request: RequestId
    content: Hex64
    chunks: Count
    here: Strip
    """The share of each part that is here, 0 to 255."""
    copies: Strip
    """How many linked peers have the chunk of each part that the fewest have; 255: so many or more."""
    peers: Annotated[list[PeerPieces], Meta(max_length=100)]
    """Those that offer most come first."""
    linked: Count
    """Linked peers that offer any of it, shown or not."""
