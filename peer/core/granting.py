"""Credit towards sources under the download limits: who may send how much more, and when.

Without a limit a source gets all the credit its window has room for.  Under one, credit is
granted in small steps, each charged when it is granted, and the sources that wait for more take
turns.  Credit not yet used is kept under half a second of the limit, so that a source that
grants nothing for it takes little away from the others.

A stream carries several contents, in the order they were asked for, so a grant is charged to the
content whose bytes come next.  A content at its limit holds back its stream only while nothing else
is wanted on it; else its bucket is overdrawn by what was asked for, and no more is asked for.
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
        if source.window.next_limit(source.unreceived) is None:
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
            content, alone = source.next_content()
            charged = content if alone else ""
            if not self._limits.ready("down", charged, self._turn.now):
                self._turn.timers.set_earlier(("credit",), self._limits.ready_at("down", charged, self._turn.now))
                continue
            del self._waiting[link]
            if self._grant(source, content):
                self._waiting[link] = True
                self._turn.timers.set_earlier(("credit",), self._limits.ready_at("down", charged, self._turn.now))

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
        if window.limit == window.received:
            source.moved_at = self._turn.now  # It could not send before: its time starts now.
        window.announce(limit)
        self._turn.send(source.link, Credit(source.stream, limit, window.consumed))
        return limit < whole

    def give_back(self, source: Source) -> None:
        """The uploader ended a stream: what it did not use of its credit never comes."""
        unused = source.window.limit - source.window.received
        if unused > 0 and source.asked:
            content = next(iter(source.asked.values())).content
            self._limits.take("down", content, -unused, self._turn.now)
