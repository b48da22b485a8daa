"""From the peer's published state to the rows of a page: each row is a function of the state and its key.

A row joins what a reader wants side by side (a peer's score beside its link, a content's swarm beside its share) as
long as one event touches few rows; names of peers and contents elsewhere are left to the reader, who has every section.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from bus import events
from bus.state import PublishedState
from gateway.view import rows

E = TypeVar("E", bound=events.Event)

_VERDICTS: Final[tuple[rows.Verdict, ...]] = ("trusted", "blocked")
"""Flags that are the user's word."""


class Shaper:
    """Makes rows from one published state."""

    __slots__ = ("_published",)

    def __init__(self, published: PublishedState) -> None:
        self._published = published

    def row(self, section: str, key: str) -> rows.Row | None:
        """The row of any section but `peer`; None if there is none."""
        return _SHAPES[section](self, key)

    def this_peer(self, name: str, upload_max: int, stale: bool, disk_free: int | None) -> rows.PeerRow:
        links = self._published.of(events.LinkRow, "peers")
        started = next(iter(self._published.of(events.PeerStarted, "peer")), None)
        limits = self._find(events.LimitsChanged, "limits", "") or events.LimitsChanged("", 0, 0)
        return rows.PeerRow(
            name=started.name if started else name,
            id=started.id if started else "",
            version=started.version if started else "",
            started=rows.moment(started.started) if started else None,
            data=started.data if started else "",
            download_dir=started.download_dir if started else "",
            up_rate=sum(link.up_rate for link in links),
            down_rate=sum(link.down_rate for link in links),
            disk_free=disk_free,
            upload_max=upload_max,
            up_limit=limits.up,
            down_limit=limits.down,
            limits_scheduled=limits.scheduled,
            stale=stale,
        )

    def tracker(self, key: str) -> rows.TrackerRow | None:
        found = self._find(events.TrackerRow, "trackers", key)
        if found is None:
            return None
        return rows.TrackerRow(found.endpoint, found.public_key, found.state, found.reason)

    def share(self, key: str) -> rows.ShareRow | None:
        found = self._find(events.ContentShared, "contents", key)
        if found is None:
            return None
        swarm = self._find(events.SwarmHasChanged, "swarms", key)
        up_limit, down_limit = self._limits(key)
        return rows.ShareRow(
            id=found.id,
            name=found.name,
            kind=found.kind,
            size=found.size,
            files=found.files,
            chunks=found.chunks,
            path=found.path,
            upload=found.upload,
            state=found.state,
            error=found.error,
            added=rows.moment(found.added),
            seeds=swarm.seeds if swarm else None,
            leechers=swarm.leechers if swarm else None,
            up_limit=up_limit,
            down_limit=down_limit,
            uploaded=self._uploaded(key),
        )

    def hashing(self, key: str) -> rows.HashingRow | None:
        found = self._find(events.ContentHashing, "hashing", key)
        if found is None:
            return None
        return rows.HashingRow(
            path=found.path,
            name=found.name,
            state="queued" if found.waiting else "hashing",
            bytes_done=found.bytes_done,
            size=found.size,
            files_done=found.files_done,
            files=found.files,
        )

    def download(self, key: str) -> rows.DownloadRow | None:
        found = self._find(events.Transfer, "transfers", key)
        if found is None:
            return None
        swarm = self._find(events.SwarmHasChanged, "swarms", key)
        up_limit, down_limit = self._limits(key)
        return rows.DownloadRow(
            id=found.id,
            name=found.name,
            kind=found.kind,
            size=found.size,
            path=found.path,
            state=found.state,
            bytes_done=found.bytes_done,
            progress=_progress(found),
            chunks=found.chunks,
            chunks_done=found.chunks_done,
            down_rate=found.down_rate,
            eta=found.eta if found.eta >= 0 else None,
            seconds=found.seconds,
            duplicate_bytes=found.duplicate_bytes,
            rejected_bytes=found.rejected_bytes,
            sources=found.sources,
            have=found.have,
            error=found.error,
            error_code=found.error_code,
            added=rows.moment(found.added),
            finished=rows.moment(found.finished),
            seeds=swarm.seeds if swarm else None,
            leechers=swarm.leechers if swarm else None,
            priority=found.priority,
            sequential=found.sequential,
            up_limit=up_limit,
            down_limit=down_limit,
            optimum_seconds=found.optimum_seconds or None,
            optimum_share=found.optimum_share or None,
            uploaded=self._uploaded(key),
        )

    def upload(self, key: str) -> rows.UploadRow | None:
        found = self._find(events.UploadProgress, "uploads", *key.split("/", 1))
        if found is None:
            return None
        return rows.UploadRow(found.content, found.peer, found.bytes, found.rate)

    def other_peer(self, key: str) -> rows.OtherPeerRow | None:
        found = self._find(events.LinkRow, "peers", key)
        if found is None:
            return None
        opinion = self._find(events.ReputationChanged, "reputation", key)
        return rows.OtherPeerRow(
            peer=found.peer,
            name=found.name,
            address=found.address,
            connected=found.connected,
            up_rate=found.up_rate,
            down_rate=found.down_rate,
            sent=found.sent,
            received=found.received,
            score=opinion.score if opinion else None,
            reason=found.reason,
        )

    def reputation(self, key: str) -> rows.ReputationRow | None:
        found = self._find(events.ReputationChanged, "reputation", key)
        if found is None:
            return None
        link = self._find(events.LinkRow, "peers", key)
        return rows.ReputationRow(
            peer=found.peer,
            name=link.name if link else "",
            score=found.score,
            flags=tuple(found.flags),
            verdict=next((verdict for verdict in _VERDICTS if verdict in found.flags), ""),
            events=found.events,
            cause=found.cause,
        )

    def _limits(self, content: str) -> tuple[int, int]:
        """(up, down) of a content."""
        found = self._find(events.LimitsChanged, "limits", content)
        return (found.up, found.down) if found else (0, 0)

    def _uploaded(self, content: str) -> int:
        found = self._find(events.ContentUploaded, "uploaded", content)
        return found.bytes if found else 0

    def _find(self, kind: type[E], section: str, *key: str) -> E | None:
        found = self._published.sections[section].get(key)
        return found if isinstance(found, kind) else None


def _progress(transfer: events.Transfer) -> float:
    if transfer.finished > 0:
        return 1.0
    return transfer.bytes_done / transfer.size if transfer.size > 0 else 0.0


_SHAPES: dict[str, Callable[[Shaper, str], rows.Row | None]] = {
    rows.TRACKER: Shaper.tracker,
    rows.SHARES: Shaper.share,
    rows.HASHING: Shaper.hashing,
    rows.DOWNLOADS: Shaper.download,
    rows.UPLOADS: Shaper.upload,
    rows.PEERS: Shaper.other_peer,
    rows.REPUTATION: Shaper.reputation,
}
