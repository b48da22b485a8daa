"""Rates over time: of this peer, and of each content that moved lately, over three spans, in bounded memory.

Samples come about twice a second.  A span is cut into `POINTS` slots; a slot holds the sum of its samples, and the mean
is that sum by how many samples there were.  What does not move costs nothing: its slots are empty, which is 0 where
anything was sampled at all, and unknown where nothing was.

Invariant: whatever the samples were, there are at most `MOST_CONTENTS` courses of 2 x `POINTS` slots a span.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from gateway.view import rows

POINTS: Final = 300
STEPS: Final = {"5m": 1.0, "1h": 12.0, "24h": 288.0}
"""Span -> seconds of one of its slots."""
MOST_CONTENTS: Final = 500
"""Contents whose rates are kept: those that moved last.  One takes about 8 KiB."""

Rates = tuple[float, float]
"""(up, down), bytes a second."""


class Course(Struct, frozen=True):
    """Rates over one span, bytes a second, oldest first; None where nothing was sampled."""

    step: float
    """Seconds from one point to the next."""
    up: list[float | None]
    down: list[float | None]


class RateHistory:
    """All of it.  `now` is monotonic, in seconds."""

    def __init__(self) -> None:
        self._counts = {span: _Ring() for span in STEPS}
        self._total = _Sums()
        self._contents: dict[str, _Sums] = {}  # what moved last stands last

    def sample(self, now: float, total: Rates, contents: Mapping[str, Rates]) -> None:
        """Note the rates at one moment, of all together and of each content that moves."""
        for span, step in STEPS.items():
            self._counts[span].add(int(now // step), 1.0)
        self._total.add(now, total)
        for content, rates in contents.items():
            sums = self._contents.pop(content, None) or _Sums()
            sums.add(now, rates)
            self._contents[content] = sums
        for content in list(self._contents)[: max(0, len(self._contents) - MOST_CONTENTS)]:
            del self._contents[content]

    def course(self, now: float, span: str, content: str = "") -> Course:
        """Rates over a span of `STEPS` that ends now: of a content, or with "" of all together.

        A slot that has just begun, of which nothing is known, is not among them.
        """
        step, counts = STEPS[span], self._counts[span]
        sums = self._contents.get(content) if content else self._total
        newest = int(now // step)
        newest -= not counts.at(newest)
        slots = range(newest - POINTS + 1, newest + 1)
        up, down = (
            [
                (round(ring.at(slot) / count, 1) if ring else 0.0) if (count := counts.at(slot)) else None
                for slot in slots
            ]
            for ring in (sums.rings[span] if sums else (None, None))
        )
        return Course(step, up, down)


def moving(downloads: Iterable[rows.DownloadRow], uploads: Iterable[rows.UploadRow]) -> dict[str, Rates]:
    """The rates of each content that moves, in both directions."""
    found: dict[str, Rates] = {row.id: (0.0, row.down_rate) for row in downloads if row.down_rate > 0}
    for row in uploads:
        if row.rate > 0:
            up, down = found.get(row.content, (0.0, 0.0))
            found[row.content] = (up + row.rate, down)
    return found


class _Ring:
    """The newest `POINTS` slots of one number; slots that nothing was added to are 0."""

    __slots__ = ("_newest", "_values")

    def __init__(self) -> None:
        self._values = array("f", bytes(4 * POINTS))
        self._newest = 0

    def add(self, slot: int, value: float) -> None:
        """Add to a slot, which is not older than the one before."""
        for passed in range(max(self._newest, slot - POINTS) + 1, slot + 1):
            self._values[passed % POINTS] = 0.0
        self._newest = slot
        self._values[slot % POINTS] += value

    def at(self, slot: int) -> float:
        return self._values[slot % POINTS] if self._newest - POINTS < slot <= self._newest else 0.0


class _Sums:
    """The sums of one course in every span."""

    __slots__ = ("rings",)

    def __init__(self) -> None:
        self.rings = {span: (_Ring(), _Ring()) for span in STEPS}

    def add(self, now: float, rates: Rates) -> None:
        for span, step in STEPS.items():
            for ring, rate in zip(self.rings[span], rates, strict=True):
                ring.add(int(now // step), rate)
