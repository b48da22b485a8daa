"""What goes into PeerNode and what comes out, beyond the link events and effects of bus/boundary.py.

Events are things that happened, in the past tense; effects are requests to the shell, in the imperative.  A job number
ties an answer to its request.  Payloads are opaque: in production views of bytes, in the simulator nothing at all.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from bus.boundary import ContentId, LinkEffect, LinkEvent, LinkId, PeerId
from bus.messages import Message
from peer.core.bitmap import Range
from peer.core.layout import Layout
from peer.core.limit_record import LimitRecord, LocalTime
from peer.core.records import DownloadRecord, KnownContent
from peer.core.standing import Standing

Part = tuple[int, int, int]
"""(chunk, offset in the chunk, length)"""

Token = tuple[LinkId, int]
"""Who asked a command: control link and request id."""


# --- events ----------------------------------------------------------------------------------


class Command(Struct, frozen=True, gc=False):
    """A control request that the core answers with `Reply`."""

    token: Token
    message: Message


class ReplyWhenAnnounced(Struct, frozen=True, gc=False):
    """Reply once the trackers know what the shelf holds: whoever shared may then tell others to get it."""

    token: Token
    message: Message


class ContentAdded(Struct, frozen=True, gc=False):
    """A content was hashed and stands in the catalogue; offer it."""

    content: KnownContent


class PartRead(Struct, frozen=True, gc=False):
    """Bytes asked for with Read or ReadManifest are in memory."""

    job: int
    payload: object
    size: int
    total: int = 0
    """Whole length of the manifest, for ReadManifest."""


class ReadFailed(Struct, frozen=True, gc=False):
    """The bytes cannot be served; `changed` means the file is not the one that was hashed."""

    job: int
    changed: bool
    message: str


class Stored(Struct, frozen=True, gc=False):
    """All parts of a Store or StoreManifest left memory; some may have completed chunks."""

    job: int
    held: tuple[int, ...] = ()
    """Chunks that are complete and whose digest is right."""
    rejected: tuple[int, ...] = ()
    """Chunks that are complete and whose digest is wrong."""


class StoreFailed(Struct, frozen=True, gc=False):
    """The disk refused a download's bytes; nothing after the last record is to be believed."""

    content: ContentId
    job: int
    """0 if it was no Store (a sync, a prepare)."""
    code: str
    message: str
    kind: str = ""
    """Of the download, where it could not be prepared and its manifest is here."""
    size: int = 0
    """Bytes that are wanted of it; as for `kind`."""


class ManifestParsed(Struct, frozen=True, gc=False):
    """A manifest or digest list fetched by id is complete, right, and kept; `layout` if it was not to be kept."""

    content: ContentId
    manifest: str
    layout: Layout | None = None


class ManifestRejected(Struct, frozen=True, gc=False):
    """The bytes sent for a manifest do not match its id or break a limit."""

    content: ContentId
    manifest: str
    message: str


class Prepared(Struct, frozen=True, gc=False):
    """A download's temporary files are ready and what they hold is known."""

    content: ContentId
    name: str
    layout: Layout
    path: str
    held: int
    """Bitmask of chunks held."""
    wanted: int
    """Bitmask of the chunks to fetch in all (a part of a tree with `only`)."""
    lists: tuple[tuple[str, tuple[Range, ...]], ...]
    """(file id, its chunks) of the files whose digest lists are still to be fetched; equal files share one."""


class Finished(Struct, frozen=True, gc=False):
    """A download lies under its name, synced; it is offered from there."""

    content: KnownContent


class Verified(Struct, frozen=True, gc=False):
    """A content's bytes on disk were hashed again."""

    content: ContentId
    held: int
    message: str
    """One line if something does not match, else empty."""


class FilesLooked(Struct, frozen=True, gc=False):
    """The files of an unchecked content were looked at, not hashed."""

    content: ContentId
    message: str
    """One line if they are not those that were hashed, else empty."""


class Reopened(Struct, frozen=True, gc=False):
    """A finished download has wrong chunks, or more of it is wanted: it is under way again, as if never finished."""

    record: DownloadRecord
    message: str


class ReopenFailed(Struct, frozen=True, gc=False):
    """A finished download could not be opened again; it stays as it was."""

    content: ContentId
    code: str
    message: str


class SpaceChecked(Struct, frozen=True, gc=False):
    """Whether the rest of a download fits on its disk."""

    content: ContentId
    enough: bool


class ChunkChecked(Struct, frozen=True, gc=False):
    """A chunk that a downloader rejected was hashed again."""

    content: ContentId
    chunk: int
    good: bool


