"""The events every process publishes: something that happened, in the past tense, declared once.

Events carry absolute values, never increments, so applying one twice changes nothing.  Each
event type says which section of the published state it sets or clears and by which key
(`bus/state.py` folds them); types without a section report something that is no state.
Within a section every type carries the whole record, so the newest event is the state.

On the wire: frames `[topic, envelope]`, the topic is the type, the envelope msgpack.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeVar

from msgspec import Struct

ItemState = Literal[
    "queued", "hashing", "downloading", "stalled", "no_sources", "verifying", "seeding", "paused", "error"
]


class Event(Struct, frozen=True):
    """Base of every event."""


class Envelope(Struct, frozen=True):
    """What surrounds every event on the bus."""

    epoch: int
    """64 random bits, new at each start of the publishing process."""
    seq: int
    """Counts up by one per event stream; the stream is the first word of the type."""
    time: float
    """Wall clock of the publisher, seconds since 1970; for display only."""
    source: str
    """Id of the publishing peer or tracker."""
    type: str
    data: dict[str, object]


class Declared(NamedTuple):
    """One row of the event vocabulary."""

    topic: str
    type: type[Event]
    section: str
    """Section of the published state, or empty."""
    key: tuple[str, ...]
    """Fields that name the row in its section."""
    removes: bool
    """True if the event removes the row instead of setting it."""

    @property
    def stream(self) -> str:
        return self.topic.split(".", 1)[0]


BY_TOPIC: Final[dict[str, Declared]] = {}
BY_TYPE: Final[dict[type[Event], Declared]] = {}

E = TypeVar("E", bound=type[Event])


def _declare(topic: str, section: str = "", key: tuple[str, ...] = (), removes: bool = False) -> Callable[[E], E]:
    def register(cls: E) -> E:
        if topic in BY_TOPIC:
            raise ValueError(f"topic {topic} is declared twice")
        BY_TOPIC[topic] = BY_TYPE[cls] = Declared(topic, cls, section, key, removes)
        return cls

    return register


# --- the process -----------------------------------------------------------------------------


@_declare("peer.started", section="peer")
class PeerStarted(Event, frozen=True):
    """A peer process is ready."""

    name: str
    id: str
    version: str
    started: float
    """Wall clock, seconds since 1970."""
    data: str
    """Endpoint of the data socket."""
    download_dir: str


@_declare("peer.stopping")
class PeerStopping(Event, frozen=True):
    """The peer stops gracefully."""

    reason: str


@_declare("heartbeat.peer")
class PeerHeartbeat(Event, frozen=True):
    """Once a second: the seq of the newest event of every stream, so that silence is proof."""

    seqs: dict[str, int]


@_declare("heartbeat.tracker")
class TrackerHeartbeat(Event, frozen=True):
    """Once a second, from the tracker; as the peer's."""

    seqs: dict[str, int]


@_declare("metrics.sample", section="metrics")
class MetricsSample(Event, frozen=True):
    """Counters and gauges of the process since its start, by Prometheus name without the prefix."""

    values: dict[str, float]


# --- what this peer offers -------------------------------------------------------------------


@_declare("content.hashing", section="hashing", key=("path",))
class ContentHashing(Event, frozen=True):
    """A path is being hashed to be shared."""

    path: str
    name: str
    bytes_done: int
    size: int
    files_done: int
    files: int


@_declare("content.hashed", section="hashing", key=("path",), removes=True)
class ContentHashed(Event, frozen=True):
    """Hashing of a path ended, well or not."""

    path: str
    error: str
    """One line, empty if it went well."""


@_declare("content.shared", section="contents", key=("id",))
class ContentShared(Event, frozen=True):
    """A content is offered from where it lies."""

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


@_declare("content.withdrawn", section="contents", key=("id",), removes=True)
class ContentWithdrawn(Event, frozen=True):
    """A content is no longer offered."""

    id: str
    reason: str


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
    """linked, waiting, open"""


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


@_declare("transfer.started", section="transfers", key=("id",))
class TransferStarted(Transfer, frozen=True):
    """A download began, or goes on after a restart."""


@_declare("transfer.progress", section="transfers", key=("id",))
class TransferProgress(Transfer, frozen=True):
    """A download moved, or its state changed; at most about 4 a second for each."""


@_declare("transfer.completed", section="transfers", key=("id",))
class TransferCompleted(Transfer, frozen=True):
    """Every chunk is verified and the content lies under its name."""


