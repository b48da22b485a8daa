"""What the commands show, made from the peer's published state. Pure: the same state gives the same rows.

The fields of these records, in this order, are the keys of `--json`; programs rely on them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from msgspec import Struct

from bus.events import (
    ContentHashing,
    ContentShared,
    ContentUploaded,
    LimitsChanged,
    LinkRow,
    MetricsSample,
    PeerStarted,
    ReputationChanged,
    TrackerRow,
    Transfer,
    UploadProgress,
)
from bus.state import PublishedState

NEWCOMER: Final = 0.5
"""Score of a peer of which nothing is known."""


class Item(Struct, frozen=True):
    """One thing that is shared, hashed or fetched."""

    id: str
    """Empty while a path is being hashed."""
    name: str
    kind: str
    size: int
    """Bytes; 0 while unknown."""
    bytes_done: int
    progress: float
    """0 to 1"""
    state: str
    up_rate: float
    """Bytes a second, to all peers together."""
    down_rate: float
    error: str
    path: str
    """Where it lies or will lie; empty while that is unknown."""
    origin: str
    """shared (it lies where its owner put it), upload (received through the page), or downloaded."""
    uploaded: int = 0
    """Bytes sent of it, to all peers, in all runs of this peer."""


class TrackerState(Struct, frozen=True):
    """A tracker as the peer sees it."""

    endpoint: str
    state: str
    reason: str


class RateLimits(Struct, frozen=True):
    """Of all contents together, bytes a second; 0: unlimited."""

    up: int
    down: int


class Status(Struct, frozen=True):
    """The peer itself."""

    name: str
    id: str
    version: str
    uptime: float
    """Seconds."""
    trackers: list[TrackerState]
    up_rate: float
    """Bytes a second."""
    down_rate: float
    disk_free: int
    """Bytes free where downloads go."""
    download_dir: str
    limits: RateLimits


class OtherPeer(Struct, frozen=True):
    """A peer that this peer knows."""

    peer: str
    address: str
    up_rate: float
    down_rate: float
    sent: int
    received: int
    score: float
    name: str
    connected: bool


class Score(Struct, frozen=True):
    """A peer's reputation here."""

    peer: str
    score: float
    flags: list[str]
    events: dict[str, int]


class Judged(Struct, frozen=True):
    """A peer about which the user decided."""

    peer: str
    verdict: str
    """trust, block, clear or forget"""


class Source(Struct, frozen=True):
    """Who gave how much of a download."""

    peer: str
    bytes: int


class Fetched(Struct, frozen=True):
    """A download that is complete."""

    id: str
    name: str
    path: str
    size: int
    seconds: float
    bytes_per_second: float
    duplicate_bytes: int
    sources: list[Source]
    optimum_seconds: float | None
    """The least time that any way of sharing could have needed; None if the swarm's rates are not known."""
    optimum_share: float | None
    """How much of that optimum it reached: 1 at best."""


def items(state: PublishedState) -> list[Item]:
    """Everything shared and moving; a download that is also shared is one row."""
    up_rates: defaultdict[str, float] = defaultdict(float)
    for upload in state.of(UploadProgress, "uploads"):
        up_rates[upload.content] += upload.rate
    uploaded = {row.content: row.bytes for row in state.of(ContentUploaded, "uploaded")}
    rows = {
        shared.id: Item(
            shared.id, shared.name, shared.kind, shared.size, shared.size, 1.0, shared.state,
            up_rates[shared.id], 0.0, shared.error, shared.path, "upload" if shared.upload else "shared",
            uploaded.get(shared.id, 0),
        )
        for shared in state.of(ContentShared, "contents")
    }  # fmt: skip
    for transfer in state.of(Transfer, "transfers"):
        rows[transfer.id] = Item(
            transfer.id, transfer.name, transfer.kind, transfer.size, transfer.bytes_done, progress_of(transfer),
            transfer.state, up_rates[transfer.id], transfer.down_rate, transfer.error,
            transfer.path, "downloaded", uploaded.get(transfer.id, 0),
        )  # fmt: skip
    hashing = [
        Item(
            "", one.name, "", one.size, one.bytes_done, _share(one.bytes_done, one.size),
            "queued" if one.waiting else "hashing", 0.0, 0.0, "", one.path, "shared",
        )
        for one in state.of(ContentHashing, "hashing")
    ]  # fmt: skip
    return [*rows.values(), *hashing]


def progress_of(transfer: Transfer) -> float:
    """0 to 1; an empty content is complete when it says so."""
    return 1.0 if transfer.state == "seeding" else _share(transfer.bytes_done, transfer.size)


def status(state: PublishedState, now: float) -> Status | None:
    """The peer at `now` (wall clock, seconds); None if the state does not say who it is."""
    peers = state.of(PeerStarted, "peer")
    if not peers:
        return None
    peer = peers[-1]
    values = {name: value for sample in state.of(MetricsSample, "metrics") for name, value in sample.values.items()}
    limits = next((row for row in state.of(LimitsChanged, "limits") if not row.content), LimitsChanged("", 0, 0))
    trackers = [TrackerState(row.endpoint, row.state, row.reason) for row in state.of(TrackerRow, "trackers")]
    return Status(
        name=peer.name,
        id=peer.id,
        version=peer.version,
        uptime=values.get("uptime_seconds", max(0.0, now - peer.started)),
        trackers=trackers,
        up_rate=values.get("up_rate", 0.0),
        down_rate=values.get("down_rate", 0.0),
        disk_free=int(values.get("disk_free", 0)),
        download_dir=peer.download_dir,
        limits=RateLimits(limits.up, limits.down),
    )


def other_peers(state: PublishedState) -> list[OtherPeer]:
    """The peers known here, those connected first."""
    scores = {row.peer: row.score for row in state.of(ReputationChanged, "reputation")}
    rows = [
        OtherPeer(
            row.peer, row.address, row.up_rate, row.down_rate, row.sent, row.received,
            scores.get(row.peer, NEWCOMER), row.name, row.connected,
        )
        for row in state.of(LinkRow, "peers")
    ]  # fmt: skip
    return sorted(rows, key=lambda row: not row.connected)


def scores(state: PublishedState) -> list[Score]:
    """Every score that is kept, the best first."""
    rows = [Score(row.peer, row.score, row.flags, row.events) for row in state.of(ReputationChanged, "reputation")]
    return sorted(rows, key=lambda row: (-row.score, row.peer))


def transfer_of(state: PublishedState, content: str) -> Transfer | None:
    """The download of a content."""
    return next((row for row in state.of(Transfer, "transfers") if row.id == content), None)


def shared_of(state: PublishedState, content: str) -> ContentShared | None:
    """The content, if it is offered from where it lies."""
    return next((row for row in state.of(ContentShared, "contents") if row.id == content), None)


def fetched(transfer: Transfer) -> Fetched:
    """The account of a finished download."""
    rate = transfer.size / transfer.seconds if transfer.seconds > 0 else 0.0
    sources = [Source(source.peer, source.bytes) for source in transfer.sources]
    return Fetched(
        transfer.id,
        transfer.name,
        transfer.path,
        transfer.size,
        transfer.seconds,
        rate,
        transfer.duplicate_bytes,
        sources,
        transfer.optimum_seconds or None,
        transfer.optimum_share or None,
    )


def already_here(shared: ContentShared) -> Fetched:
    """The account of a content that was here before anybody asked for it."""
    return Fetched(shared.id, shared.name, shared.path, shared.size, 0.0, 0.0, 0, [], None, None)


def _share(done: int, whole: int) -> float:
    return min(1.0, done / whole) if whole else 0.0
