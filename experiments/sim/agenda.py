"""What is to happen in the simulated world, in the order of time.

One heap of all of it would be as deep as the world is large, and each look at it a walk through cold memory.  So time
is cut into slices: what belongs to a later slice is only put aside, and a heap has what belongs to the one that runs.
The order is that of one heap.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final

SLICES: Final = 2048
"""In a second: a thousand peers make about 80 events in each."""

Entry = tuple[float, int, Callable[..., None], tuple[Any, ...]]
"""(when, order, call, arguments): what is due at one time happens in the order in which it was added."""


class Agenda:
    """Calls and their times."""

    __slots__ = ("_later", "_order", "_running", "_slices", "now_due")

    def __init__(self) -> None:
        self.now_due: list[Entry] = []
        """Heap of what belongs to the slice that runs; `next_slice` replaces it."""
        self._running = -1
        """Number of that slice."""
        self._later: dict[int, list[Entry]] = {}
        self._slices: list[int] = []
        """Heap of the numbers of later slices that have something."""
        self._order = count()

    def add(self, when: float, call: Callable[..., None], args: tuple[Any, ...]) -> None:
        """Let `call(*args)` happen at `when`, seconds."""
        entry = (when, next(self._order), call, args)
        number = int(when * SLICES)
        if number <= self._running:
            heappush(self.now_due, entry)
        elif (slice_ := self._later.get(number)) is not None:
            slice_.append(entry)
        else:
            self._later[number] = [entry]
            heappush(self._slices, number)

    def next_slice(self) -> bool:
        """Go on to the next slice that has something; False if nothing is to happen any more."""
        if not self._slices:
            return False
        self._running = heappop(self._slices)
        self.now_due = self._later.pop(self._running)
        self.now_due.sort()  # A sorted list is a heap.
        return True
