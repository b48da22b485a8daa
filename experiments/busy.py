"""How busy the machine's processors are while something runs: whether they, and not a limit, held it up."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

EVERY: Final = 0.25
"""Seconds between two readings."""


class Busy:
    """Reads the kernel's counters from `with` to its end, in a thread of its own."""

    def __init__(self) -> None:
        self._readings: list[tuple[float, int, int]] = []
        """(wall clock, ticks in use, ticks), of all processors and programs together."""
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
        between = [(used, all_ticks) for at, used, all_ticks in self._readings if begin <= at <= end]
        used, ticks = (between[-1][place] - between[0][place] for place in (0, 1)) if between else (0, 0)
        return round(used / ticks, 3) if ticks else 0.0

    def _read(self) -> None:
        while True:
            # user nice system idle iowait irq softirq steal; guests are counted in user.  proc_stat(5)
            fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
            self._readings.append((time.time(), sum(fields) - fields[3] - fields[4], sum(fields)))
            if self._ended.wait(EVERY):
                return
