"""Whose bytes go out next: deficit round robin over the open streams, by weight.

A stream's turn gives it `QUANTUM` x weight bytes of deficit.  It sends until that is spent and
the chunk it is in the middle of is whole: half chunks spread over many peers help nobody, for a
peer serves a chunk only once it is complete.  What a whole chunk overdraws is owed in later turns,
so shares converge to the weights whatever the chunk sizes.

Newcomers, peers that never sent us anything, weigh together `NEWCOMER_SHARE` of what goes out
while known peers ask too, and never less; among themselves all weigh the same.  So do free riders, with
`FREE_RIDER_SHARE` while anybody else asks; that is taken from the newcomers' part.

Source: Shreedhar and Varghese, Efficient Fair Queuing using Deficit Round Robin, 1995.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Final

from msgspec import Struct

from bus.boundary import LinkId
from peer.core.footing import Footing

QUANTUM: Final = 256 * 1024
"""Bytes of one turn at weight 1: about a chunk of a small file."""
NEWCOMER_SHARE: Final = 0.15
"""Of the upload, for all newcomers together, free riders included, while known peers ask."""
FREE_RIDER_SHARE: Final = 0.01
"""Of the upload, for all free riders together while others ask: a wrong verdict must not starve anybody."""


class _Stream(Struct):
    weight: float
    footing: Footing
    deficit: int = 0
    """Bytes it may send in this turn; below 0 what it sent too much."""


class FairQueue:
    """The order of turns."""

    __slots__ = ("_ahead", "_streams")

    def __init__(self) -> None:
        self._streams: dict[LinkId, _Stream] = {}
        """In the order of their turns: the first is the one whose turn it is."""
        self._ahead: dict[LinkId, bool] = {}
        """Streams that go before all others, the last one first: in the middle of a chunk, or put there."""

    def add(self, link: LinkId, weight: float, footing: Footing) -> None:
        """A stream was opened; `weight` is above 0, and counts for known peers only."""
        self._streams[link] = _Stream(weight, footing)

    def remove(self, link: LinkId) -> None:
        """A stream ended."""
        self._streams.pop(link, None)
        self._ahead.pop(link, None)

    def weigh(self, link: LinkId, weight: float, footing: Footing) -> None:
        """A peer's standing changed."""
        if stream := self._streams.get(link):
            stream.weight, stream.footing = weight, footing
            if footing is Footing.FREE_RIDER:
                self._ahead.pop(link, None)

    def put_first(self, link: LinkId) -> None:
        """What this stream sends next holds up all that its peer could do: it goes before everything else.

        It pays for it as for all else.  Free riders wait their turn.
        """
        if self._streams[link].footing is not Footing.FREE_RIDER:
            self._ahead[link] = True

    def next(self, ready: Callable[[LinkId], bool]) -> LinkId | None:
        """The stream that sends next, of those that are ready; None if none is."""
        if len(self._streams) == 1:
            (link,) = self._streams
            return link if ready(link) else None
        # Streams that waited in the middle of a chunk go on one by one, and before any begins another.
        for link in reversed(self._ahead):
            if ready(link):
                return link
        asking: list[LinkId] = []
        for link, stream in self._streams.items():
            if ready(link):
                if stream.deficit > 0:
                    return link
                asking.append(link)
        if asking:
            self._next_round(asking)
        return next((link for link in asking if self._streams[link].deficit > 0), None)

    def take_turn(self, link: LinkId) -> None:
        """Nobody else is ready, so it is this stream's turn; what it owes for it is as if `next` had said so."""
        if len(self._streams) > 1 and link not in self._ahead and self._streams[link].deficit <= 0:
            self._next_round([link])

    def _next_round(self, asking: list[LinkId]) -> None:
        """Everyone's turn is over: hand out as many rounds as it takes until somebody may send."""
        streams = [self._streams[link] for link in asking]
        each = _weights(streams)
        # Whole bytes: a fraction lost to rounding would leave everybody at 0, and nobody would send.
        grants = [ceil(QUANTUM * each.get(stream.footing, stream.weight)) for stream in streams]
        rounds = min(-stream.deficit // grant for stream, grant in zip(streams, grants, strict=True)) + 1
        for stream, grant in zip(streams, grants, strict=True):
            stream.deficit += rounds * grant

    def charge(self, link: LinkId, size: int, whole: bool) -> None:
        """A stream sent `size` bytes; `whole`: they end a chunk."""
        stream = self._streams[link]
        if len(self._streams) > 1:
            stream.deficit -= size
        self._ahead.pop(link, None)
        # A free rider passes nothing on, whole or not: it gets the gaps, and nobody waits until its chunk is through.
        if not whole and stream.footing is not Footing.FREE_RIDER:
            self._ahead[link] = True
        elif stream.deficit <= 0:
            # Its turn is over: to the end of the line.
            self._streams[link] = self._streams.pop(link)


def _weights(streams: list[_Stream]) -> dict[Footing, float]:
    """What each stream weighs that is on this footing; a known peer weighs what it weighs."""
    known = sum(stream.weight for stream in streams if stream.footing is Footing.KNOWN)
    newcomers = sum(stream.footing is Footing.NEWCOMER for stream in streams)
    riders = sum(stream.footing is Footing.FREE_RIDER for stream in streams)
    little = FREE_RIDER_SHARE if riders else 0.0
    some = NEWCOMER_SHARE - little if newcomers else 0.0
    if known:
        whole = known / (1 - some - little)
        newcomer = whole * some / max(1, newcomers)
    else:
        whole = newcomers / (1 - little) or riders / little
        newcomer = 1.0
    return {Footing.NEWCOMER: newcomer, Footing.FREE_RIDER: whole * little / max(1, riders)}
