"""Control requests that the core answers: get, search, pause, resume, verify, remove, unshare, limits.

An item may be named by its id or by 8 or more of its first digits, if only one item has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from bus.boundary import ContentId
from bus.errors import ERR_LIMIT, ERR_NOT_FOUND, ERR_STATE, ERR_USAGE, ShoalError
from bus.messages import (
    ChangeDownload,
    ChangeLimits,
    ControlFailed,
    Done,
    Explain,
    FoundContent,
    Get,
    JudgePeer,
    Limits,
    ListFiles,
    Locate,
    Message,
    Pause,
    Remove,
    Resume,
    ScheduledLimits,
    SearchContents,
    SearchResults,
    ShowPieces,
    Unshare,
    Verify,
)
from peer.core.again import Again
from peer.core.download import DownloadState
from peer.core.downloads import Downloads
from peer.core.explain import Explaining
from peer.core.file_priority import with_level
from peer.core.interface import KeepPaused, Reply, ReplyWhenAnnounced, Token, VerifyData
from peer.core.judging import Judging
from peer.core.library import Library
from peer.core.limiting import Limiting
from peer.core.previews import Previews
from peer.core.records import DownloadRecord
from peer.core.searching import Named, Searching, named, the_one
from peer.core.selection import MOST_PATHS
from peer.core.settings import NodeSettings, TrackerAddress
from peer.core.sharelink import PREFIX
from peer.core.shelf import Shelf
from peer.core.trackers import Trackers
from peer.core.turn import Turn

ANNOUNCE_PATIENCE: Final = 2.0
"""Seconds a share's answer waits for trackers to take the announcement."""


