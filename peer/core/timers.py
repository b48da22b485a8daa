"""The one timer heap of a core: named deadlines that can be moved and cleared."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count

Key = tuple[object, ...]


class Timers:
    """Deadlines by key.  Setting a key again moves it; stale heap entries are skipped."""

    __slots__ = ("_due", "_heap", "_order")

    def __init__(self) -> None:
        self._due: dict[Key, tuple[float, int, Key]] = {}
        """The entry of the heap that counts for each key."""
        self._heap: list[tuple[float, int, Key]] = []
        self._order = count()

    def set(self, key: Key, at: float) -> None:
        """Make `key` fire at `at`, whatever was set before."""
        entry = self._due[key] = (at, next(self._order), key)
        heappush(self._heap, entry)

    def set_earlier(self, key: Key, at: float) -> None:
        """Make `key` fire at `at` unless it is due sooner already."""
        known = self._due.get(key)
        if known is None or at < known[0]:
            self.set(key, at)

    def clear(self, key: Key) -> None:
        """Forget `key`; nothing happens if it was not set."""
        self._due.pop(key, None)

    def next(self) -> float | None:
        """The earliest deadline."""
        heap, due = self._heap, self._due
        while heap:
            first = heap[0]
            if due.get(first[2]) is first:
                return first[0]
            heappop(heap)
        return None

    def pop_due(self, now: float) -> Iterator[Key]:
        """The keys that are due, each cleared before it is given out."""
        while (at := self.next()) is not None and at <= now:
            key = heappop(self._heap)[2]
            del self._due[key]
            yield key
