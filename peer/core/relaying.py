"""Who passes on what a lone seed gave to it alone.

While a seed super-seeds, most of what it sends has nobody but one leecher.  Announced by another, it was passed on:
whoever claims a chunk that it lacks gets it from us no more.  Nobody can repay a seed, and this is what a seed can
know of who would.

    alone --announced by another--> passed on
      |__ too long, or sent to another by us__> kept

Who has `MOST` of them and never passed one on keeps all.  Source: BEP 16, which offers nothing more to such a one.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from bus.boundary import LinkId

MOST: Final = 2
"""Chunks that one may have been given and not have passed on yet,"""
LEEWAY: Final = 2
"""and so many more for each that it did pass on: news of that come late."""


class _Given(Struct):
    """What one leecher had from us."""

    ours: int = 0
    """Chunks that we sent it (bitmask): that it announces them says nothing of others."""
    alone: int = 0
    """Those that it alone has, as far as was heard."""
    kept: int = 0
    """Count of those that it did not pass on before we sent them to another."""
    passed: int = 0
    """Count of those that it did pass on."""
    late_at: float = 0.0
    """When it had time enough for the newest."""

    @property
    def keeps_all(self) -> bool:
        return self.alone.bit_count() + self.kept >= MOST + LEEWAY * self.passed


class Relays:
    """One content's leechers, by link."""

    __slots__ = ("_given",)

    def __init__(self) -> None:
        self._given: dict[LinkId, _Given] = {}

    def sent(self, link: LinkId, chunks: int) -> None:
        """A leecher was sent chunks: who had one of them alone passes it on no more."""
        for holder, given in self._given.items():
            if holder != link and (kept := given.alone & chunks):
                given.kept += kept.bit_count()
                given.alone &= ~kept
        self._given.setdefault(link, _Given()).ours |= chunks

    def alone(self, link: LinkId, chunks: int, late_at: float) -> None:
        """Nobody else has these chunks that it was sent; it should have passed them on at `late_at`."""
        given = self._given[link]
        given.alone |= chunks
        given.late_at = late_at

    def heard(self, link: LinkId, mask: int) -> int:
        """A leecher announced all this; returns what of it is not from us."""
        own = self._given.get(link)
        others = mask & ~own.ours if own else mask
        for given in self._given.values():
            if passed := given.alone & others:
                given.passed += passed.bit_count()
                given.alone &= ~passed
        return others

    def keeps_all(self, link: LinkId) -> bool:
        """Whether a leecher passes on nothing, or hardly anything."""
        given = self._given.get(link)
        return given is not None and given.keeps_all

    def late(self, now: float) -> int:
        """Chunks that nobody has but leechers that keep all; each is returned once."""
        lost = 0
        for given in self._given.values():
            if given.alone and now >= given.late_at and given.keeps_all:
                lost |= given.alone
                given.kept += given.alone.bit_count()
                given.alone = 0
        return lost

    def gone(self, link: LinkId) -> int:
        """A leecher is gone; returns what it alone had."""
        given = self._given.pop(link, None)
        return given.alone if given else 0
