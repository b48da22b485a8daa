"""The rows of a page's state, as REST answers them and as pages show them.

    section      key              row
    peer         "self"           PeerRow: the one peer that this gateway serves
    tracker      endpoint         TrackerRow
    shares       content id       ShareRow
    hashing      path             HashingRow: what is on its way to become a share
    downloads    content id       DownloadRow
    uploads      content/peer     UploadRow
    peers        peer id          OtherPeerRow
    reputation   peer id          ReputationRow

Sizes are bytes, rates bytes a second, times RFC 3339 in UTC; null means unknown or not yet.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Literal

from msgspec import Struct

from bus.events import ItemState, SourceRow

PEER: Final = "peer"
TRACKER: Final = "tracker"
SHARES: Final = "shares"
HASHING: Final = "hashing"
DOWNLOADS: Final = "downloads"
UPLOADS: Final = "uploads"
PEERS: Final = "peers"
REPUTATION: Final = "reputation"
SECTIONS: Final = (PEER, TRACKER, SHARES, HASHING, DOWNLOADS, UPLOADS, PEERS, REPUTATION)

SELF: Final = "self"
"""Key of the one row of the section `peer`."""

Verdict = Literal["", "trusted", "blocked"]


class Row(Struct, frozen=True):
    """Base of every row."""


class PeerRow(Row, frozen=True):
    """This peer."""

    name: str
    id: str
    """Empty until the peer was heard of once."""
    version: str
    started: datetime | None
    data: str
    """Endpoint of its data socket."""
    download_dir: str
    up_rate: float
    down_rate: float
    disk_free: int | None
    """Bytes free where downloads go."""
    upload_max: int
    """Longest upload that the gateway takes."""
    up_limit: int
    """Bytes a second of all contents together; 0: unlimited."""
    down_limit: int
    limits_scheduled: bool
    """They are those of the schedule, at its time."""
    stale: bool
    """The peer has been silent for too long: the rest of the state may be old."""


class TrackerRow(Row, frozen=True):
    """A tracker, as this peer sees it."""

    endpoint: str
    public_key: str
    state: str
    reason: str


class ShareRow(Row, frozen=True):
    """A content that this peer offers from where it lies."""

    id: str
    name: str
    kind: str
    size: int
    files: int
    chunks: int
    path: str
    upload: bool
    """Received through the page: removing it with its data deletes the file."""
    state: str
    error: str
    added: datetime | None
    seeds: int | None
    leechers: int | None
    up_limit: int
    """Of its own, bytes a second; 0: none."""
    down_limit: int
    uploaded: int
    """Bytes sent of it, to all peers, in all runs of this peer."""


class HashingRow(Row, frozen=True):
    """A path that is being hashed to be shared, or waits for its turn."""

    path: str
    name: str
    state: ItemState
    bytes_done: int
    size: int
    files_done: int
    files: int


class DownloadRow(Row, frozen=True):
    """A download, running or finished."""

    id: str
    name: str
    kind: str
    size: int
    path: str
    state: str
    bytes_done: int
    progress: float
    """0 to 1."""
    chunks: int
    chunks_done: int
    down_rate: float
    eta: float | None
    """Seconds."""
    seconds: float
    duplicate_bytes: int
    rejected_bytes: int
    sources: list[SourceRow]
    have: str
    """Hex; byte i is the share held of the i-th part of the content, 0 to 255."""
    error: str
    error_code: str
    added: datetime | None
    finished: datetime | None
    seeds: int | None
    leechers: int | None
    priority: str
    """high, normal or low: those of a higher one are asked for first."""
    sequential: bool
    """Its chunks are fetched from first to last."""
    up_limit: int
    """Of its own, bytes a second; 0: none."""
    down_limit: int
    optimum_seconds: float | None
    """The least time that any way of sharing could need."""
    optimum_share: float | None
    """How much of that optimum it reaches, 1 at best."""
    uploaded: int
    """Bytes sent of it, to all peers, in all runs of this peer."""


class UploadRow(Row, frozen=True):
    """Bytes of one content sent to one peer since the peer process started."""

    content: str
    peer: str
    bytes: int
    rate: float


class OtherPeerRow(Row, frozen=True):
    """Another peer that this one has or had a link to."""

    peer: str
    name: str
    address: str
    connected: bool
    up_rate: float
    down_rate: float
    sent: int
    received: int
    score: float | None
    reason: str
    """Why the link was lost, else empty."""


class ReputationRow(Row, frozen=True):
    """A peer's score, and how often each kind of event was seen of it."""

    peer: str
    name: str
    score: float
    flags: tuple[str, ...]
    verdict: Verdict
    """The user's own; empty: none."""
    events: dict[str, int]
    cause: str


class Notice(Struct, frozen=True):
    """Something a user should be told once."""

    level: str
    """success, info or error"""
    text: str
    code: str = ""
    """Error code, if it is an error."""
    item: str = ""
    """Id of the content it is about."""


def moment(seconds: float) -> datetime | None:
    """A wall clock reading as a time; 0 means there is none."""
    return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
