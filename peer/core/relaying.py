"""Who passes on what a lone seed gave to it alone.

While a seed super-seeds, most of what it sends has nobody but one leecher.  Announced by another, it was passed on:
whoever claims a chunk that it lacks gets it from us no more.  Nobody can repay a seed, and this is what a seed can
know of who would.

Who never passed on anything, though it was given something twice and had time enough for the first, keeps all.
Source: BEP 16, which offers nothing more to who has not passed on the last.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from bus.boundary import LinkId

GIFTS: Final = 2
"""Times that one was given chunks that nobody else had, before it may be said to keep them."""


class _Given(Struct):
    """What one leecher had from us."""

    ours: int = 0
    """Chunks that we sent it (bitmask): that it announces them says nothing of others."""
    alone: int = 0
    """Those that it alone has, as far as was heard."""
    lost: int = 0
    """Those of them that are to be had from it no more, as far as we can tell."""
    gifts: int = 0
    """How often it was given such ones."""
    passed: bool = False
    """It passed on something, once."""
    late_at: float = 0.0
    """When it had time enough for the first."""

    def keeps_all(self, now: float) -> bool:
        return not self.passed and self.gifts >= GIFTS and now >= self.late_at


class Relays:
    """One content's leechers, by link."""

    __slots__ = ("_given",)

    def __init__(self) -> None:
        self._given: dict[LinkId, _Given] = {}

    def sent(self, link: LinkId, chunks: int) -> None:
        """A leecher was sent chunks: that it announces them says nothing of who had them alone."""
        for given in self._given.values():
            given.alone &= ~chunks
        self._given.setdefault(link, _Given()).ours |= chunks

    def gave(self, link: LinkId, chunks: int, late_at: float) -> None:
        """Nobody else has these chunks that it was sent; it should have passed on some at `late_at`."""
        given = self._given[link]
        given.alone |= chunks
        given.gifts += 1
        given.late_at = given.late_at or late_at

    def heard(self, link: LinkId, mask: int) -> int:
        """A leecher announced all this; returns what of it is not from us."""
        own = self._given.get(link)
        others = mask & ~own.ours if own else mask
        for given in self._given.values():
            if passed := given.alone & others:
                given.passed = True
                given.alone &= ~passed
        return others

    def keeps_all(self, link: LinkId, now: float) -> bool:
        """Whether a leecher passes on nothing of what it alone is given."""
        given = self._given.get(link)
        return given is not None and given.keeps_all(now)

    def passes_on(self, link: LinkId) -> bool:
        """Whether a leecher passed on something that it alone was given."""
        given = self._given.get(link)
        return given is not None and given.passed

    def lost(self, now: float) -> int:
        """Chunks that nobody has but leechers that keep all; each is returned once."""
        lost = 0
        for given in self._given.values():
            if given.alone & ~given.lost and given.keeps_all(now):
                lost |= given.alone & ~given.lost
                given.lost |= given.alone
        return lost

    def gone(self, link: LinkId) -> int:
        """A leecher is gone; returns what it alone had."""
        given = self._given.pop(link, None)
        return given.alone if given else 0
