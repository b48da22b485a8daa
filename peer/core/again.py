"""`get` of a content that is here already: it goes on, wants more of a tree, is looked at, or begins anew elsewhere.

What is fetched of a tree grows: `get --only OTHER` adds to it, `get` without paths takes all; `leave-out` lessens it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from bus.boundary import ContentId
from bus.errors import ERR_CHANGED, ERR_NOT_FOUND, ERR_STATE, ShoalError
from bus.messages import ControlFailed, Done, Get, Message
from peer.core.download import Download, DownloadState
from peer.core.downloads import Downloads
from peer.core.interface import CheckChunk, ChunkChecked, ReopenContent, Reopened, ReopenFailed, Token
from peer.core.layout import Layout
from peer.core.library import Library
from peer.core.records import DownloadRecord, KnownContent
from peer.core.selection import is_less, with_less, with_more
from peer.core.shelf import Shelf
from peer.core.turn import Turn


class Again:
    """Answers for contents that are downloads already, or known."""

    def __init__(
        self,
        turn: Turn,
        shelf: Shelf,
        downloads: Downloads,
        library: Library,
        reply: Callable[[Token, Message], None],
    ) -> None:
        self._turn = turn
        self._shelf = shelf
        self._downloads = downloads
        self._library = library
        self._reply = reply
        self._checking: dict[ContentId, list[Token]] = {}
        self._reopening: dict[ContentId, list[Token]] = {}
        self._replacing: dict[ContentId, tuple[Token, DownloadRecord]] = {}

    def get(self, token: Token, content: ContentId, message: Get) -> None:
        """Answer, now or when the disk was looked at.

        Raises:
            ShoalError: ERR_STATE if it is bound for another folder, or for more; ERR_NOT_FOUND for a path that is not
                in it; ERR_CHANGED if it is damaged.
        """
        download = self._downloads.active.get(content)
        if download is not None:
            self._running(token, download, message)
        elif (known := self._shelf.known(content)) is not None:
            self._finished(token, known, message)

    def _running(self, token: Token, download: Download, message: Get) -> None:
        record = download.record
        stopped = download.state in (DownloadState.FAILED, DownloadState.PAUSED)
        if download.layout is not None:
            _chosen(download.layout, message.only)
        more = with_more(record, download.layout, message.only)
        less = is_less(record, message.only) and more.left_out == record.left_out
        elsewhere = bool(message.directory) and message.directory != record.directory
        if elsewhere or less:
            if download.held or not stopped:
                raise ShoalError(ERR_STATE, _bound_elsewhere(record) if elsewhere else _bound_for_more(record))
            self._replace(token, record, message)
            return
        if more != record:
            _check_not_finishing(download)
            self._downloads.widen(download, more)
        if message.sequential:
            self._downloads.change(download, replace(download.record, sequential=True))
        if stopped:
            self._downloads.resume(download)
        self._reply(token, Done(0, record.id))

    @staticmethod
    def lessened(download: Download, paths: Sequence[str]) -> DownloadRecord:
        """Its record once these files, and what is not complete in these folders, are left out.

        Raises:
            ShoalError: as `with_less`; ERR_STATE while it is being finished.
        """
        _check_not_finishing(download)
        return with_less(download.record, download.layout, download.held, paths)

    def _replace(self, token: Token, record: DownloadRecord, message: Get) -> None:
        """Nothing is here yet: begin anew, as it is wanted now."""
        directory = message.directory or record.directory
        anew = replace(record, directory=directory, only=tuple(message.only), left_out=(), path="", paused=False)
        self._replacing[record.id] = (token, anew)
        self._library.forget(record.id, data=False)

    def _finished(self, token: Token, known: KnownContent, message: Get) -> None:
        offer = self._shelf.offers.get(known.id)
        if message.directory and message.directory != known.path.rpartition("/")[0]:
            raise ShoalError(ERR_STATE, f"{known.name} is here already, at {known.path}; copy it, or remove it first")
        if known.id in self._shelf.damaged:
            raise ShoalError(ERR_CHANGED, _damaged(known))
        held, record = self._library.chosen(known)
        wanted = _chosen(known.layout, message.only)
        more = with_more(record, known.layout, message.only) if record else None
        if more is not None and (wanted & ~held or more != record):  # empty files have no chunks
            self._reopening.setdefault(known.id, []).append(token)
            self._turn.add(ReopenContent(known.id, more.only, more.left_out))
        elif known.downloaded and offer is not None and held:
            # One chunk is enough to notice that somebody took the file away.
            self._checking.setdefault(known.id, []).append(token)
            self._turn.add(CheckChunk(known.id, (held & -held).bit_length() - 1))
        else:
            self._reply(token, Done(0, known.id))

    def reopened(self, event: Reopened) -> None:
        """A finished download goes on: whoever asked for more of it may wait for that."""
        for token in self._reopening.pop(event.record.id, []):
            self._reply(token, Done(0, event.record.id))

    def reopen_failed(self, event: ReopenFailed) -> None:
        """The rest of a finished download cannot be fetched where it is."""
        for token in self._reopening.pop(event.content, []):
            self._reply(token, ControlFailed(0, event.code, event.message))

    def checked(self, event: ChunkChecked) -> None:
        """The disk was looked at."""
        known = self._shelf.known(event.content)
        for token in self._checking.pop(event.content, []):
            if event.good or known is None:
                self._reply(token, Done(0, event.content))
            else:
                self._reply(token, ControlFailed(0, ERR_CHANGED, _damaged(known)))

    def removed(self, content: ContentId) -> DownloadRecord | None:
        """An item was removed: the record to start in its place, if one waits for that."""
        token, record = self._replacing.pop(content, (None, None))
        if token is not None:
            self._reply(token, Done(0, content))
        return record


def _check_not_finishing(download: Download) -> None:
    if download.state is DownloadState.FINISHING:
        raise ShoalError(ERR_STATE, f"{download.record.name} is being finished; ask again in a moment")


def _damaged(known: KnownContent) -> str:
    fetches = ", which fetches again what is damaged" if known.downloaded else " once it is put right"
    return f"{known.path} is not what was {'fetched' if known.downloaded else 'shared'} any more; verify it{fetches}"


def _bound_elsewhere(record: DownloadRecord) -> str:
    return f"{record.name} is bound for {record.directory}; remove it first to get it elsewhere"


def _bound_for_more(record: DownloadRecord) -> str:
    all_of_it = ", ".join(record.only) or "all of it"
    return f"{record.name} is being fetched with more than that ({all_of_it}); leave out what is not wanted"


def _chosen(layout: Layout, only: list[str]) -> int:
    """The chunks of these paths, or all."""
    try:
        return layout.mask_of(only) if only else layout.all_chunks
    except KeyError as error:
        raise ShoalError(ERR_NOT_FOUND, f"{error.args[0]} is not in this content") from None
