"""Previews: the files of a content that is not here, listed before anything of it is fetched.

A preview is a download that ends with its manifest: found, linked, asked and checked in the same way, and shown to
nobody: it is not announced, not published and not kept on the disk.  Manifests that came so stay in memory for a while,
so that the next pages of the list cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from bus.boundary import ContentId
from bus.errors import ERR_LIMIT, ERR_NOT_FOUND, ERR_STATE, ERR_TIMEOUT, ERR_USAGE, ShoalError
from bus.messages import ControlFailed, FileRow, Files, FoundContent, ListFiles
from peer.core.download import Download, DownloadState
from peer.core.downloads import Downloads
from peer.core.fetching import STALL_CHECK
from peer.core.haves import Haves
from peer.core.interface import Reply, StoreFailed, Token
from peer.core.layout import Layout
from peer.core.neighbours import Neighbours
from peer.core.records import DownloadRecord
from peer.core.searching import Named, Searching, named, the_one
from peer.core.settings import TrackerAddress
from peer.core.swarms import Swarms
from peer.core.trackers import Trackers
from peer.core.turn import Turn

FILES_PAGE: Final = 200
"""Rows of one page: with paths of 255 bytes it stays under the 256 KiB of a page."""
PATIENCE: Final = 20.0
"""Seconds in which a manifest must come, once its content is known to somebody."""
MOST_RUNNING: Final = 8
"""Previews under way at a time."""
MOST_WAITING: Final = 64
"""Requests that wait for a manifest at a time."""
KEPT_SECONDS: Final = 600.0
MOST_ENTRIES: Final = 100_000
"""Files of all manifests that are kept, about 30 MB: what one manifest may have; the oldest make room."""


class _Kept(Struct):
    name: str
    layout: Layout


class Previews:
    """Who waits for which manifest, and the manifests that came."""

    def __init__(
        self,
        turn: Turn,
        neighbours: Neighbours,
        haves: Haves,
        trackers: Trackers,
        downloads: Downloads,
        swarms: Swarms,
        searching: Searching,
        why_unequal: Callable[[Download], str],
    ) -> None:
        """`why_unequal` says in one line why no source can be linked, if encryption is the reason."""
        self._turn = turn
        self._neighbours = neighbours
        self._haves = haves
        self._trackers = trackers
        self._downloads = downloads
        self._swarms = swarms
        self._searching = searching
        self._why_unequal = why_unequal
        self._running: dict[ContentId, Download] = {}
        self._waiting: dict[ContentId, list[tuple[Token, int]]] = {}
        """Who waits, and from which row of the list on."""
        self._kept: dict[ContentId, _Kept] = {}
        """The one that was asked for last comes last."""

    def list_files(self, token: Token, message: ListFiles) -> None:
        """Answer for a content whose files the shell does not know, at once or when its manifest has come.

        Raises:
            ShoalError: ERR_USAGE, ERR_STATE, ERR_LIMIT.
        """
        asked = named(message.content)
        known = dict.fromkeys([*self._downloads.active, *self._running, *self._kept])
        matches = [content for content in known if content.startswith(asked.text)]
        if len(matches) > 1:
            raise ShoalError(ERR_USAGE, f"{len(matches)} items begin with {asked.text}; give more digits")
        if matches:
            self._answer_known(token, matches[0], message.first)
            return
        for hint in asked.hints:
            self._trackers.add(TrackerAddress(*hint))

        def answer(found: list[FoundContent] | ShoalError) -> None:
            try:
                self._begin(token, asked, the_one(asked, found), message.first)
            except ShoalError as error:
                self._fail(token, error)

        self._searching.begin(asked.text, 2, answer, asked.content)

    def _answer_known(self, token: Token, content: ContentId, first: int) -> None:
        download, kept = self._downloads.active.get(content), self._kept.pop(content, None)
        if kept is not None:
            self._kept[content] = kept
            self._turn.add(Reply(token, files_page(content, kept.name, kept.layout, first)))
        elif download is not None and download.layout is not None:
            self._turn.add(Reply(token, files_page(content, download.record.name, download.layout, first)))
        elif download is not None and download.stopped:
            state = download.item_state(self._turn.now)
            raise ShoalError(ERR_STATE, f"{download.record.name} is in state {state}, and its files are not known yet")
        else:
            self._wait(token, content, first)

    def _wait(self, token: Token, content: ContentId, first: int) -> None:
        if sum(len(tokens) for tokens in self._waiting.values()) >= MOST_WAITING:
            raise ShoalError(ERR_LIMIT, f"{MOST_WAITING} requests wait for lists of files already; try again soon")
        self._waiting.setdefault(content, []).append((token, first))
        self._turn.timers.set_earlier(("preview", content), self._turn.now + PATIENCE)

    def _begin(self, token: Token, asked: Named, found: FoundContent, first: int) -> None:
        content = found.id
        if content in self._downloads.fetched or content in self._kept:  # since it was looked for
            self._answer_known(token, content, first)
            return
        if len(self._running) >= MOST_RUNNING:
            raise ShoalError(ERR_LIMIT, f"{MOST_RUNNING} lists of files are being fetched already; try again soon")
        self._wait(token, content, first)
        record = DownloadRecord(content, found.name, "", "", (), asked.hints, False, self._turn.wall_time)
        download = Download(record, self._turn.now)
        download.preview = True
        self._running[content] = self._downloads.fetched[content] = download
        self._haves.previewed[content] = True
        self._haves.begin(content)
        for neighbour in list(self._neighbours.by_peer.values()):
            self._downloads.fetching.greet(neighbour, download)
        self._turn.timers.set_earlier(("stall",), self._turn.now + STALL_CHECK)
        self._swarms.look(content)

    # -- how it ends --

    def manifest_read(self, content: ContentId, layout: Layout) -> None:
        """It came, and keeps every rule."""
        preview = self._end(content)
        if preview is not None:  # else a download of it began meanwhile
            self._keep(content, _Kept(preview.record.name, layout))
            self.known(content, preview.record.name, layout)

    def known(self, content: ContentId, name: str, layout: Layout) -> None:
        """The files of a content are known: here, or because its download got so far."""
        for token, first in self._waiting.pop(content, []):
            self._turn.add(Reply(token, files_page(content, name, layout, first)))

    def store_failed(self, event: StoreFailed) -> None:
        """The manifest is what was asked for, and breaks a rule: no other source has a better one."""
        if self._end(event.content) is not None:
            self._fail_all(event.content, ShoalError(event.code, event.message))

    def due(self, content: ContentId) -> None:
        """It took too long; or what was kept was not asked for in a while."""
        self._kept.pop(content, None)
        download = self._downloads.fetched.get(content)
        if content in self._waiting:
            self._fail_all(content, self._why_none(content, download))
        self._end(content)

    def give_way(self, content: ContentId) -> None:
        """A download of it begins, and gets the manifest for itself; who waits still hears of it."""
        self._end(content)

    def _end(self, content: ContentId) -> Download | None:
        """Ask nothing more for a preview; returns it, None if there is none."""
        preview = self._running.pop(content, None)
        if preview is None:
            return None
        preview.state = DownloadState.REMOVED
        self._haves.previewed.pop(content, None)
        if self._downloads.fetched.get(content) is preview:
            del self._downloads.fetched[content]
            self._turn.timers.clear(("look", content))
            self._haves.withdrawn(content)
        self._downloads.release(preview)
        return preview

    def _keep(self, content: ContentId, kept: _Kept) -> None:
        self._kept[content] = kept
        total = sum(len(one.layout.entries) for one in self._kept.values())
        while total > MOST_ENTRIES and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            total -= len(self._kept.pop(oldest).layout.entries)
        self._turn.timers.set(("preview", content), self._turn.now + KEPT_SECONDS)

    # -- answers --

    def _why_none(self, content: ContentId, download: Download | None) -> ShoalError:
        """Why no source gave the manifest in time."""
        seconds = f"within {PATIENCE:.0f} s"
        if download is None or not (download.candidates or download.maps):
            if download is not None and (unequal := self._why_unequal(download)):
                return ShoalError(ERR_NOT_FOUND, unequal)
            return ShoalError(ERR_NOT_FOUND, f"no peer that shares {content} was found {seconds}; is it online?")
        name, count = download.record.name, len(download.candidates)
        peers = "1 peer" if count == 1 else f"{count} peers"
        if any(download.maps.values()):
            return ShoalError(ERR_TIMEOUT, f"no source of {name} sent its list of files {seconds}; try again later")
        reasons = (self._neighbours.why_unreached(peer) for peer in download.candidates)
        reason = next((reason for reason in reasons if reason), "no answer")
        return ShoalError(ERR_TIMEOUT, f"{peers} share {name}, but none was reached {seconds}: {reason}")

    def _fail_all(self, content: ContentId, error: ShoalError) -> None:
        for token, _ in self._waiting.pop(content, []):
            self._fail(token, error)

    def _fail(self, token: Token, error: ShoalError) -> None:
        self._turn.add(Reply(token, ControlFailed(0, error.code, error.message)))


def files_page(content: ContentId, name: str, layout: Layout, first: int) -> Files:
    """One page of the files of a content, from the `first` of them on."""
    entries = [layout.entries[index] for index in layout.files[first : first + FILES_PAGE]]
    files = [FileRow(entry.path, entry.size, entry.executable) for entry in entries]
    following = first + FILES_PAGE
    total = len(layout.files)
    return Files(0, files, following if following < total else 0, content, name, layout.kind, layout.size, total)
