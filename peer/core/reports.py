"""What the peer publishes about its downloads and rates: coalesced, always whole records.

State changes go out at once; progress at most once per `progress_interval` and download.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import asdict, replace

from bus.boundary import ContentId
from bus.errors import ERR_CHANGED
from bus.events import (
    ItemState,
    SourceRow,
    Transfer,
    TransferCompleted,
    TransferFailed,
    TransferProgress,
    TransferStarted,
)
from peer.core.bitmap import strip
from peer.core.capacity import Capacities
from peer.core.download import Download, DownloadState
from peer.core.downloads import Downloads
from peer.core.neighbours import Neighbours
from peer.core.optimum import share_reached
from peer.core.records import DownloadRecord, KnownContent
from peer.core.selection import wanted_chunks
from peer.core.settings import NodeSettings
from peer.core.source import Source, SourceState
from peer.core.turn import Turn
from peer.core.uploads import Uploads

MOVING_SECONDS: Final = 0.25
"""A download that had a byte since then moves, and its state is not looked for."""


class Reports:
    """Publishes progress when it is due."""

    def __init__(self, settings: NodeSettings, turn: Turn, neighbours: Neighbours, capacities: Capacities) -> None:
        self._settings = settings
        self._turn = turn
        self._neighbours = neighbours
        self._capacities = capacities
        self._dirty: dict[ContentId, bool] = {}
        self._shown: dict[ContentId, ItemState] = {}
        self._records: dict[ContentId, DownloadRecord] = {}

    def download_changed(self, download: Download, sources: Downloads) -> None:
        """Something about a download changed; a new state is published at once."""
        content = download.record.id
        fetching = download.state is DownloadState.FETCHING
        if fetching and content in self._dirty and self._turn.now - download.moved_at < MOVING_SECONDS:
            return  # Bytes come: what a state could have changed by is seen when the report is due.
        state = download.item_state(self._turn.now)
        if self._shown.get(content) != state:
            self._publish(download, sources)
        else:
            self._dirty[content] = True
        if self._settings.reports_progress:
            self._turn.timers.set_earlier(("report",), self._turn.now + self._settings.progress_interval)

    def progress_due(self, downloads: Downloads, uploads: Uploads) -> None:
        """Publish everything that moved since the last time."""
        for content in self._dirty:
            if download := downloads.active.get(content):
                self._publish(download, downloads)
        self._dirty.clear()
        uploads.sending.report_progress()

    def _publish(self, download: Download, downloads: Downloads) -> None:
        content = download.record.id
        state = download.item_state(self._turn.now)
        kind: type[Transfer] = TransferProgress
        if content not in self._shown:
            kind = TransferStarted
        elif state == "error":
            kind = TransferFailed
        self._shown[content] = state
        self._turn.publish(self._record(kind, download, state, downloads))

    def _record(self, kind: type[Transfer], download: Download, state: ItemState, downloads: Downloads) -> Transfer:
        now = self._turn.now
        record, layout = download.record, download.layout
        rows = {
            link: (source.peer, _moving(source, download, now), source.state.value)
            for link, source in downloads.fetching.sources.items()
        }
        rate = download.meter.rate(now) if state in ("downloading", "stalled") else 0.0
        rate = rate if rate >= 1 else 0.0
        done, size = download.held_bytes, download.size
        if optimum := self._capacities.optimum(download):
            download.least.known(optimum, self._capacities.limit(download), done, size)
        seconds = download.seconds(now)
        return kind(
            id=record.id,
            name=record.name,
            kind=download.kind,
            size=size,
            path=record.path,
            state=state,
            bytes_done=done,
            chunks=download.wanted.bit_count(),
            chunks_done=(download.held & download.wanted).bit_count(),
            down_rate=round(rate, 1),
            eta=round((size - done) / rate, 1) if rate and size else -1.0,
            seconds=round(seconds, 3),
            duplicate_bytes=download.duplicate_bytes,
            rejected_bytes=download.rejected_bytes,
            sources=download.source_rows(rows),
            have=strip(download.held, layout.chunks).hex() if layout and layout.chunks else "",
            error=download.error or (self.unequal(download) if state == "no_sources" else ""),
            error_code=download.error_code,
            added=record.added,
            finished=0.0,
            priority=record.priority,
            sequential=record.sequential,
            optimum_seconds=round(download.least.optimum, 3),
            optimum_share=round(share_reached(download.least.seconds(done, size), seconds), 4),
        )

    def unequal(self, download: Download) -> str:
        """Why there are no sources, if that is because only one side encrypts."""
        if not (count := len(download.unequal)):
            return ""
        ours, theirs = ("true", "false") if self._settings.encryption else ("false", "true")
        peers = "1 peer" if count == 1 else f"{count} peers"
        return (
            f"security.encryption is {ours} here and {theirs} at {peers} of the swarm; make it the same on both sides"
        )

    def remember(self, record: DownloadRecord) -> None:
        """The figures of a finished download: who gave it, how long it took."""
        self._records[record.id] = record

    def chosen(self, content: KnownContent) -> int:
        """The chunks that are there of a finished content: all, or those of the paths that were asked for."""
        record = self._records.get(content.id)
        return wanted_chunks(content.layout, record) if record else content.layout.all_chunks

    def record(self, content: ContentId) -> DownloadRecord | None:
        """That of a finished download."""
        return self._records.get(content)

    def finished(self, download: Download, content: KnownContent) -> None:
        """A download is complete under its name."""
        self._forget(content.id)
        self.remember(replace(download.updated_record(self._turn.now), finished=self._turn.wall_time))
        self.known(content)

    def known(self, content: KnownContent) -> None:
        """A finished download: it just finished, or did in an earlier run, or its pause changed."""
        self._turn.publish(_completed(content, self._records.get(content.id), self.chosen(content)))

    def damaged(self, content: KnownContent, message: str) -> None:
        """A finished download's data is not what was fetched."""
        if content.downloaded:
            fields = asdict(_completed(content, self._records.get(content.id), self.chosen(content)))
            error = f"{message}; verify it, which fetches again what is damaged"
            self._turn.publish(
                TransferFailed(**{**fields, "state": "error", "error": error, "error_code": ERR_CHANGED})
            )

    def removed(self, content: ContentId) -> None:
        self._forget(content)
        self._records.pop(content, None)

    def _forget(self, content: ContentId) -> None:
        self._shown.pop(content, None)
        self._dirty.pop(content, None)


