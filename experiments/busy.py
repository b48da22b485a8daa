"""How busy the machine's processors are while something runs: whether they, and not a limit, held it up."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

EVERY: Final = 0.25
"""Seconds between two readings."""


Reading = tuple[float, int, int]
"""(wall clock, ticks in use, ticks), of all processors and programs together."""


def share_of(readings: Sequence[Reading], begin: float, end: float) -> float:
    """The share of the ticks between two moments that was in use; 0 without two readings in between."""
    between = [reading for reading in readings if begin <= reading[0] <= end]
    if len(between) < 2:
        return 0.0
    used, ticks = (between[-1][place] - between[0][place] for place in (1, 2))
    return round(used / ticks, 3)


class Busy:
    """Reads the kernel's counters from `with` to its end, in a thread of its own."""

    def __init__(self) -> None:
        self._readings: list[Reading] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="busy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def share(self, begin: float, end: float) -> float:
        """Of all processors' time between two moments of the wall clock, 0 to 1."""
        return share_of(self._readings, begin, end)

    def _read(self) -> None:
        while True:
            # user nice system idle iowait irq softirq steal; guests are counted in user.  proc_stat(5)
            fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
            self._readings.append((time.time(), sum(fields) - fields[3] - fields[4], sum(fields)))
            if self._ended.wait(EVERY):
                return
