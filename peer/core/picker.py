"""Which chunk to ask a source for next.

Availability is kept bit-sliced: bit c of `planes[k]` is bit k of how many of the sources with
incomplete have-maps offer chunk c.  Adding or removing a whole have-map is one binary addition of
all counters at once, and the rarest chunks a source has are found from the highest plane down: no
loop over chunks, and steps that grow with the logarithm of the sources.
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

    __slots__ = ("_all", "planes")

    def __init__(self, chunks: int) -> None:
        self._all = (1 << chunks) - 1
        self.planes: list[int] = []

    def add(self, mask: int) -> None:
        """One more source offers these chunks."""
        mask &= self._all
        planes = self.planes
        for place, plane in enumerate(planes):
            if not mask:
                return
            planes[place] = plane ^ mask
            mask &= plane
        if mask:
            planes.append(mask)

    def remove(self, mask: int) -> None:
        """One source less offers these chunks, all of which were counted before."""
        mask &= self._all
        planes = self.planes
        for place, plane in enumerate(planes):
            if not mask:
                break
            planes[place] = plane ^ mask
            mask &= ~plane
        while planes and not planes[-1]:
            planes.pop()

    def of(self, chunk: int) -> int:
        """Sources counted for one chunk."""
        return sum((plane >> chunk & 1) << place for place, plane in enumerate(self.planes))

    def fewest(self, chunks: range) -> int:
        """Sources counted for the one of these chunks, which are at least one, that the fewest offer."""
        left, number = (1 << len(chunks)) - 1, 0
        for place in range(len(self.planes) - 1, -1, -1):
            if rare := left & ~(self.planes[place] >> chunks.start):
                left = rare
            else:
                number |= 1 << place
        return number

    def rarest(self, candidates: int) -> int:
        """Those of `candidates` that the fewest sources offer."""
        for plane in reversed(self.planes):
            if rare := candidates & ~plane:
                candidates = rare
        return candidates


class Picker(ABC):
    """A picking order."""

    @abstractmethod
    def pick(self, candidates: int, availability: Availability, rng: random.Random) -> int:
        """A chunk of `candidates`, which is not empty."""


class RarestFirst(Picker):
    """The chunk fewest others have; ties are random, so that peers do not all fetch the same one."""

    def pick(self, candidates: int, availability: Availability, rng: random.Random) -> int:
        if not candidates:
            raise ValueError("no candidate chunk to pick")
        return random_chunk(availability.rarest(candidates), rng)


class RandomOrder(Picker):
    """Any chunk."""

    def pick(self, candidates: int, availability: Availability, rng: random.Random) -> int:
        return random_chunk(candidates, rng)


class Sequential(Picker):
    """The lowest chunk, for playing while downloading."""

    def pick(self, candidates: int, availability: Availability, rng: random.Random) -> int:
        return (candidates & -candidates).bit_length() - 1


SEQUENTIAL: Final = Sequential()

PICKERS: Final[dict[str, type[Picker]]] = {
    "rarest-first": RarestFirst,
    "random": RandomOrder,
    "sequential": Sequential,
}
