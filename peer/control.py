"""The control socket's requests: what the shell answers itself, and what it passes to the core.

SharePath          hashed in a thread; progress is sent while it runs
Snapshot           from the publisher's own fold of its events
ListFiles          from the storage's layouts; of what is not here a Command for the core
Locate             from the storage's layouts; the core is told where somebody reads
ListHeld           from the storage
ExplainReputation  from the reputation store
everything else    a Command for the core
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from bus.boundary import LinkId, Misbehaved, Received, Send
from bus.errors import ERR_NOT_FOUND, ERR_USAGE, ShoalError
from bus.events import ContentHashed, ContentHashing
from bus.messages import (
    ControlFailed,
    ControlPing,
    Done,
    ExplainReputation,
    ListFiles,
    ListHeld,
    Locate,
    Message,
    Progress,
    ReputationExplained,
    Shared,
    SharePath,
    Snapshot,
)
from bus.publisher import PeerPublisher
from bus.reactor import Reactor
from peer.core.interface import Command, Reply, ReplyWhenAnnounced, Token
from peer.core.previews import files_page
from peer.core.sharelink import ShareLink, TrackerHint, format_link
from peer.core.standing import NEUTRAL
from peer.reputation_store import ReputationStore
from peer.sharing import Hashed
from peer.storage import Hashing, Storage

log = logging.getLogger(__name__)

WAITS_AFTER: Final = 0.25
"""Seconds after which a share that was not begun to be hashed is said to wait for its turn."""
WAITS_STILL: Final = 5.0
"""Seconds after which that is said again: whoever asked for it must not give us up."""
MOST_SKIPPED: Final = 100
"""Lines of one answer about what was not shared."""


class Control:
    """Answers requests of the command line and the gateway.  Runs in the reactor's thread."""

    def __init__(
        self,
        reactor: Reactor,
        storage: Storage,
        publisher: PeerPublisher,
        reputation: ReputationStore,
        trackers: tuple[TrackerHint, ...],
        send: Callable[[Send], object],
        feed: Callable[[Command | ReplyWhenAnnounced], object],
    ) -> None:
        self._reactor = reactor
        self._storage = storage
        self._publisher = publisher
        self._reputation = reputation
        self._trackers = trackers
        self._send = send
        self._feed = feed
        self._unbegun: dict[Token, bool] = {}
        """Shares whose turn to be hashed has not come."""

    def received(self, event: Received) -> None:
        """Take in a request."""
        message = event.message
        token: Token = (event.link, getattr(message, "request", 0))
        try:
            match message:
                case ControlPing():
                    self.reply(Reply(token, Done(0)))
                case Snapshot():
                    self.reply(Reply(token, self._publisher.answer(message)))
                case SharePath():
                    self._share(token, message)
                case ListFiles():
                    self._files(token, message)
                case ListHeld():
                    self.reply(Reply(token, self._storage.held(message)))
                case Locate():
                    located = self._storage.locate(message)
                    self._feed(Command(token, replace(message, content=located.content, file=located.file)))
                    self.reply(Reply(token, located))
                case ExplainReputation():
                    self._explain(token, message)
                case _:
                    self._feed(Command(token, message))
        except ShoalError as error:
            self._fail(token, error)

    def not_understood(self, event: Misbehaved) -> None:
        """A message that is no request: whoever sent it must not wait for an answer."""
        log.warning("a control message was not understood: %s", event.reason)
        self._send(Send(event.link, ControlFailed(0, ERR_USAGE, f"the request is not understood: {event.reason}")))

    def reply(self, reply: Reply) -> None:
        """Send an answer; only here does it get its request id."""
        link, request = reply.token
        self._send(Send(LinkId(link), _with_request(reply.message, request)))

    def kept(self, reply: Reply, error: ShoalError | None) -> None:
        """Send an answer to what was kept, or could not be."""
        if error is None:
            self.reply(reply)
        else:
            self._fail(reply.token, error)

    def _fail(self, token: Token, error: ShoalError) -> None:
        self.reply(Reply(token, ControlFailed(0, error.code, error.message)))

    # -- share --

    def _share(self, token: Token, message: SharePath) -> None:
        began = self._reactor.now

        def progress(hashing: Hashing) -> None:
            self._unbegun.pop(token, None)
            self._publisher.publish(
                ContentHashing(
                    message.path,
                    hashing.name,
                    hashing.bytes_done,
                    hashing.size,
                    hashing.files_done,
                    hashing.files,
                )
            )
            self.reply(Reply(token, Progress(0, hashing.bytes_done, hashing.size, hashing.files_done, hashing.files)))

        def done(hashed: Hashed | ShoalError) -> None:
            self._unbegun.pop(token, None)
            if isinstance(hashed, ShoalError):
                self._publisher.publish(ContentHashed(message.path, hashed.message))
                self._fail(token, hashed)
            else:
                self._publisher.publish(ContentHashed(message.path, ""))
                shared = self._shared(hashed, self._reactor.now - began)
                self._feed(ReplyWhenAnnounced(token, shared))

        self._unbegun[token] = True
        self._reactor.call_later(WAITS_AFTER, lambda: self._wait(token, message))
        self._storage.share(
            message.path,
            message.name,
            message.upload,
            lambda hashing: self._reactor.post(lambda: progress(hashing)),
            lambda hashed: self._reactor.post(lambda: done(hashed)),
        )

    def _wait(self, token: Token, message: SharePath) -> None:
        """Tell that a share waits for its turn, as long as it does."""
        if token in self._unbegun:
            name = message.name or message.path.rpartition("/")[2]
            self._publisher.publish(ContentHashing(message.path, name, 0, 0, 0, 0, waiting=True))
            self.reply(Reply(token, Progress(0, 0, 0)))
            self._reactor.call_later(WAITS_STILL, lambda: self._wait(token, message))

    def _shared(self, hashed: Hashed, seconds: float) -> Shared:
        content, layout = hashed.content, hashed.content.layout
        return Shared(
            request=0,
            id=content.id,
            name=content.name,
            kind=layout.kind,
            size=layout.size,
            files=sum(1 for entry in layout.entries if not entry.directory),
            chunks=layout.chunks,
            seconds=round(seconds, 3),
            link=format_link(ShareLink(content.id, content.name, self._trackers)),
            skipped=shown_skipped(hashed.skipped),
            hashed_files=hashed.hashed_files,
            hashed_bytes=hashed.hashed_bytes,
        )

    # -- looking --

    def _files(self, token: Token, message: ListFiles) -> None:
        found = self._storage.find(message.content)
        if found is None:
            self._feed(Command(token, message))  # perhaps it can be fetched
        else:
            content, name, layout = found
            self.reply(Reply(token, files_page(content, name, layout, message.first)))

    def _explain(self, token: Token, message: ExplainReputation) -> None:
        peers = [peer for peer in self._reputation.peers() if peer.startswith(message.peer)]
        if len(peers) != 1 or len(message.peer) < 8:
            raise ShoalError(
                ERR_NOT_FOUND,
                f"{len(peers)} known peers begin with {message.peer}; `shoal reputation` lists them, 8 digits at least",
            )

        def answer(events: object) -> None:
            kept = list(events)  # type: ignore[call-overload]
            score = kept[-1].score if kept else NEUTRAL
            verdict = self._reputation.verdict(peers[0])
            self.reply(Reply(token, ReputationExplained(0, peers[0], score, kept[-2000:], verdict)))

        self._reputation.explain(peers[0], lambda events: self._reactor.post(lambda: answer(events)))


def shown_skipped(skipped: tuple[str, ...]) -> list[str]:
    """What was left out, and in the last line how many more."""
    if len(skipped) <= MOST_SKIPPED:
        return list(skipped)
    kept = MOST_SKIPPED - 1
    return [*skipped[:kept], f"{len(skipped) - kept:,} more, left out for such reasons"]


def _with_request(message: Message, request: int) -> Message:
    return replace(message, request=request)