class Commands:
    """Answers the command line and the gateway."""

    def __init__(
        self,
        settings: NodeSettings,
        turn: Turn,
        shelf: Shelf,
        trackers: Trackers,
        downloads: Downloads,
        library: Library,
        limiting: Limiting,
        explaining: Explaining,
        judging: Judging,
        searching: Searching,
        previews: Previews,
    ) -> None:
        self._settings = settings
        self._turn = turn
        self._shelf = shelf
        self._trackers = trackers
        self._downloads = downloads
        self._library = library
        self._limiting = limiting
        self._explaining = explaining
        self._judging = judging
        self._searching = searching
        self._previews = previews
        self._removing: dict[ContentId, list[Token]] = {}
        self._unannounced: list[Reply] = []
        self.again = Again(turn, shelf, downloads, library, self._reply)
        self._requests = self._table()

    def handle(self, token: Token, message: Message) -> None:
        """Carry out one request, or fail it with one line."""
        try:
            if type(message) not in self._requests:
                raise ShoalError(ERR_USAGE, f"{type(message).__name__} is no request that a peer answers")
            self._requests[type(message)](token, message)
        except ShoalError as error:
            self._fail(token, error)

    def _table(self) -> dict[type, Callable[..., None]]:
        return {
            Get: self._get,
            SearchContents: self._search,
            ListFiles: self._previews.list_files,
            Pause: lambda token, m: self._pause(token, m.content, paused=True),
            Resume: lambda token, m: self._pause(token, m.content, paused=False),
            Verify: lambda token, m: self._verify(token, m.content),
            Unshare: lambda token, m: self._unshare(token, m.content),
            Remove: lambda token, m: self._remove(token, m.content, m.data),
            ChangeLimits: self._change_limits,
            ChangeDownload: self._change_download,
            Explain: self._explain,
            ShowPieces: self._show_pieces,
            JudgePeer: self._judging.judge,
            Locate: self._read_from,
        }

    def _reply(self, token: Token, message: Message) -> None:
        """Whoever hears that something was done may rely on it, whatever happens next."""
        self._turn.add(Reply(token, message, kept="catalogue" if isinstance(message, Done | Limits) else ""))

    def _fail(self, token: Token, error: ShoalError) -> None:
        self._reply(token, ControlFailed(0, error.code, error.message))

    # -- share --

    def reply_when_announced(self, event: ReplyWhenAnnounced) -> None:
        """Tell the trackers now, and answer when they know."""
        self._unannounced.append(Reply(event.token, event.message))
        self._trackers.announce_due()
        self._turn.timers.set_earlier(("settle",), self._turn.now + ANNOUNCE_PATIENCE)
        self.look_settled()

    def look_settled(self) -> None:
        """A tracker answered or was lost: perhaps all know all now."""
        if self._unannounced and self._trackers.settled:
            self.settle_due()

    def settle_due(self) -> None:
        """Answer, whether or not some tracker was too slow."""
        for reply in self._unannounced:
            self._turn.add(reply)
        self._unannounced.clear()
        self._turn.timers.clear(("settle",))

    # -- naming items --

    def _item(self, text: str) -> ContentId:
        """The one item whose id is or begins with `text`."""
        if not PREFIX.fullmatch(text):
            raise ShoalError(ERR_USAGE, f"{text[:80]!r} is no id: give 64 hex digits, or 8 or more of its first ones")
        ids = dict.fromkeys([*self._downloads.active, *(known.id for known in self._shelf.all_known())])
        matches = [content for content in ids if content.startswith(text)]
        if not matches:
            raise ShoalError(ERR_NOT_FOUND, f"no item {text} on this peer; `shoal ls` lists what there is")
        if len(matches) > 1:
            raise ShoalError(ERR_USAGE, f"{len(matches)} items begin with {text}; give more digits")
        return matches[0]

    # -- search and get --

    def _get(self, token: Token, message: Get) -> None:
        asked = named(message.content)
        try:
            content = self._item(asked.text)
        except ShoalError as error:
            if error.code != ERR_NOT_FOUND:
                raise
        else:
            self.again.get(token, content, message)
            return
        for hint in asked.hints:
            self._trackers.add(TrackerAddress(*hint))
        self._searching.begin(asked.text, 2, lambda found: self._found(token, message, asked, found), asked.content)

    def _search(self, token: Token, message: SearchContents) -> None:
        def answer(found: list[FoundContent] | ShoalError) -> None:
            if isinstance(found, ShoalError):
                self._fail(token, found)
            else:
                self._reply(token, SearchResults(0, found[: message.limit]))

        self._searching.begin(message.words, message.limit, answer)

    def _found(self, token: Token, get: Get, asked: Named, found: list[FoundContent] | ShoalError) -> None:
        try:
            self._start(token, get, asked, the_one(asked, found))
        except ShoalError as error:
            self._fail(token, error)

    def _start(self, token: Token, get: Get, asked: Named, found: FoundContent) -> None:
        content = found.id
        if content not in self._downloads.active and self._shelf.known(content) is None:
            if len(get.only) > MOST_PATHS:
                raise ShoalError(ERR_LIMIT, f"{len(get.only):,} paths to fetch, the limit is {MOST_PATHS:,}")
            directory = get.directory or self._settings.download_dir
            record = DownloadRecord(
                content, found.name, directory, "", tuple(get.only), asked.hints, False, self._turn.wall_time,
                sequential=get.sequential,
            )  # fmt: skip
            self._library.start_download(record)
        self._reply(token, Done(0, content))

    # -- control --

    def _pause(self, token: Token, text: str, *, paused: bool) -> None:
        content = self._item(text)
        known = self._shelf.known(content)
        if content in self._downloads.active:
            self._pause_download(content, paused=paused)
        elif known is not None and (error := self._shelf.damaged.get(content)):
            self._shelf.set_damaged(replace(known, paused=paused), error)
            self._turn.add(KeepPaused(content, paused))
            if not paused:
                self._turn.add(VerifyData(content))  # perhaps it was put right
        elif known is not None and known.paused != paused:
            if paused:
                self._library.withdraw(content)
            self._library.put_known(replace(known, paused=paused))
            self._turn.add(KeepPaused(content, paused))
        self._reply(token, Done(0, content))

    def _pause_download(self, content: ContentId, *, paused: bool) -> None:
        downloads = self._downloads
        download = downloads.active[content]
        if paused and download.state is DownloadState.FINISHING:
            raise ShoalError(ERR_STATE, f"{download.record.name} is being finished and cannot be paused")
        if paused and download.state is not DownloadState.PAUSED:
            downloads.pause(download)
        elif not paused and (download.record.paused or download.state is DownloadState.FAILED):
            downloads.resume(download)

    def _change_limits(self, token: Token, message: ChangeLimits) -> None:
        content = self._item(message.content) if message.content else ""
        if message.schedule and content:
            raise ShoalError(ERR_USAGE, "a schedule is for the limits of all contents together; name no content")
        if message.schedule:
            self._limiting.reschedule(message.schedule if isinstance(message.schedule, ScheduledLimits) else None)
        self._limiting.change(content, message.up, message.down)
        self._reply(token, self._limiting.answer(content))

    def _change_download(self, token: Token, message: ChangeDownload) -> None:
        content = self._item(message.content)
        download = self._downloads.active.get(content)
        if download is None:
            raise ShoalError(
                ERR_STATE, f"{content} is complete, so there is nothing to fetch first or in order, or to leave out"
            )
        record, level = download.record, message.priority
        if message.paths and not level:
            raise ShoalError(ERR_USAGE, "say which priority these files get: high, normal or low")
        if message.leave_out:
            record = self.again.lessened(download, message.leave_out)
        if message.order:
            record = replace(record, sequential=message.order == "sequential")
        if message.paths and level:
            record = with_level(record, download.layout, message.paths, level)
        elif level:
            record = replace(record, priority=level)
        if record.left_out != download.record.left_out:
            self._downloads.narrow(download, record.left_out)
        self._downloads.change(download, record)
        self._reply(token, Done(0, content))

    def _read_from(self, token: Token, message: Locate) -> None:
        """The shell answers; a download that is read while it runs goes on where it is read."""
        download = self._downloads.active.get(message.content)
        if download is not None:
            download.read_from(message.file, message.offset)

    def _explain(self, token: Token, message: Explain) -> None:
        content = self._item(message.content)
        known = self._shelf.known(content)
        if known is not None:
            self._reply(token, self._explaining.complete(known, self._shelf.damaged.get(content, "")))
        else:
            self._reply(token, self._explaining.answer(self._downloads.active[content]))

    def _show_pieces(self, token: Token, message: ShowPieces) -> None:
        content = self._item(message.content)
        known, download = self._shelf.known(content), self._downloads.active.get(content)
        if known is not None:
            layout, held = known.layout, self._library.chosen(known)[0]
        elif download is not None and download.layout is not None:
            layout, held = download.layout, download.held
        else:
            raise ShoalError(ERR_STATE, f"the chunks of {content} are known when its manifest is here")
        self._reply(token, self._explaining.pieces(content, layout, held))

    def _verify(self, token: Token, text: str) -> None:
        content = self._item(text)
        download = self._downloads.active.get(content)
        if download is None:
            self._turn.add(VerifyData(content))
        elif download.layout is None or download.state in (DownloadState.PREPARING, DownloadState.FINISHING):
            raise ShoalError(ERR_STATE, f"{download.record.name} is {download.state.value}: nothing to verify yet")
        else:
            self._downloads.verify(download)
        self._reply(token, Done(0, content))

    def _unshare(self, token: Token, text: str) -> None:
        content = self._item(text)
        known = self._shelf.known(content)
        if known is None:
            raise ShoalError(ERR_STATE, f"{text} is a running download; use `shoal remove`")
        self._removing.setdefault(content, []).append(token)
        self._library.forget(content, data=False)

    def _remove(self, token: Token, text: str, data: bool) -> None:
        content = self._item(text)
        known = self._shelf.known(content)
        if data and known is not None and not known.downloaded and not known.upload:
            raise ShoalError(
                ERR_STATE, f"{known.path} was not downloaded by Shoal, so its data stays; use remove without --data"
            )
        self._removing.setdefault(content, []).append(token)
        self._library.forget(content, data=data)

    def removed(self, content: ContentId, note: str) -> None:
        """The shell dropped an item; `note` says what it left behind."""
        if record := self.again.removed(content):
            self._library.start_download(record)
        else:
            self._limiting.forget(content)
        for token in self._removing.pop(content, []):
            self._reply(token, Done(0, content, note))
