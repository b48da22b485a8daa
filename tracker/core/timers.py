"""The one timer heap of a tracker node.

Timers are never cancelled: whoever set one looks, when it fires, whether it still means
anything, and sets it again if its time has moved.  So a renewed lease costs no heap
operation, only one when its old end comes.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, TypeVar

T = TypeVar("T")


class Timers:
    """Actions by time, those of equal time in the order in which they were set."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        # The count breaks ties, so actions and subjects are never compared.
        self._heap: list[tuple[float, int, Callable[[Any, float], None], object]] = []
        self._count = 0

    def at(self, when: float, action: Callable[[T, float], None], subject: T) -> None:
        """Call `action(subject, now)` at `when` or soon after."""
        self._count += 1
        heappush(self._heap, (when, self._count, action, subject))

    def next(self) -> float | None:
        """When the first timer fires, or None."""
        return self._heap[0][0] if self._heap else None

    def run(self, now: float) -> None:
        """Fire what is due.  An action must set no timer that is due already."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            _, _, action, subject = heappop(heap)
            action(subject, now)
