"""Rate limits, up and down, of all contents together and of single ones: every bucket of a peer.

A message may go when neither the bucket of its direction nor that of its content is in debt; it
is charged to both.  Uploads are charged when a message is sent (to their content when it is read,
so that one content at its limit holds up no other), downloads when credit is granted.

A bucket is overdrawn by at most one message, so over any stretch of time

    bytes <= rate x (seconds + BURST_SECONDS) + one message

and, while somebody always waits, not less than rate x seconds by more than a message.  Messages
and grants are therefore kept to `step` bytes: with 16 KiB at 64 KiB/s both stay within 5% over 10 s.
"""

from __future__ import annotations

from typing import Final, Literal

from bus.boundary import ContentId
from peer.core.rates import TokenBucket

Direction = Literal["up", "down"]

STEP_LEAST: Final = 16 * 1024
"""Bytes of a message or grant under the lowest limit: smaller ones cost more than they smooth."""
STEP_SECONDS: Final = 0.05
"""Under higher ones, so many seconds of the limit: 20 grants a second are cheap."""


class RateLimits:
    """The limits of one peer; rates in bytes a second, 0 is no limit."""

    __slots__ = ("_all", "_of")

    def __init__(self, up: int, down: int, now: float) -> None:
        self._all: dict[Direction, TokenBucket] = {"up": TokenBucket(up, now), "down": TokenBucket(down, now)}
        self._of: dict[tuple[Direction, ContentId], TokenBucket] = {}

    def set(self, direction: Direction, rate: int, now: float, content: ContentId = "") -> None:
        """Change a limit, of one content or (empty) of all together.

        The new bucket begins empty: a debt made at a higher rate would be silence at a lower one.
        """
        if not content:
            self._all[direction] = TokenBucket(rate, now)
        elif rate:
            self._of[direction, content] = TokenBucket(rate, now)
        else:
            self._of.pop((direction, content), None)

    def limited(self, direction: Direction) -> bool:
        """Whether any limit is set in this direction."""
        return bool(self._all[direction].rate) or (bool(self._of) and any(key[0] == direction for key in self._of))

    def own_rate(self, direction: Direction, content: ContentId = "") -> int:
        """What was set for one content, or (empty) for all together."""
        if not content:
            return self._all[direction].rate
        own = self._of.get((direction, content)) if self._of else None
        return own.rate if own else 0

    def rate_of(self, direction: Direction, content: ContentId = "") -> int:
        """The smallest limit that applies to a content."""
        if not self._of:
            return self._all[direction].rate
        return min((bucket.rate for bucket in self._buckets(direction, content)), default=0)

    def step(self, direction: Direction, content: ContentId = "") -> int:
        """Bytes that one message or grant should have at most while a limit applies."""
        return max(STEP_LEAST, int(self.rate_of(direction, content) * STEP_SECONDS))

    def ready(self, direction: Direction, content: ContentId, now: float) -> bool:
        """Whether a message may go now."""
        if not self._of and not self._all[direction].rate:
            return True
        return all(bucket.ready(now) for bucket in self._buckets(direction, content))

    def ready_at(self, direction: Direction, content: ContentId, now: float) -> float:
        """When the next message may go, if no other goes before."""
        return max((bucket.ready_at(now) for bucket in self._buckets(direction, content)), default=now)

    def take(self, direction: Direction, content: ContentId, size: int, now: float) -> None:
        """Charge `size` bytes; less than 0 gives back what was charged and never came."""
        if not self._of and not self._all[direction].rate:
            return
        for bucket in self._buckets(direction, content):
            bucket.take(size, now)

    # A content's own limit alone, where contents share a stream.

    @property
    def of_contents(self) -> bool:
        """Whether any content has a limit of its own."""
        return bool(self._of)

    def own_ready_at(self, direction: Direction, content: ContentId, now: float) -> float:
        """When a content's own limit lets its next message go; `now` or less if it does already."""
        own = self._of.get((direction, content))
        return own.ready_at(now) if own else now

    def take_own(self, direction: Direction, content: ContentId, size: int, now: float) -> None:
        """Charge `size` bytes to a content's own limit only."""
        if self._of and (own := self._of.get((direction, content))):
            own.take(size, now)

    def _buckets(self, direction: Direction, content: ContentId) -> list[TokenBucket]:
        """Those that limit a content."""
        found = [self._all[direction]] if self._all[direction].rate else []
        if content and (own := self._of.get((direction, content))):
            found.append(own)
        return found
