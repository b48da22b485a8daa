"""The message vocabulary: every message of every channel, declared once.

The codec, the tables of docs/PROTOCOL.md, the golden byte vectors and the fuzz tests are
derived from this file.  A message is a frozen record with a number, a channel and a side
that may send it; its docstring is its line in the protocol document.

Ids (contents, peers, keys) are 64 lower-case hex digits everywhere, on the wire too.  Chunk
ranges are pairs `(first, count)`.  Sizes, offsets and positions are bytes.
"""

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

Channel = Literal["tracker", "data", "control"]
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


def _declare(number: int, channel: Channel, sender: str) -> Callable[[M], M]:
    def register(cls: M) -> M:
        if number in BY_NUMBER:
            raise ValueError(f"message number {number} is taken by {BY_NUMBER[number].type.__name__}")
        BY_NUMBER[number] = BY_TYPE[cls] = Declared(number, channel, sender, cls)
        return cls

    return register


# --- records inside messages ---------------------------------------------------------------


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


class SwarmPeer(Struct, frozen=True, gc=False):
    """One member of a swarm, as the tracker lists it."""

    peer: Hex64
    endpoints: Endpoints
    """In the order to try; the host `@tracker` stands for the host by which the asker reached the tracker."""
    complete: bool


class FoundContent(Struct, frozen=True, gc=False):
    """One search result."""

    id: Hex64
    name: Name
    kind: Kind
    size: Count
    seeds: Count
    leechers: Count


# --- tracker channel: 1 to 31 ---------------------------------------------------------------


@_declare(1, "tracker", CLIENT)
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


@_declare(2, "tracker", CLIENT)
class Announce(Message, frozen=True, gc=False):
    """Changes of the list since the version before; answered `resync` when it does not follow."""

    request: RequestId
    version: Version
    added: Annotated[list[ContentEntry], Meta(max_length=1000)]
    removed: Annotated[list[Hex64], Meta(max_length=1000)]


@_declare(3, "tracker", CLIENT)
class Renew(Message, frozen=True, gc=False):
    """Extends the lease; answered `resync` when the tracker has another version."""

    request: RequestId
    version: Version


@_declare(4, "tracker", CLIENT)
class Leave(Message, frozen=True, gc=False):
    """The peer stops: its lease ends now. Not answered."""


@_declare(5, "tracker", SERVER)
class Registered(Message, frozen=True, gc=False):
    """Answers register, announce and renew."""

    request: RequestId
    status: Literal["ok", "resync"]
    lease: Seconds


@_declare(6, "tracker", CLIENT)
class Query(Message, frozen=True, gc=False):
    """Asks for the swarm of one content."""

    request: RequestId
    content: Hex64


@_declare(7, "tracker", SERVER)
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


@_declare(8, "tracker", CLIENT)
class Search(Message, frozen=True, gc=False):
    """Searches names (all words, prefix and substring), or an id by 8 or more first digits."""

    request: RequestId
    words: ShortText
    limit: Annotated[int, Meta(ge=1, le=200)]


@_declare(9, "tracker", SERVER)
class Found(Message, frozen=True, gc=False):
    """Answers search, best first."""

    request: RequestId
    results: Annotated[list[FoundContent], Meta(max_length=200)]


@_declare(10, "tracker", CLIENT)
class Watch(Message, frozen=True, gc=False):
    """Asks for pushes about these swarms until unwatch or the link's end. Not answered."""

    contents: Annotated[list[Hex64], Meta(max_length=500)]


@_declare(11, "tracker", CLIENT)
class Unwatch(Message, frozen=True, gc=False):
    """Ends watches. Not answered."""

    contents: Annotated[list[Hex64], Meta(max_length=500)]


@_declare(12, "tracker", SERVER)
class SwarmChanged(Message, frozen=True, gc=False):
    """Pushed to a watcher: a hint, at most one per content and 5 s, with at most 16 random peers."""

    content: Hex64
    seeds: Count
    leechers: Count
    joined: Annotated[list[SwarmPeer], Meta(max_length=16)]
    left: Annotated[list[Hex64], Meta(max_length=16)]


@_declare(13, "tracker", BOTH)
class TrackerPing(Message, frozen=True, gc=False):
    """Asks whether the other side is alive."""

    nonce: Count


@_declare(14, "tracker", BOTH)
class TrackerPong(Message, frozen=True, gc=False):
    """Answers ping with its nonce."""

    nonce: Count


@_declare(15, "tracker", SERVER)
class TrackerFailed(Message, frozen=True, gc=False):
    """Answers a request that cannot be served."""

    request: RequestId
    code: Name
    message: ShortText


# --- data channel: 32 to 63 -----------------------------------------------------------------


