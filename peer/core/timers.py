"""The one timer heap of a core: named deadlines that can be moved and cleared."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count

Key = tuple[object, ...]


class Timers:
    """Deadlines by key.  Setting a key again moves it; stale heap entries are skipped."""

    __slots__ = ("_due", "_earliest", "_heap", "_moved", "_order")

    def __init__(self) -> None:
        self._due: dict[Key, tuple[float, int, Key]] = {}
        """The entry of the heap that counts for each key."""
        self._heap: list[tuple[float, int, Key]] = []
        self._order = count()
        self._earliest: float | None = None
        self._moved = False
        """Something changed since the earliest was looked for, as it is after every event."""

    def set(self, key: Key, at: float) -> None:
        """Make `key` fire at `at`, whatever was set before."""
        entry = self._due[key] = (at, next(self._order), key)
        heappush(self._heap, entry)
        self._moved = True

    def set_earlier(self, key: Key, at: float) -> None:
        """Make `key` fire at `at` unless it is due sooner already."""
        known = self._due.get(key)
        if known is None or at < known[0]:
            self.set(key, at)

    def clear(self, key: Key) -> None:
        """Forget `key`; nothing happens if it was not set."""
        self._due.pop(key, None)
        self._moved = True

    def next(self) -> float | None:
        """The earliest deadline."""
        if self._moved:
            heap, due = self._heap, self._due
            while heap and due.get(heap[0][2]) is not heap[0]:
                heappop(heap)
            self._earliest = heap[0][0] if heap else None
            self._moved = False
        return self._earliest

    def pop_due(self, now: float) -> Iterator[Key]:
        """The keys that are due, each cleared before it is given out."""
        while (at := self.next()) is not None and at <= now:
            key = heappop(self._heap)[2]
            del self._due[key]
            self._moved = True
            yield key
