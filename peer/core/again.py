"""`get` of a content that is here already: it goes on, is looked at, or is started anew elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from bus.boundary import ContentId
from bus.errors import ERR_CHANGED, ERR_NOT_FOUND, ERR_STATE, ShoalError
from bus.messages import ControlFailed, Done, Get, Message
from peer.core.download import Download, DownloadState
from peer.core.downloads import Downloads
from peer.core.interface import CheckChunk, ChunkChecked, DownloadRecord, KnownContent, Token
from peer.core.layout import Layout
from peer.core.library import Library
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
        self._replacing: dict[ContentId, tuple[Token, DownloadRecord]] = {}

    def get(self, token: Token, content: ContentId, message: Get) -> None:
        """Answer, now or when the disk was looked at.

        Raises:
            ShoalError: ERR_STATE if it is bound for another folder or is another part; ERR_CHANGED if it is damaged.
        """
        download = self._downloads.active.get(content)
        if download is not None:
            self._running(token, download, message)
        elif (known := self._shelf.known(content)) is not None:
            self._finished(token, known, message)

    def _running(self, token: Token, download: Download, message: Get) -> None:
        record = download.record
        stopped = download.state in (DownloadState.FAILED, DownloadState.PAUSED)
        elsewhere = bool(message.directory) and message.directory != record.directory
        if elsewhere or (message.only and tuple(message.only) != record.only):
            if download.held or not stopped:
                part = f" ({', '.join(record.only)})" if record.only else ""
                raise ShoalError(
                    ERR_STATE,
                    f"{record.name}{part} is bound for {record.directory}; remove it first to get it otherwise",
                )
            directory = message.directory or record.directory
            anew = replace(record, directory=directory, only=tuple(message.only), path="", paused=False)
            self._replacing[record.id] = (token, anew)
            self._library.forget(record.id, data=False)
            return
        if message.sequential:
            self._downloads.change(download, record.priority, True)
        if stopped:
            self._downloads.resume(download)
        self._reply(token, Done(0, record.id))

    def _finished(self, token: Token, known: KnownContent, message: Get) -> None:
        offer = self._shelf.offers.get(known.id)
        if message.directory and message.directory != known.path.rpartition("/")[0]:
            raise ShoalError(ERR_STATE, f"{known.name} is here already, at {known.path}; copy it, or remove it first")
        if offer is None:
            if not known.paused:
                raise ShoalError(ERR_CHANGED, _damaged(known))
            self._reply(token, Done(0, known.id))
            return
        if _chosen(known.layout, message.only) & ~offer.held:
            raise ShoalError(ERR_STATE, f"only a part of {known.name} is here; remove it, then get all that you want")
        if known.downloaded and offer.held:
            # One chunk is enough to notice that somebody took the file away.
            self._checking.setdefault(known.id, []).append(token)
            self._turn.add(CheckChunk(known.id, (offer.held & -offer.held).bit_length() - 1))
        else:
            self._reply(token, Done(0, known.id))

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


def _damaged(known: KnownContent) -> str:
    return (
        f"{known.path} is not what was fetched any more; remove the item (and what is left of the file), "
        "then get it again"
    )


def _chosen(layout: Layout, only: list[str]) -> int:
    """The chunks of these paths, or all."""
    try:
        return layout.mask_of(only) if only else layout.all_chunks
    except KeyError as error:
        raise ShoalError(ERR_NOT_FOUND, f"{error.args[0]} is not in this content") from None