@_declare(32, "data", BOTH)
class Hello(Message, frozen=True, gc=False):
    """First message of each side of a data link; nothing is opened before both have passed."""

    software: Name
    name: Name


@_declare(33, "data", BOTH)
class Have(Message, frozen=True, gc=False):
    """Restates which chunks from `first` on the sender offers; bit 0 of byte 0 is chunk `first`.

    The first one for a content, even empty, shows interest in it; a later empty one ends it.
    """

    content: Hex64
    first: Annotated[int, Meta(ge=0, lt=MAX_CHUNKS, multiple_of=8)]
    bits: Annotated[bytes, Meta(max_length=MAX_CHUNKS // 8)]


@_declare(34, "data", BOTH)
class Open(Message, frozen=True, gc=False):
    """The downloader asks for an upload slot; streams are odd if it dialled, else even, and rise."""

    stream: StreamNumber


@_declare(35, "data", BOTH)
class Opened(Message, frozen=True, gc=False):
    """The uploader grants the slot; credit starts at 0."""

    stream: StreamNumber


@_declare(36, "data", BOTH)
class Credit(Message, frozen=True, gc=False):
    """The uploader may send up to stream position `limit`; absolute, so repeating it changes nothing."""

    stream: StreamNumber
    limit: Count
    consumed: Count
    """Payload bytes of this stream that have left the downloader's memory."""


@_declare(37, "data", BOTH)
class Want(Message, frozen=True, gc=False):
    """Asks for chunks; each is answered once: by all its bytes, by refused, or by the stream's end."""

    stream: StreamNumber
    want: WantNumber
    content: Hex64
    ranges: Annotated[Ranges, Meta(min_length=1)]


@_declare(38, "data", BOTH)
class WantManifest(Message, frozen=True, gc=False):
    """Asks for a manifest or digest list of a content, by its own id."""

    stream: StreamNumber
    want: WantNumber
    content: Hex64
    manifest: Hex64


@_declare(39, "data", BOTH)
class Data(Message, frozen=True, gc=False):
    """Bytes of one want; the payload is its own frame, the concatenation of the parts."""

    stream: StreamNumber
    position: Count
    """Stream position of the payload's first byte."""
    want: WantNumber
    parts: Parts
    size: Annotated[int, Meta(ge=0, le=MAX_MANIFEST)] = 0
    """Whole length of the manifest, for a manifest's want; else 0."""


@_declare(40, "data", BOTH)
class Cancel(Message, frozen=True, gc=False):
    """The downloader no longer wants these chunks."""

    stream: StreamNumber
    want: WantNumber
    ranges: Annotated[Ranges, Meta(min_length=1)]


RefusalReason = Literal["cancelled", "withdrawn", "not_held", "unreadable", "closing"]


@_declare(41, "data", BOTH)
class Refused(Message, frozen=True, gc=False):
    """The uploader will not send these chunks; no ranges mean the whole want."""

    stream: StreamNumber
    want: WantNumber
    ranges: Ranges
    reason: RefusalReason


@_declare(42, "data", BOTH)
class Rejected(Message, frozen=True, gc=False):
    """The downloader found that a chunk's bytes do not match its digest."""

    content: Hex64
    chunk: ChunkIndex


CloseReason = Literal["done", "choked", "queued_out", "reputation", "idle", "closing", "protocol", "link_lost"]


@_declare(43, "data", BOTH)
class Closed(Message, frozen=True, gc=False):
    """Final: ends the stream, its wants and its offers. Either side may send it."""

    stream: StreamNumber
    position: Count
    reason: CloseReason


@_declare(44, "data", BOTH)
class Ping(Message, frozen=True, gc=False):
    """Sent after 5 s of sending nothing; any message counts as life."""

    nonce: Count


@_declare(45, "data", BOTH)
class Pong(Message, frozen=True, gc=False):
    """Answers ping with its nonce."""

    nonce: Count


# --- control channel: 64 to 127 -------------------------------------------------------------


@_declare(64, "control", CLIENT)
class SharePath(Message, frozen=True, gc=False):
    """Hash and offer a file or directory in place; progress is sent while hashing, then shared."""

    request: RequestId
    path: PathText
    name: Name = ""
    upload: bool = False
    """The path lies in the peer's uploads folder and belongs to Shoal: remove --data may delete it."""


@_declare(65, "control", SERVER)
class Progress(Message, frozen=True, gc=False):
    """Sent while a long request runs; also says that the peer is alive."""

    request: RequestId
    bytes_done: Count
    bytes_total: Count


@_declare(66, "control", SERVER)
class Shared(Message, frozen=True, gc=False):
    """Answers share."""

    request: RequestId
    id: Hex64
    name: Name
    kind: Kind
    size: Count
    files: Count
    chunks: Count
    seconds: Seconds
    link: PathText
    skipped: Annotated[list[PathText], Meta(max_length=100)] = []
    """One line for each thing in the tree that is not shared, with the reason."""


@_declare(67, "control", CLIENT)
class Unshare(Message, frozen=True, gc=False):
    """Stop offering a content; the user's file is never touched."""

    request: RequestId
    content: ShortText
    """The id, or 8 or more of its first digits if only one item has them."""


@_declare(68, "control", SERVER)
class Done(Message, frozen=True, gc=False):
    """Answers a request that has nothing else to say."""

    request: RequestId
    content: str = ""
    """Full id of the item acted on."""


@_declare(69, "control", CLIENT)
class SearchContents(Message, frozen=True, gc=False):
    """Search through the peer's trackers."""

    request: RequestId
    words: ShortText
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


@_declare(70, "control", SERVER)
class SearchResults(Message, frozen=True, gc=False):
    """Answers search, best first."""

    request: RequestId
    results: Annotated[list[FoundContent], Meta(max_length=200)]


@_declare(71, "control", CLIENT)
class Get(Message, frozen=True, gc=False):
    """Start a download (or find the one that runs), by id, unique id prefix or link."""

    request: RequestId
    content: PathText
    directory: PathText = ""
    """Absolute path of the destination folder; empty means the peer's download folder."""
    only: Annotated[list[PathText], Meta(max_length=1000)] = []
    """Paths of a tree to fetch (files or folders); empty means all."""


@_declare(72, "control", CLIENT)
class Pause(Message, frozen=True, gc=False):
    """Stop fetching and offering an item until resume."""

    request: RequestId
    content: ShortText


@_declare(73, "control", CLIENT)
class Resume(Message, frozen=True, gc=False):
    """Go on after pause or an error."""

    request: RequestId
    content: ShortText


@_declare(74, "control", CLIENT)
class Verify(Message, frozen=True, gc=False):
    """Hash what is on disk again; what is damaged is fetched again, or withdrawn if it was shared."""

    request: RequestId
    content: ShortText


@_declare(75, "control", CLIENT)
class Remove(Message, frozen=True, gc=False):
    """Forget an item; with data, delete what Shoal downloaded or received as an upload."""

    request: RequestId
    content: ShortText
    data: bool = False


@_declare(76, "control", CLIENT)
class Snapshot(Message, frozen=True, gc=False):
    """Asks for a page of the state; snapshot 0 makes a new immutable copy, page 0 is its first."""

    request: RequestId
    snapshot: Count = 0
    page: Count = 0
    sections: Annotated[list[Name], Meta(max_length=16)] = []
    """Which parts of the state (see bus/state.py); empty means all."""


@_declare(77, "control", SERVER)
class SnapshotPage(Message, frozen=True, gc=False):
    """One page of the state, as the events that would make it; every page says where the streams stood."""

    request: RequestId
    snapshot: Count
    page: Count
    last: bool
    epoch: Count
    seqs: dict[str, int]
    rows: list[tuple[str, dict[str, object]]]
    """(event type, its fields): applying the rows to an empty state gives the state."""


@_declare(78, "control", CLIENT)
class ExplainReputation(Message, frozen=True, gc=False):
    """Asks for the kept events behind one peer's score."""

    request: RequestId
    peer: ShortText


class ReputationEvent(Struct, frozen=True, gc=False):
    """One kept event and the change it made."""

    time: str
    type: Name
    content: str
    bytes: Count
    change: ScoreChange
    """What was added to the score, after smoothing and clamping."""
    score: Score
    """The score after it."""


@_declare(79, "control", SERVER)
class ReputationExplained(Message, frozen=True, gc=False):
    """Answers explain reputation, oldest event first."""

    request: RequestId
    peer: Hex64
    score: Score
    events: Annotated[list[ReputationEvent], Meta(max_length=2000)]


@_declare(80, "control", CLIENT)
class ControlPing(Message, frozen=True, gc=False):
    """Asks whether the peer's reactor answers; readiness checks use it."""

    request: RequestId


@_declare(81, "control", SERVER)
class ControlFailed(Message, frozen=True, gc=False):
    """Answers a request that failed."""

    request: RequestId
    code: Name
    message: Annotated[str, Meta(max_length=2000)]


@_declare(82, "control", CLIENT)
class ListFiles(Message, frozen=True, gc=False):
    """Asks for the files of a content whose manifest the peer has, in pages."""

    request: RequestId
    content: ShortText
    first: Count = 0


class FileRow(Struct, frozen=True, gc=False):
    """One file of a content."""

    path: PathText
    size: Count
    executable: bool


@_declare(83, "control", SERVER)
class Files(Message, frozen=True, gc=False):
    """Answers list files; `next` is the next page's first row, 0 at the end."""

    request: RequestId
    files: Annotated[list[FileRow], Meta(max_length=1000)]
    next: Count
