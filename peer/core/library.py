"""What this peer has: contents shared and fetched, from their first offer to their removal.

Everything that begins or ends an offer passes here, so that trackers, neighbours, uploads and
the published events always tell the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from bus.boundary import ContentId, PeerId
from bus.events import ContentWithdrawn, TransferRemoved
from bus.messages import Have, Rejected
from peer.core.download import DownloadState
from peer.core.downloads import SPACE_EVERY, Downloads
from peer.core.haves import Haves
from peer.core.interface import (
    CheckChunk,
    CheckSpace,
    ChunkChecked,
    FilesLooked,
    Finished,
    ReadFailed,
    RemoveItem,
    Reopened,
    SpaceChecked,
    Verified,
)
from peer.core.neighbours import Neighbour
from peer.core.records import DownloadRecord, KnownContent
from peer.core.reports import Reports
from peer.core.settings import TrackerAddress
from peer.core.shelf import Shelf
from peer.core.standing import SUCCESSFUL_DOWNLOAD
from peer.core.trackers import Trackers
from peer.core.turn import Turn
from peer.core.uploads import Uploads

CHECKS_AT_ONCE: Final = 4
"""Rejected chunks being hashed again; each is up to 16 MiB of reading that one small message asked for."""
CHECK_AGAIN: Final = 600.0
"""A rejected chunk is hashed again at most once in so many seconds."""


class Library:
    """The contents and downloads of this peer."""

    def __init__(
        self,
        turn: Turn,
        shelf: Shelf,
        haves: Haves,
        trackers: Trackers,
        uploads: Uploads,
        downloads: Downloads,
        reports: Reports,
        on_start: Callable[[DownloadRecord], None],
        record: Callable[[PeerId, str, ContentId, int], None],
    ) -> None:
        """`on_start` hears of every download that begins; `record` notes a reputation event."""
        self._turn = turn
        self._shelf = shelf
        self._haves = haves
        self._trackers = trackers
        self._uploads = uploads
        self._downloads = downloads
        self._reports = reports
        self._on_start = on_start
        self._record = record
        self._checked: dict[tuple[ContentId, int], float] = {}
        """When a rejected chunk was hashed again, the earliest first; for as long as it is not done again."""
        self._checks_open = 0

    def put_known(self, content: KnownContent) -> None:
        """Offer a content that is no running download."""
        self._shelf.put_known(content, self._reports.chosen(content))
        if content.downloaded:
            self._reports.known(content)
        if content.id in self._shelf.offers:
            self._trackers.watch(content.id)
            self._haves.offered_now(content.id)
            self._haves.changed(content.id)
        self._trackers.offers_changed()

    def withdraw(self, content: ContentId) -> None:
        """Offer a content no longer; whether it is still listed is for the caller to publish."""
        self._shelf.drop(content)
        self._uploads.sending.withdraw(content)
        self._uploads.seeding.withdrawn(content)
        self._haves.withdrawn(content)
        self._trackers.unwatch(content)
        self._trackers.offers_changed()

    def forget(self, content: ContentId, *, data: bool) -> None:
        """Drop an item for good."""
        if download := self._downloads.active.get(content):
            self._downloads.remove(download)
        known = self._shelf.known(content)
        self.withdraw(content)
        self._reports.removed(content)
        self._uploads.all_time.forget(content)
        self._uploads.sending.forget(content)
        if download is not None or (known is not None and known.downloaded):
            self._turn.publish(TransferRemoved(content, data))
        if known is not None and not known.downloaded:
            self._turn.publish(ContentWithdrawn(content, "removed"))
        self._turn.add(RemoveItem(content, data))

    def keep_due(self) -> None:
        """Keep the counters that move: those of running downloads, and what was uploaded."""
        self._downloads.keep_due()
        self._uploads.all_time.keep()

    def space_due(self) -> None:
        """Downloads that a full disk stopped: let the shell look whether there is room again."""
        for download in self._downloads.active.values():
            if download.waits_for_space:
                self._turn.add(CheckSpace(download.record))
                self._turn.timers.set_earlier(("space",), self._turn.now + SPACE_EVERY)

    def space_checked(self, event: SpaceChecked) -> None:
        download = self._downloads.active.get(event.content)
        if event.enough and download is not None and download.waits_for_space:
            self._downloads.resume(download)

    def content_added(self, content: KnownContent) -> None:
        if download := self._downloads.active.get(content.id):
            self._downloads.remove(download)
            self._turn.publish(TransferRemoved(content.id, False))
        self.put_known(content)

    def start_download(self, record: DownloadRecord) -> None:
        """Begin, or go on with, a download."""
        for endpoint, key in record.trackers:
            self._trackers.add(TrackerAddress(endpoint, key))
        self._downloads.start(record)
        self._trackers.watch(record.id)
        self._on_start(record)

    def finished(self, event: Finished) -> None:
        content = event.content
        download = self._downloads.active.get(content.id)
        if download is None or download.state is not DownloadState.FINISHING:
            return  # It was removed meanwhile.
        self._downloads.drop(content.id)
        self._reports.finished(download, content)
        self._shelf.put_known(content, self._reports.chosen(content))
        self._haves.changed(content.id)
        self._trackers.offers_changed()

    def on_have(self, neighbour: Neighbour, message: Have) -> None:
        """A neighbour restated what it offers, or showed its interest."""
        mask, answer = self._haves.received(neighbour.link, message)
        content = message.content
        download = self._downloads.fetched.get(content)
        if download is not None and not download.stopped:
            self._downloads.fetching.on_map(neighbour, download, mask)
        if answer:
            self._haves.tell(neighbour.link, content)
        offer = self._shelf.offers.get(content)
        if offer is None or offer.known is None or not offer.complete or offer.layout is None:
            return
        self._uploads.seeding.heard(neighbour.link, content, offer.layout, mask)
        if mask != offer.layout.all_chunks:
            return
        if self._uploads.sending.served.pop((content, neighbour.peer), 0):
            self._record(neighbour.peer, SUCCESSFUL_DOWNLOAD, content, offer.layout.size)

    def on_rejected(self, neighbour: Neighbour, message: Rejected) -> None:
        """A downloader got a bad chunk from us: look at our copy, if we sent it and not too often."""
        key = (message.content, message.chunk)
        offer = self._shelf.offers.get(message.content)
        sent = self._uploads.sending.served.get((message.content, neighbour.peer), 0)
        if offer is None or not offer.complete or not sent >> message.chunk & 1:
            return
        if self._checks_open >= CHECKS_AT_ONCE:
            return
        while self._checked and self._turn.now - self._checked[first := next(iter(self._checked))] >= CHECK_AGAIN:
            del self._checked[first]
        if key in self._checked:
            return
        self._checked[key] = self._turn.now
        self._checks_open += 1
        self._turn.add(CheckChunk(message.content, message.chunk))

    def chunk_checked(self, event: ChunkChecked) -> None:
        """The disk was looked at: what is wrong is no longer offered."""
        self._checks_open = max(0, self._checks_open - 1)
        if not event.good:
            self._damaged(event.content, f"chunk {event.chunk} is not what was hashed")

    def read_failed(self, event: ReadFailed) -> None:
        content = self._uploads.sending.on_read_failed(event)
        if content is not None and content not in self._downloads.active:
            self._damaged(content, event.message)

    def _damaged(self, content: ContentId, message: str) -> None:
        """What we offered whole is not what was hashed: offer it no longer, and say so."""
        known = self._shelf.known(content)
        if known is not None:
            self.withdraw(content)
            self._reports.damaged(known, message)
            self._shelf.set_damaged(replace(known, unchecked=False), message)

    def verified(self, event: Verified) -> None:
        if download := self._downloads.active.get(event.content):
            self._downloads.verified(download, event.held)
        elif event.message:
            self._damaged(event.content, event.message)
        elif (known := self._shelf.known(event.content)) is not None:
            self.put_known(replace(known, unchecked=False))

    def files_looked(self, event: FilesLooked) -> None:
        """What an earlier run left was looked at: offer it, if it is what was hashed."""
        known = self._shelf.known(event.content)
        if known is None or not known.unchecked:
            return  # It was removed, shared again or verified meanwhile.
        if event.message:
            self._damaged(event.content, event.message)
        else:
            self.put_known(replace(known, unchecked=False))

    def chosen(self, content: KnownContent) -> tuple[int, DownloadRecord | None]:
        """What is here of a content: its chunks, and the record that says why, if it was downloaded."""
        return self._reports.chosen(content), self._reports.record(content.id)

    def reopened(self, event: Reopened) -> None:
        """A finished download turned out damaged, or more of it is wanted: it goes on where it is."""
        known = self._shelf.known(event.record.id)
        if known is None:
            return  # It was removed meanwhile, and the shell is told so.
        self.withdraw(known.id)
        self._reports.removed(known.id)
        self.start_download(event.record)
