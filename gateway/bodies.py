"""Bodies of requests and answers of the REST interface that are no row of the page's state."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from bus import messages
from bus.readable import Schedule
from gateway.view.diary import Tone
from gateway.view.rows import Verdict


class SessionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    password: Annotated[str, Meta(max_length=1024)]


class SessionAnswer(Struct, frozen=True):
    token: str


class SessionOffer(Struct, frozen=True):
    password: bool
    """Whether a password is exchanged for the token here."""


class ShareRequest(Struct, frozen=True, forbid_unknown_fields=True):
    path: messages.PathText
    name: messages.Name = ""


class SharedContent(Struct, frozen=True):
    """What has just been shared, as `shoal share` tells it."""

    id: str
    name: str
    kind: str
    size: int
    files: int
    chunks: int
    seconds: float
    link: str
    skipped: list[str]


class DownloadRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What to fetch: either by its id or by a link."""

    id: messages.PathText = ""
    """Or 8 or more of its first digits."""
    link: messages.PathText = ""
    only: Annotated[list[messages.PathText], Meta(max_length=1000)] = []
    """Files or folders of a tree; empty: all of it."""
    priority: messages.Priority | UnsetType = UNSET
    """Downloads of a higher one are asked for first."""
    sequential: bool = False
    """Fetch its chunks from first to last."""


Rate = Annotated[int, Meta(ge=0, le=2**63 - 1)] | Literal["default"] | None
"""Bytes a second; 0 or null: no limit; default: the configuration's, of a content none of its own."""
Action = Literal["pause", "resume", "verify"]


class LimitsPatch(Struct, frozen=True, forbid_unknown_fields=True):
    """Rate limits to change: bytes a second; 0 or null for none, `default` for the configuration's."""

    up: Rate | UnsetType = UNSET
    down: Rate | UnsetType = UNSET


class AllLimitsPatch(LimitsPatch, frozen=True, forbid_unknown_fields=True):
    """What to change of the limits of all contents together; what is not named stays as it is."""

    schedule: Schedule | UnsetType | None = UNSET
    """When other limits hold; null: never."""


class SharePatch(Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a share; what is not named stays as it is."""

    action: Action | UnsetType = UNSET
    limits: LimitsPatch | UnsetType = UNSET
    """Its own; of a content, `default` is none."""


class DownloadPatch(Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a download; what is not named stays as it is."""

    action: Action | UnsetType = UNSET
    priority: messages.Priority | UnsetType = UNSET
    """Only while it runs."""
    paths: Annotated[list[messages.PathText], Meta(max_length=1000)] = []
    """Files or folders of a tree: they get the priority, among its files; empty: the download as a whole gets it."""
    leave_out: Annotated[list[messages.PathText], Meta(max_length=1000)] = []
    """Files of a tree to fetch no more, and folders, of which what is not complete is fetched no more."""
    sequential: bool | UnsetType = UNSET
    """Its chunks from first to last; only while it runs."""
    limits: LimitsPatch | UnsetType = UNSET
    """Its own; of a content, `default` is none."""


class FileItem(Struct, frozen=True):
    """One file of a content."""

    index: int
    """What `file` of its data takes."""
    path: str
    """Empty for a content that is a single file."""
    size: int
    executable: bool


class FileListing(Struct, frozen=True):
    """One page of the files of a content, and what the content is."""

    items: list[FileItem]
    next_cursor: str | None
    """What to pass as `cursor` for the next page; null at the end."""
    id: str
    name: str
    kind: str
    size: int
    files: int
    """In all."""


class FolderEntry(Struct, frozen=True):
    """A file or folder of the peer's machine."""

    name: str
    path: str
    kind: Literal["file", "folder"]
    size: int
    """Of a file."""
    modified: datetime | None
    """null if it is in no year from 1 to 9999."""


class FolderListing(Struct, frozen=True):
    """What is in one folder of the peer's machine: folders first, by name."""

    path: str
    """Empty: these are the folders to begin with."""
    parent: str | None
    """What to ask for to go up; null if there is nothing above."""
    items: list[FolderEntry]
    more: bool
    """There are more entries than are ever told of one folder."""


class Ticket(Struct, frozen=True):
    """What lets whoever has it read one content's data for an hour."""

    ticket: str
    expires: datetime
    url: str
    """Path of the data with the ticket in its query; add `&file=N` for a file of a tree."""


class TrackerState(Struct, frozen=True):
    endpoint: str
    state: str
    """connecting, reached or lost"""
    reason: str
    """Why it is not reached, in its words if it refused; else empty."""


class Status(Struct, frozen=True):
    """This peer, as `shoal status` tells it, with what a page adds."""

    name: str
    id: str
    version: str
    uptime: float
    """Seconds."""
    trackers: list[TrackerState]
    up_rate: float
    down_rate: float
    disk_free: int | None
    download_dir: str
    started: datetime | None


class Explanation(Struct, frozen=True):
    """A score and the events that made it, oldest first."""

    peer: str
    score: float
    events: list[messages.ReputationEvent]
    verdict: Verdict
    """The user's own; the score is that of the events all the same."""


class ReputationPatch(Struct, frozen=True, forbid_unknown_fields=True):
    """What the user decides about a peer."""

    verdict: Literal["trusted", "blocked"] | None
    """trusted: never refused or banned; blocked: no link with it; null: its score decides again."""


class Judged(Struct, frozen=True):
    """A peer of which nothing is kept."""

    peer: str
    verdict: Verdict


class Started(Struct, frozen=True):
    """A content that the peer has been told to fetch."""

    id: str


class RatesOverTime(Struct, frozen=True):
    """Rates from then to now: 300 points each way, oldest first."""

    until: datetime
    step: float
    """Seconds from one point to the next; each is the mean over that time."""
    up: list[float | None]
    """Bytes a second; null where the peer was not heard."""
    down: list[float | None]


class FileHeld(Struct, frozen=True):
    """How much of one file of a content is here."""

    index: int
    """As in the list of files."""
    wanted: bool
    """It is fetched, or was; else it was left out."""
    bytes_done: int
    """Verified."""
    priority: messages.Priority
    """Among the files of a running download: high ones are fetched first, low ones last."""


class PiecesOfPeer(Struct, frozen=True):
    """What a linked peer offers of a content."""

    peer: str
    complete: bool
    """It has all of it, though it may offer less for now."""
    chunks: int
    """That it offers."""
    offered: str
    """Hex; byte i is the share that it offers of the i-th part of the content, 0 to 255."""


class ContentPieces(Struct, frozen=True):
    """The parts of a content, at most 256 equal ones."""

    chunks: int
    here: str
    """Hex; byte i is the share of the i-th part that is here, 0 to 255."""
    copies: str
    """Hex; byte i is how many linked peers have the chunk of the i-th part that the fewest have; 255: so many or
    more."""
    linked: int
    """Linked peers that offer any of it."""
    peers: list[PiecesOfPeer]
    """The 100 that offer most."""


class ContentEvent(Struct, frozen=True):
    """Something that happened to a content."""

    number: int
    """Later ones have higher ones."""
    time: datetime
    type: str
    """Of the peer's event that told of it."""
    tone: Tone
    text: str
    """In words; of a peer it begins with what that peer did."""
    peer: str
    """Whom it is about; empty: nobody."""
