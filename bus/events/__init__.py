"""The events every process publishes: something that happened, in the past tense, declared once.

Events carry absolute values, never increments, so applying one twice changes nothing.  Each
event type says which section of the published state it sets or clears and by which key
(`bus/state.py` folds them); types without a section report something that is no state.
Within a section every type carries the whole record, so the newest event is the state.

On the wire: frames `[topic, envelope]`, the topic is the type, the envelope msgpack.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from bus.events.declaring import BY_TOPIC, BY_TYPE, Declared, Envelope, Event, declare
from bus.events.process import MetricsSample, PeerHeartbeat, PeerStarted, PeerStopping, TrackerHeartbeat

__all__ = [
    "BY_TOPIC", "BY_TYPE", "SECTIONS", "ChunkRejected", "ContentAnnounced", "ContentForgotten", "ContentHashed",
    "ContentHashing", "ContentShared", "ContentUploaded", "ContentWithdrawn", "Declared", "Envelope", "Event",
    "ItemState", "LimitsChanged", "LimitsCleared", "LinkIsLost", "LinkIsUp", "LinkProgress", "LinkRow", "MetricsSample",
    "PeerExpired", "PeerHeartbeat", "PeerRegistered", "PeerStarted", "PeerStopping", "ReputationChanged",
    "ReputationForgotten", "SourceRow", "StreamClosed", "StreamOpened", "StreamRefused", "SwarmHasChanged",
    "TrackerHeartbeat", "TrackerLost", "TrackerReached", "TrackerRow", "Transfer", "TransferCompleted",
    "TransferFailed", "TransferProgress", "TransferRemoved", "TransferStarted", "UploadEnded", "UploadProgress",
]  # fmt: skip

ItemState = Literal[
    "queued", "hashing", "downloading", "stalled", "no_sources", "verifying", "seeding", "paused", "error"
]


# --- what this peer offers -------------------------------------------------------------------


@declare("content.hashing", section="hashing", key=("path",))
class ContentHashing(Event, frozen=True):
    """A path is being hashed to be shared."""

    path: str
    name: str
    bytes_done: int
    size: int
    files_done: int
    files: int
    waiting: bool = False
    """Its turn has not come: one path is hashed after the other."""


@declare("content.hashed", section="hashing", key=("path",), removes=True)
class ContentHashed(Event, frozen=True):
    """Hashing of a path ended, well or not."""

    path: str
    error: str
    """One line, empty if it went well."""


@declare("content.shared", section="contents", key=("id",))
class ContentShared(Event, frozen=True):
    """A content is listed, and offered from where it lies unless its state says otherwise."""

    id: str
    name: str
    kind: str
    size: int
    files: int
    chunks: int
    path: str
    upload: bool
    """Received through the page; Shoal owns the file."""
    state: ItemState
    error: str
    added: float
    """Wall clock, seconds since 1970."""


@declare("content.withdrawn", section="contents", key=("id",), removes=True)
class ContentWithdrawn(Event, frozen=True):
    """A content is no longer listed. One that is only paused or damaged is, as `content.shared` with that state."""

    id: str
    reason: str


@declare("content.uploaded", section="uploaded", key=("content",))
class ContentUploaded(Event, frozen=True):
    """What was ever uploaded of a content grew, or was known at the start; at most once in 2 s for each."""

    content: str
    bytes: int
    """Of its chunks, to all peers, in all runs; 0 once it was removed."""


# --- downloads -------------------------------------------------------------------------------


class SourceRow(Struct, frozen=True):
    """One source of a download."""

    peer: str
    bytes: int
    """Verified bytes of this download that came from it."""
    rate: float
    """Bytes a second now."""
    chunks: int
    """Chunks it offers."""
    state: str
    """idle, waiting, open; gone when its link is; done when the download is"""


class Transfer(Event, frozen=True):
    """The whole record of one download; every transfer event carries it."""

    id: str
    name: str
    kind: str
    size: int
    """0 while unknown."""
    path: str
    """Where the content is or will be."""
    state: ItemState
    bytes_done: int
    """Verified bytes."""
    chunks: int
    chunks_done: int
    down_rate: float
    """Bytes a second."""
    eta: float
    """Seconds, -1 if unknown."""
    seconds: float
    """Running time so far, without pauses."""
    duplicate_bytes: int
    rejected_bytes: int
    sources: list[SourceRow]
    have: str
    """Held chunks as hex of at most 256 bytes: byte i is the share held of the i-th part of the content, 0 to 255."""
    error: str
    error_code: str
    added: float
    finished: float
    """Wall clock, 0 while running."""
    priority: Literal["high", "normal", "low"] = "normal"
    """Downloads of a higher one are asked for first."""
    sequential: bool = False
    """Its chunks are fetched from first to last."""
    optimum_seconds: float = 0.0
    """The least time that any way of sharing could need, from the rates that the swarm is known to have; 0: unknown."""
    optimum_share: float = 0.0
    """How much of that optimum it reaches, 1 at best: the least time for the bytes so far, over the time it took.  Each
    byte is judged by the limits and rates of its time, the user's own limits among them."""


@declare("transfer.started", section="transfers", key=("id",))
class TransferStarted(Transfer, frozen=True):
    """A download began, or goes on after a restart."""


@declare("transfer.progress", section="transfers", key=("id",))
class TransferProgress(Transfer, frozen=True):
    """A download moved, or its state changed; at most about 4 a second for each."""


@declare("transfer.completed", section="transfers", key=("id",))
class TransferCompleted(Transfer, frozen=True):
    """Every chunk is verified and the content lies under its name."""


