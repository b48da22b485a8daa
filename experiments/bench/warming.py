"""Free memory is touched before a run, so that no run is the first to touch what it writes to.

A virtual machine may hand memory that is free for some seconds back to its host, and the next to touch it waits until
the host gives it anew: 0.3 GB/s on one machine, where memory kept warm takes 1.9.  Who runs after a pause would pay for
it, and who runs after a large run would not.
"""

from __future__ import annotations

import mmap
from typing import Final

_PIECE: Final = bytes(4 * 2**20)


def touch_memory(size: int) -> None:
    """Take so many bytes of free memory, write to all of it, and give it back."""
    if not size:
        return
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        for begin in range(0, size, len(_PIECE)):
            end = min(begin + len(_PIECE), size)
            held[begin:end] = _PIECE[: end - begin]