@_declare("transfer.failed", section="transfers", key=("id",))
class TransferFailed(Transfer, frozen=True):
    """A download stopped with an error; resume tries again."""


@_declare("transfer.removed", section="transfers", key=("id",), removes=True)
class TransferRemoved(Event, frozen=True):
    """A download was forgotten."""

    id: str
    data: bool
    """Its data was deleted too."""


@_declare("chunk.rejected")
class ChunkRejected(Event, frozen=True):
    """A chunk's bytes did not match its digest; nothing of it was announced, served or recorded."""

    content: str
    chunk: int
    peer: str


# --- streams and uploads ---------------------------------------------------------------------


@_declare("stream.opened")
class StreamOpened(Event, frozen=True):
    """An upload slot was granted, by us (`up`) or to us (`down`)."""

    peer: str
    stream: int
    direction: Literal["up", "down"]


@_declare("stream.refused")
class StreamRefused(Event, frozen=True):
    """A peer asked for an upload slot and was refused for good."""

    peer: str
    reason: str


@_declare("stream.closed")
class StreamClosed(Event, frozen=True):
    """A stream ended; bytes is the payload it carried."""

    peer: str
    stream: int
    direction: Literal["up", "down"]
    reason: str
    bytes: int


@_declare("upload.progress", section="uploads", key=("content", "peer"))
class UploadProgress(Event, frozen=True):
    """Bytes of a content sent to a peer since this process started; at most about 4 a second."""

    content: str
    peer: str
    bytes: int
    rate: float


@_declare("upload.ended", section="uploads", key=("content", "peer"), removes=True)
class UploadEnded(Event, frozen=True):
    """Nothing more is wanted of this content by this peer, or its link is gone."""

    content: str
    peer: str
    bytes: int


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


@_declare("link.up", section="peers", key=("peer",))
class LinkIsUp(LinkRow, frozen=True):
    """A link to a peer stands and hello has passed."""


@_declare("link.progress", section="peers", key=("peer",))
class LinkProgress(LinkRow, frozen=True):
    """Rates and bytes of a link changed; at most about 1 a second for each."""


@_declare("link.lost", section="peers", key=("peer",))
class LinkIsLost(LinkRow, frozen=True):
    """A link to a peer is gone."""


@_declare("reputation.changed", section="reputation", key=("peer",))
class ReputationChanged(Event, frozen=True):
    """A peer's score, flags or counts changed."""

    peer: str
    score: float
    flags: list[str]
    """newcomer, refused, banned"""
    events: dict[str, int]
    """Count of each kind of event ever seen of it."""
    cause: str
    """The kind of the newest event."""


class TrackerRow(Event, frozen=True):
    """A tracker as this peer sees it."""

    endpoint: str
    public_key: str
    state: Literal["connecting", "reached", "lost"]
    reason: str


@_declare("tracker.reached", section="trackers", key=("endpoint",))
class TrackerReached(TrackerRow, frozen=True):
    """The tracker took our registration."""


@_declare("tracker.lost", section="trackers", key=("endpoint",))
class TrackerLost(TrackerRow, frozen=True):
    """The tracker is not, or no longer, reached; it is dialled again."""


@_declare("swarm.changed", section="swarms", key=("content",))
class SwarmHasChanged(Event, frozen=True):
    """Seeds and leechers of a content, as a tracker counts them."""

    content: str
    seeds: int
    leechers: int


# --- published by the tracker ----------------------------------------------------------------


@_declare("peer.registered", section="registered", key=("peer",))
class PeerRegistered(Event, frozen=True):
    """A peer registered, or its address or list changed."""

    peer: str
    name: str
    address: str
    contents: int


@_declare("peer.expired", section="registered", key=("peer",), removes=True)
class PeerExpired(Event, frozen=True):
    """A lease ended: the peer left, or was silent for too long."""

    peer: str
    reason: str


@_declare("content.announced", section="announced", key=("content",))
class ContentAnnounced(Event, frozen=True):
    """A content's swarm changed."""

    content: str
    name: str
    kind: str
    size: int
    seeds: int
    leechers: int


@_declare("content.forgotten", section="announced", key=("content",), removes=True)
class ContentForgotten(Event, frozen=True):
    """The last peer that had a content left its swarm."""

    content: str


SECTIONS: Final = tuple(dict.fromkeys(row.section for row in BY_TOPIC.values() if row.section))