def _moving(source: Source, download: Download, now: float) -> float:
    """Bytes a second that a source sends, while the download may take them."""
    moves = not download.stopped and source.state is SourceState.OPEN
    return round(source.meter.rate(now), 1) if moves else 0.0


def _completed(content: KnownContent, record: DownloadRecord | None, held: int) -> TransferCompleted:
    layout = content.layout
    size, chunks = layout.bytes_in(held), held.bit_count()
    return TransferCompleted(
        id=content.id,
        name=content.name,
        kind=layout.kind,
        size=size,
        path=content.path,
        state=content.state,
        bytes_done=size,
        chunks=chunks,
        chunks_done=chunks,
        down_rate=0.0,
        eta=0.0,
        seconds=round(record.seconds, 3) if record else 0.0,
        duplicate_bytes=record.duplicate_bytes if record else 0,
        rejected_bytes=record.rejected_bytes if record else 0,
        sources=[SourceRow(peer, given, 0.0, 0, "done") for peer, given in record.sources] if record else [],
        have=strip(held, layout.chunks).hex() if layout.chunks else "",
        error="",
        error_code="",
        added=record.added if record else content.added,
        finished=record.finished if record else content.added,
        optimum_seconds=round(record.optimum, 3) if record else 0.0,
        optimum_share=round(share_reached(record.least or record.optimum, record.seconds), 4) if record else 0.0,
    )
