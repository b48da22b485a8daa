"""Which chunk to ask a source for next.

Availability is kept bit-sliced: `levels[a]` is the mask of chunks that exactly `a` of the
sources with incomplete have-maps offer.  Adding or removing a whole have-map is one pass over
the levels, and the rarest chunks a source has are the first non-empty AND: no loop over chunks.
Complete have-maps (seeds) raise every chunk alike, so they are not counted.

Source: rarest first with random ties, Cohen 2003; Legout et al. 2006.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from typing import Final

from peer.core.bitmap import random_chunk


class Availability:
    """How many sources with incomplete have-maps offer each chunk."""

    __slots__ = ("levels",)

    def __init__(self, chunks: int) -> None:
        self.levels = [(1 << chunks) - 1]

    def add(self, mask: int) -> None:
        """One more source offers these chunks."""
        if not mask:
            return
        self.levels.append(0)
        for level in range(len(self.levels) - 2, -1, -1):
            moved = self.levels[level] & mask
            self.levels[level] ^= moved
            self.levels[level + 1] |= moved
        if not self.levels[-1]:
            self.levels.pop()

    def remove(self, mask: int) -> None:
        """One source less offers these chunks."""
        if not mask:
            return
        for level in range(1, len(self.levels)):
            moved = self.levels[level] & mask
            self.levels[level] ^= moved
            self.levels[level - 1] |= moved
        while len(self.levels) > 1 and not self.levels[-1]:
            self.levels.pop()

    def of(self, chunk: int) -> int:
        """Sources counted for one chunk."""
        return next(level for level, mask in enumerate(self.levels) if mask >> chunk & 1)


class Picker(ABC):
    """A picking order."""

    @abstractmethod
    def pick(self, candidates: int, availability: Availability, rng: random.Random) -> int:
        """A chunk of `candidates`, which is not empty."""


class RarestFirst(Picker):
    """The chunk fewest others have; ties are random, so that peers do not all fetch the same one."""

    def pick(self, candidates: int, availability: Availability, rng: random.Random) -> int:
        for mask in availability.levels:
            if rare := mask & candidates:
                return random_chunk(rare, rng)
        raise ValueError("no candidate chunk lies in the availability map")


class RandomOrder(Picker):
    """Any chunk."""

    def pick(self, candidates: int, availability: Availability, rng: random.Random) -> int:
        return random_chunk(candidates, rng)


class Sequential(Picker):
    """The lowest chunk, for playing while downloading."""

    def pick(self, candidates: int, availability: Availability, rng: random.Random) -> int:
        return (candidates & -candidates).bit_length() - 1


PICKERS: Final[dict[str, type[Picker]]] = {
    "rarest-first": RarestFirst,
    "random": RandomOrder,
    "sequential": Sequential,
}
