"""How busy this peer's transfers are, for work that can wait for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

BUSY_RATE: Final = 16 * 2**20
"""Bytes a second, to and from the disk, from which a transfer has use for all processors."""
WINDOW: Final = 0.1
"""Seconds over which the rate is measured."""


class Traffic:
    """Counts the bytes that transfers read and write.  Safe for several threads: a byte missed does no harm.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moved = 0
        self._since = clock()
        self._counted = 0
        self._busy = False

    def moved(self, size: int) -> None:
        """Bytes were read or written for a transfer."""
        self._moved += size

    def busy(self) -> bool:
        """Whether transfers are fast enough for whatever else runs to cost them something."""
        elapsed = self._clock() - self._since
        if elapsed >= WINDOW:
            moved = self._moved
            self._busy = moved - self._counted >= BUSY_RATE * elapsed
            self._since += elapsed
            self._counted = moved
        return self._busy