@declare("transfer.failed", section="transfers", key=("id",))
class TransferFailed(Transfer, frozen=True):
    """A download stopped with an error; resume tries again."""


@declare("transfer.removed", section="transfers", key=("id",), removes=True)
class TransferRemoved(Event, frozen=True):
    """A download was forgotten."""

    id: str
    data: bool
    """Its data was deleted too."""


@declare("chunk.rejected")
class ChunkRejected(Event, frozen=True):
    """A chunk's bytes did not match its digest; nothing of it was announced, served or recorded."""

    content: str
    chunk: int
    peer: str


# --- streams and uploads ---------------------------------------------------------------------


@declare("stream.opened")
class StreamOpened(Event, frozen=True):
    """An upload slot was granted, by us (`up`) or to us (`down`)."""

    peer: str
    stream: int
    direction: Literal["up", "down"]


@declare("stream.refused")
class StreamRefused(Event, frozen=True):
    """A peer asked for an upload slot and was refused for good."""

    peer: str
    reason: str


@declare("stream.closed")
class StreamClosed(Event, frozen=True):
    """A stream ended; bytes is the payload it carried."""

    peer: str
    stream: int
    direction: Literal["up", "down"]
    reason: str
    bytes: int


@declare("upload.progress", section="uploads", key=("content", "peer"))
class UploadProgress(Event, frozen=True):
    """Bytes of a content sent to a peer since this process started; at most about 4 a second."""

    content: str
    peer: str
    bytes: int
    rate: float


@declare("upload.ended", section="uploads", key=("content", "peer"), removes=True)
class UploadEnded(Event, frozen=True):
    """Nothing more of this content goes to this peer: it wants no more, its link is gone, or it is not offered."""

    content: str
    peer: str
    bytes: int


# --- rate limits -----------------------------------------------------------------------------


@declare("limits.changed", section="limits", key=("content",))
class LimitsChanged(Event, frozen=True):
    """A rate limit is in force, or changed; published at the start too."""

    content: str
    """Empty: of all contents together."""
    up: int
    """Bytes a second; 0: unlimited."""
    down: int
    scheduled: bool = False
    """They are those of the schedule, at its time."""


@declare("limits.cleared", section="limits", key=("content",), removes=True)
class LimitsCleared(Event, frozen=True):
    """A content has no limits of its own any more."""

    content: str


# --- other peers and trackers ----------------------------------------------------------------


class LinkRow(Event, frozen=True):
    """What this peer knows of another; every link event carries it."""

    peer: str
    name: str
    """What the other calls itself; not proved."""
    address: str
    connected: bool
    up_rate: float
    down_rate: float
    sent: int
    """Payload bytes since this process started."""
    received: int
    reason: str
    """Why the link was lost, else empty."""


@declare("link.up", section="peers", key=("peer",))
class LinkIsUp(LinkRow, frozen=True):
    """A link to a peer stands and hello has passed."""


@declare("link.progress", section="peers", key=("peer",))
class LinkProgress(LinkRow, frozen=True):
    """Rates and bytes of a link changed; at most about 1 a second for each."""


@declare("link.lost", section="peers", key=("peer",))
class LinkIsLost(LinkRow, frozen=True):
    """A link to a peer is gone."""


@declare("reputation.changed", section="reputation", key=("peer",))
class ReputationChanged(Event, frozen=True):
    """A peer's score, flags or counts changed."""

    peer: str
    score: float
    flags: list[str]
    """newcomer, refused, banned; or the user's own verdict alone: trusted or blocked"""
    events: dict[str, int]
    """Count of each kind of event ever seen of it."""
    cause: str
    """The kind of the newest event, or TRUSTED, BLOCKED or CLEARED: the user's verdict changed."""


@declare("reputation.forgotten", section="reputation", key=("peer",), removes=True)
class ReputationForgotten(Event, frozen=True):
    """The user had everything that was kept of a peer dropped, a verdict too."""

    peer: str


class TrackerRow(Event, frozen=True):
    """A tracker as this peer sees it."""

    endpoint: str
    public_key: str
    state: Literal["connecting", "reached", "lost"]
    reason: str


@declare("tracker.reached", section="trackers", key=("endpoint",))
class TrackerReached(TrackerRow, frozen=True):
    """The tracker took our registration."""


@declare("tracker.lost", section="trackers", key=("endpoint",))
class TrackerLost(TrackerRow, frozen=True):
    """The tracker is not yet, or no longer, reached; it is dialled, or will be again."""


@declare("swarm.changed", section="swarms", key=("content",))
class SwarmHasChanged(Event, frozen=True):
    """Seeds and leechers of a content, as a tracker counts them."""

    content: str
    seeds: int
    leechers: int


# --- published by the tracker ----------------------------------------------------------------


@declare("peer.registered", section="registered", key=("peer",))
class PeerRegistered(Event, frozen=True):
    """A peer registered, or its address or list changed."""

    peer: str
    name: str
    address: str
    contents: int


@declare("peer.expired", section="registered", key=("peer",), removes=True)
class PeerExpired(Event, frozen=True):
    """A lease ended: the peer left, or was silent for too long."""

    peer: str
    reason: str


@declare("content.announced", section="announced", key=("content",))
class ContentAnnounced(Event, frozen=True):
    """A content's swarm changed."""

    content: str
    name: str
    kind: str
    size: int
    seeds: int
    leechers: int


@declare("content.forgotten", section="announced", key=("content",), removes=True)
class ContentForgotten(Event, frozen=True):
    """The last peer that had a content left its swarm."""

    content: str


SECTIONS: Final = tuple(dict.fromkeys(row.section for row in BY_TOPIC.values() if row.section))
