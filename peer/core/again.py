"""`get` of a content that is here already: it goes on, wants more of a tree, is looked at, or begins anew elsewhere.

A selection only grows while a download runs: `get --only OTHER` adds to it, `get` without paths takes all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from bus.boundary import ContentId
from bus.errors import ERR_CHANGED, ERR_LIMIT, ERR_NOT_FOUND, ERR_STATE, ShoalError
from bus.messages import ControlFailed, Done, Get, Message
from peer.core.download import Download, DownloadState
from peer.core.downloads import Downloads
from peer.core.interface import (
    CheckChunk,
    ChunkChecked,
    DownloadRecord,
    KnownContent,
    ReopenContent,
    Reopened,
    ReopenFailed,
    Token,
)
from peer.core.layout import Layout
from peer.core.library import Library
from peer.core.shelf import Shelf
from peer.core.turn import Turn

MOST_PATHS: Final = 1000
"""Paths of one selection."""


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
        elsewhere = bool(message.directory) and message.directory != record.directory
        if elsewhere or _is_narrower(message.only, record.only):
            if download.held or not stopped:
                raise ShoalError(ERR_STATE, _bound_elsewhere(record) if elsewhere else _bound_for_more(record))
            self._replace(token, record, message)
            return
        only = _union(record.only, message.only)
        if only != record.only:
            self._downloads.widen(download, only)
        if message.sequential:
            self._downloads.change(download, replace(download.record, sequential=True))
        if stopped:
            self._downloads.resume(download)
        self._reply(token, Done(0, record.id))

    def _replace(self, token: Token, record: DownloadRecord, message: Get) -> None:
        """Nothing is here yet: begin anew, as it is wanted now."""
        directory = message.directory or record.directory
        anew = replace(record, directory=directory, only=tuple(message.only), path="", paused=False)
        self._replacing[record.id] = (token, anew)
        self._library.forget(record.id, data=False)

    def _finished(self, token: Token, known: KnownContent, message: Get) -> None:
        offer = self._shelf.offers.get(known.id)
        if message.directory and message.directory != known.path.rpartition("/")[0]:
            raise ShoalError(ERR_STATE, f"{known.name} is here already, at {known.path}; copy it, or remove it first")
        if known.id in self._shelf.damaged:
            raise ShoalError(ERR_CHANGED, _damaged(known))
        held, only = self._library.selection(known)
        wanted, union = _chosen(known.layout, message.only), _union(only, message.only)
        if wanted & ~held or union != only:  # empty files have no chunks
            self._reopening.setdefault(known.id, []).append(token)
            self._turn.add(ReopenContent(known.id, union))
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


def _damaged(known: KnownContent) -> str:
    fetches = ", which fetches again what is damaged" if known.downloaded else " once it is put right"
    return f"{known.path} is not what was {'fetched' if known.downloaded else 'shared'} any more; verify it{fetches}"


def _bound_elsewhere(record: DownloadRecord) -> str:
    return f"{record.name} is bound for {record.directory}; remove it first to get it elsewhere"


def _bound_for_more(record: DownloadRecord) -> str:
    all_of_it = ", ".join(record.only) or "all of it"
    return f"{record.name} is being fetched with more than that ({all_of_it}); remove it first to get less"


def _union(had: tuple[str, ...], more: list[str]) -> tuple[str, ...]:
    """Both selections together; an empty one is everything.

    Raises:
        ShoalError: ERR_LIMIT.
    """
    if not had or not more:
        return ()
    paths = (*had, *(path for path in dict.fromkeys(more) if not _covers(had, path)))
    if len(paths) > MOST_PATHS:
        raise ShoalError(ERR_LIMIT, f"{len(paths):,} paths to fetch, the limit is {MOST_PATHS:,}; name their folders")
    return paths


def _is_narrower(asked: list[str], had: tuple[str, ...]) -> bool:
    """Whether less is asked for than is being fetched."""
    if not asked or not had:
        return bool(asked)
    return all(_covers(had, path) for path in asked) and not all(_covers(tuple(asked), path) for path in had)


def _covers(paths: tuple[str, ...], path: str) -> bool:
    """Whether a path is one of these, or below one."""
    return any(path == one or path.startswith(f"{one}/") for one in paths)


def _chosen(layout: Layout, only: list[str]) -> int:
    """The chunks of these paths, or all."""
    try:
        return layout.mask_of(only) if only else layout.all_chunks
    except KeyError as error:
        raise ShoalError(ERR_NOT_FOUND, f"{error.args[0]} is not in this content") from None
