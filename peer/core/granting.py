"""Credit towards sources under the download limits: who may send how much more, and when.

Without a limit a source gets all the credit its window has room for.  Under one, credit is
granted in small steps, each charged when it is granted, and the sources that wait for more take
turns.  Credit not yet used is kept under half a second of the limit, so that a source that
grants nothing for it takes little away from the others.

A stream carries several contents, in the order they were asked for, and credit says nothing of which.
So a content's own limit holds back the credit of a stream only while nothing else is wanted on it, and
grants are charged to it as they are made.  Beside other contents' its chunks are charged when they are
asked for, and not asked for while it is in debt: its rate is the same, only by whole chunks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bus.boundary import ContentId, LinkId
from bus.messages import Credit
from peer.core.limits import RateLimits
from peer.core.source import Source, SourceState
from peer.core.turn import Turn

UNUSED_SECONDS: Final = 0.5
"""Of the limit: credit that one source may have and not use.  Covers the round trips of the Internet."""


class Granting:
    """Announces how far sources may send."""

    def __init__(self, turn: Turn, limits: RateLimits, source_of: Callable[[LinkId], Source | None]) -> None:
        self._turn = turn
        self._limits = limits
        self._source_of = source_of
        self._waiting: dict[LinkId, bool] = {}
        """Sources that the limits keep from more credit; who got some goes to the end of the line."""

    def ask(self, source: Source) -> None:
        """A source could use more credit, perhaps."""
        limit = source.window.next_limit(source.unreceived)
        if limit is None:
            return
        if not self._limits.limited("down"):
            self._announce(source, limit)
            return
        self._waiting.setdefault(source.link, True)
        self.due()

    def due(self) -> None:
        """Grant what the limits allow by now."""
        for link in list(self._waiting):
            source = self._source_of(link)
            if source is None or source.state is not SourceState.OPEN:
                del self._waiting[link]
                continue
            asked = source.next_to_cover()
            content = asked.content if asked and not asked.paid else ""
            waits_for = content if source.wants_only(content) else ""
            if self._limits.ready("down", waits_for, self._turn.now):
                del self._waiting[link]
                if not self._grant(source, content):
                    continue
                self._waiting[link] = True
            at = self._limits.ready_at("down", waits_for, self._turn.now)
            self._turn.timers.set_earlier(("credit",), at)

    def _grant(self, source: Source, content: ContentId) -> bool:
        """Announce a new limit; True if the source could use more than that."""
        window = source.window
        whole = window.next_limit(source.unreceived)
        if whole is None:
            return False
        limit = whole
        if rate := self._limits.rate_of("down", content):
            step = self._limits.step("down", content)
            if window.limit - window.received >= max(2 * step, int(rate * UNUSED_SECONDS)):
                return False  # It is asked for again when bytes come.
            limit = min(whole, window.limit + step)
            self._limits.take("down", content, limit - window.limit, self._turn.now)
        self._announce(source, limit)
        return limit < whole

    def _announce(self, source: Source, limit: int) -> None:
        window = source.window
        if window.limit == window.received:
            source.moved_at = self._turn.now  # It could not send before: its time starts now.
        window.announce(limit)
        self._turn.send(source.link, Credit(source.stream, limit, window.consumed))

    def repeat(self, source: Source) -> None:
        """Nothing came for a while of what has credit: say it again, for it may be that the credit did not arrive."""
        self._turn.send(source.link, Credit(source.stream, source.window.limit, source.window.consumed))

    # -- a content's own limit, on a stream that carries others too --

    def holds_back(self, source: Source, content: ContentId) -> bool:
        """Whether a content's own limit forbids to ask more of a source now."""
        rate = self._limits.own_rate("down", content)
        if not rate:
            return False
        if source.wants_only(content):
            most = max(2 * self._limits.step("down", content), int(rate * UNUSED_SECONDS))
            return source.unreceived >= most
        at = self._limits.own_ready_at("down", content, self._turn.now)
        if at <= self._turn.now:
            return False
        self._turn.timers.set_earlier(("ask",), at)
        return True

    def asked(self, source: Source, want: int) -> None:
        """Chunks were asked for: beside other contents' they are charged now, whenever they come."""
        asked = source.asked[want]
        if self._limits.own_rate("down", asked.content) and not source.wants_only(asked.content):
            asked.paid = True
            self._limits.take_own("down", asked.content, asked.unreceived, self._turn.now)

    def is_held_back(self, link: LinkId) -> bool:
        """Whether a source waits for credit that the limits do not let it have yet."""
        return link in self._waiting

    def give_back(self, source: Source) -> None:
        """The uploader ended a stream: what it did not use of its credit never comes."""
        unused = source.window.limit - source.window.received
        if unused > 0 and source.asked:
            asked = next(iter(source.asked.values()))
            self._limits.take("down", "" if asked.paid else asked.content, -unused, self._turn.now)

    def refund(self, content: ContentId, size: int) -> None:
        """Bytes that were charged when they were asked for will not come."""
        self._limits.take_own("down", content, -size, self._turn.now)