class DataRemoved(Struct, frozen=True, gc=False):
    """A removed item's data and records are gone (or one line says why not)."""

    content: ContentId
    error: str


CoreEvent = (
    LinkEvent | Command | ReplyWhenAnnounced | ContentAdded | PartRead | ReadFailed | Stored | StoreFailed
    | ManifestParsed | ManifestRejected | Prepared | Finished | Verified | FilesLooked | Reopened | ReopenFailed
    | SpaceChecked | ChunkChecked | DataRemoved | LocalTime
)  # fmt: skip


# --- effects ---------------------------------------------------------------------------------


class Read(Struct, frozen=True, gc=False):
    """Read parts of a held content, in order, as one payload."""

    job: int
    content: ContentId
    parts: tuple[Part, ...]


class ReadManifest(Struct, frozen=True, gc=False):
    """Read a slice of a manifest or digest list, at most `length` bytes from `offset`."""

    job: int
    content: ContentId
    manifest: str
    offset: int
    length: int


class Store(Struct, frozen=True, gc=False):
    """Write parts of a download and check the chunks they complete.

    Parts of one chunk come in order; a part at offset 0 begins the chunk anew.  A part of
    chunk -1 is passed over: nobody asked for its bytes.
    """

    job: int
    content: ContentId
    parts: tuple[Part, ...]
    payload: object


class StoreManifest(Struct, frozen=True, gc=False):
    """Collect a slice of a manifest; when it is whole it is checked, parsed, and kept unless it is only read."""

    job: int
    content: ContentId
    manifest: str
    offset: int
    length: int
    total: int
    payload: object
    keep: bool = True


class Forget(Struct, frozen=True, gc=False):
    """Drop what was collected of these unfinished chunks; they will come from elsewhere."""

    content: ContentId
    chunks: tuple[int, ...]


class Prepare(Struct, frozen=True, gc=False):
    """Make or reopen a download's temporary files; the manifest is known."""

    record: DownloadRecord


class Finish(Struct, frozen=True, gc=False):
    """All chunks wanted are held: sync, rename to the final name, catalogue."""

    content: ContentId


class VerifyData(Struct, frozen=True, gc=False):
    """Hash a content's bytes on disk again."""

    content: ContentId


class ReopenContent(Struct, frozen=True, gc=False):
    """Make a finished download one under way again, that wants these paths (none: all) less what is left out.

    Answered by Reopened.
    """

    content: ContentId
    only: tuple[str, ...]
    left_out: tuple[Range, ...] = ()


class CheckSpace(Struct, frozen=True, gc=False):
    """Look whether the rest of a download that stopped fits on its disk now; answered by SpaceChecked."""

    record: DownloadRecord


class CheckChunk(Struct, frozen=True, gc=False):
    """Hash one chunk of a shared content again."""

    content: ContentId
    chunk: int


class KeepDownload(Struct, frozen=True, gc=False):
    """Write a download's record to the catalogue."""

    record: DownloadRecord


class KeepPaused(Struct, frozen=True, gc=False):
    """Write whether a content is paused to the catalogue."""

    content: ContentId
    paused: bool


class KeepUploaded(Struct, frozen=True, gc=False):
    """Write how many bytes of these contents were ever uploaded to the catalogue."""

    uploaded: tuple[tuple[ContentId, int], ...]


class KeepLimits(Struct, frozen=True, gc=False):
    """Write limits to the catalogue; a record without any is dropped."""

    record: LimitRecord


class RemoveItem(Struct, frozen=True, gc=False):
    """Drop a content or download from the catalogue; with `data`, delete its bytes; answered by DataRemoved."""

    content: ContentId
    data: bool


class KeepReputation(Struct, frozen=True, gc=False):
    """Write one reputation event and the standing after it."""

    peer: PeerId
    type: str
    content: str
    bytes: int
    change: float
    """Of the score."""
    standing: Standing


class ForgetReputation(Struct, frozen=True, gc=False):
    """Drop the standing of a peer and every event kept of it."""

    peer: PeerId


class Reply(Struct, frozen=True, gc=False):
    """Answer a command; the shell puts in the request id."""

    token: Token
    message: Message
    kept: Literal["", "catalogue", "reputation"] = ""
    """Only once everything that was to be kept there so far is kept: a kill right after then loses nothing."""


CoreEffect = (
    LinkEffect | Read | ReadManifest | Store | StoreManifest | Forget | Prepare | Finish | VerifyData | ReopenContent
    | CheckSpace | CheckChunk | KeepDownload | KeepPaused | KeepUploaded | KeepLimits | RemoveItem | KeepReputation
    | ForgetReputation | Reply
)  # fmt: skip
