"""The control channel, numbers 64 to 127: command line and gateway to their own peer, on ipc."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from bus.messages.declaring import (
    CLIENT,
    SERVER,
    Count,
    Hex64,
    Kind,
    Message,
    Name,
    PathText,
    RequestId,
    Score,
    ScoreChange,
    Seconds,
    ShortText,
    declare,
)
from bus.messages.tracker import FoundContent


@declare(64, "control", CLIENT)
class SharePath(Message, frozen=True, gc=False):
    """Hash and offer a file or directory in place; progress is sent while hashing, then shared."""

    request: RequestId
    path: PathText
    name: Name = ""
    upload: bool = False
    """The path lies in the peer's uploads folder and belongs to Shoal: remove --data may delete it."""


@declare(65, "control", SERVER)
class Progress(Message, frozen=True, gc=False):
    """Sent while a long request runs; also says that the peer is alive."""

    request: RequestId
    bytes_done: Count
    bytes_total: Count
    files_done: Count = 0
    files_total: Count = 0
    """0 if what runs does not count files."""


@declare(66, "control", SERVER)
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
    hashed_files: Count = 0
    """Files that were hashed; the others are as they were when they were hashed before."""
    hashed_bytes: Count = 0


@declare(67, "control", CLIENT)
class Unshare(Message, frozen=True, gc=False):
    """Stop offering a content; the user's file is never touched."""

    request: RequestId
    content: ShortText
    """The id, or 8 or more of its first digits if only one item has them."""


@declare(68, "control", SERVER)
class Done(Message, frozen=True, gc=False):
    """Answers a request that has nothing else to say."""

    request: RequestId
    content: str = ""
    """Full id of the item acted on."""
    note: Annotated[str, Meta(max_length=2000)] = ""
    """One line if something is worth saying though it went well."""


@declare(69, "control", CLIENT)
class SearchContents(Message, frozen=True, gc=False):
    """Search through the peer's trackers."""

    request: RequestId
    words: ShortText
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


@declare(70, "control", SERVER)
class SearchResults(Message, frozen=True, gc=False):
    """Answers search, best first."""

    request: RequestId
    results: Annotated[list[FoundContent], Meta(max_length=200)]


@declare(71, "control", CLIENT)
class Get(Message, frozen=True, gc=False):
    """Start a download (or find the one that runs), by id, unique id prefix or link."""

    request: RequestId
    content: PathText
    directory: PathText = ""
    """Absolute path of the destination folder; empty means the peer's download folder."""
    only: Annotated[list[PathText], Meta(max_length=1000)] = []
    """Paths of a tree to fetch (files or folders); empty means all."""
    sequential: bool = False
    """Fetch its chunks from first to last; also asked of a download that runs already."""


@declare(72, "control", CLIENT)
class Pause(Message, frozen=True, gc=False):
    """Stop fetching and offering an item until resume."""

    request: RequestId
    content: ShortText


@declare(73, "control", CLIENT)
class Resume(Message, frozen=True, gc=False):
    """Go on after pause or an error."""

    request: RequestId
    content: ShortText


@declare(74, "control", CLIENT)
class Verify(Message, frozen=True, gc=False):
    """Hash what is on disk again; what is damaged of a running download is fetched again, anything else withdrawn."""

    request: RequestId
    content: ShortText


@declare(75, "control", CLIENT)
class Remove(Message, frozen=True, gc=False):
    """Forget an item; with data, delete what Shoal downloaded or received as an upload."""

    request: RequestId
    content: ShortText
    data: bool = False


@declare(76, "control", CLIENT)
class Snapshot(Message, frozen=True, gc=False):
    """Asks for a page of the state; snapshot 0 makes a new immutable copy, page 0 is its first."""

    request: RequestId
    snapshot: Count = 0
    page: Count = 0
    sections: Annotated[list[Name], Meta(max_length=16)] = []
    """Which parts of the state (see bus/state.py); empty means all."""


@declare(77, "control", SERVER)
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


@declare(78, "control", CLIENT)
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


@declare(79, "control", SERVER)
class ReputationExplained(Message, frozen=True, gc=False):
    """Answers explain reputation, oldest event first."""

    request: RequestId
    peer: Hex64
    score: Score
    events: Annotated[list[ReputationEvent], Meta(max_length=2000)]
    verdict: Literal["", "trusted", "blocked"] = ""
    """The user's own; the score is that of the events all the same."""


@declare(80, "control", CLIENT)
class ControlPing(Message, frozen=True, gc=False):
    """Asks whether the peer's reactor answers; readiness checks use it."""

    request: RequestId


@declare(81, "control", SERVER)
class ControlFailed(Message, frozen=True, gc=False):
    """Answers a request that failed."""

    request: RequestId
    """0 if the request was not even understood."""
    code: Name
    message: Annotated[str, Meta(max_length=2000)]


@declare(82, "control", CLIENT)
class ListFiles(Message, frozen=True, gc=False):
    """Asks for the files of a content, in pages; a manifest that is not here is fetched first, and nothing else."""

    request: RequestId
    content: PathText
    """The id, 8 or more of its first digits, or a link."""
    first: Count = 0


class FileRow(Struct, frozen=True, gc=False):
    """One file of a content."""

    path: PathText
    size: Count
    executable: bool


@declare(83, "control", SERVER)
class Files(Message, frozen=True, gc=False):
    """Answers list files; `next` is the next page's first row, 0 at the end."""

    request: RequestId
    files: Annotated[list[FileRow], Meta(max_length=1000)]
    next: Count
    content: str = ""
    """Full id."""
    name: Name = ""
    kind: Kind = ""
    size: Count = 0
    total: Count = 0
    """Files in all."""


Priority = Literal["high", "normal", "low"]


@declare(86, "control", CLIENT)
class ChangeDownload(Message, frozen=True, gc=False):
    """Changes how a running download is fetched; done answers."""

    request: RequestId
    content: ShortText
    priority: Literal["", "high", "normal", "low"] = ""
    """Downloads of a higher one are asked for first, those of the same one share; empty: as it is."""
    order: Literal["", "default", "sequential"] = ""
    """Of its chunks; default is the configuration's; empty: as it is."""
    paths: Annotated[list[PathText], Meta(max_length=1000)] = []
    """Files or folders of a tree that get the priority, among the files of this download; empty: it as a whole."""
    leave_out: Annotated[list[PathText], Meta(max_length=1000)] = []
    """Files of a tree to fetch no more, and folders, of which what is not complete is fetched no more."""


@declare(87, "control", CLIENT)
class Explain(Message, frozen=True, gc=False):
    """Asks why a download is as fast as it is, or stuck."""

    request: RequestId
    content: ShortText


class SourceExplained(Struct, frozen=True, gc=False):
    """Why one source sends what it sends of a download."""

    peer: Hex64
    cause: Name
    """One word, as listed in peer/core/explain.py."""
    text: ShortText
    rate: Annotated[float, Meta(ge=0)]
    """Bytes a second now, of all contents."""
    chunks: Count
    """Chunks it offers that are missing here."""
    to_come: Count
    """Bytes asked of it for this download."""
    credit: Count
    """Bytes it may send and has not sent yet, or that are on their way."""
    unwritten: Count
    """Bytes that came from it and are not yet written."""


@declare(88, "control", SERVER)
class Explained(Message, frozen=True, gc=False):
    """Answers explain: the one cause that decides, and the numbers behind it."""

    request: RequestId
    content: Hex64
    name: Name
    state: Name
    cause: Name
    """complete, paused, error, disk, no_source, choked, credit, rate_limit, priority, endgame, silent or source"""
    text: Annotated[str, Meta(max_length=2000)]
    rate: Annotated[float, Meta(ge=0)]
    """Bytes a second now."""
    missing: Count
    """Chunks that are wanted and not held."""
    free: Count
    """Of those, chunks that nobody is asked for."""
    to_come: Count
    """Bytes asked for."""
    unwritten: Count
    """Bytes that came and are not yet written."""
    limit: Count
    """The limit that applies, bytes a second; 0: none.  Of what is complete it is the upload limit."""
    limit_of: Literal["", "all", "content"]
    """Whose limit that is: of all together, or of this content."""
    sources: Annotated[list[SourceExplained], Meta(max_length=200)]


@declare(89, "control", CLIENT)
class Instruct(Message, frozen=True, gc=False):
    """An order to a peer that takes part in an experiment; any other peer refuses it."""

    request: RequestId
    order: Annotated[str, Meta(max_length=2**15)]
    """JSON, see experiments/behaviours/orders.py."""


@declare(90, "control", CLIENT)
class JudgePeer(Message, frozen=True, gc=False):
    """Sets the user's own verdict about a peer, at once and for good; done answers, with the peer's id as content."""

    request: RequestId
    peer: ShortText
    """The id, known or not, or 8 or more of its first digits if only one known peer has them."""
    verdict: Literal["trust", "block", "clear", "forget"]
    """clear takes the verdict back; forget drops its history too, so that it is a newcomer."""
