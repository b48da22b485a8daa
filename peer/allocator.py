"""Keeping freed memory for the next message, instead of giving it back to the kernel each time.

A data message is 1 MiB, lives for milliseconds, and is freed by another thread than the one that
made it.  By default glibc takes such a block from the kernel and returns it when it is freed, so
that for each message pages are cleared and mapped anew, on both sides.

Measured with 256 and 512 MiB between two peers on a RAM disk and 2 cores that other programs used
too; medians of interleaved runs; page faults and processor seconds of both peers together:

                      defaults                         these thresholds
    page faults       55,000 (256 MiB)                 5,000 (256 MiB)
    in clear text     321 MB/s, 1.66 s (512 MiB)       382 MB/s, 1.37 s (512 MiB)
    encrypted         182 MB/s, 3.10 s (512 MiB)       192 MB/s, 2.59 s (512 MiB)

The peak of a peer's memory (VmHWM) was 53 MiB and is 59 MiB at most.  Higher thresholds (32 MiB,
64 MiB) and fewer arenas gave no more, and would keep more memory.

Source: mallopt(3).
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Final

MAPPED: Final = 4 * 2**20
"""Bytes from which a block is still taken from the kernel alone: above every message, below the largest manifests."""
KEPT: Final = 16 * 2**20
"""Bytes that may lie free at the end of each of the allocator's arenas."""
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def keep_freed_memory(environment: Mapping[str, str]) -> bool:
    """To be called before the first thread starts; what the environment sets already (MALLOC_...) stays.

    Returns:
        Whether both thresholds hold; False where the C library has no such thing, which only costs time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    thresholds = {
        "MALLOC_MMAP_THRESHOLD_": (_M_MMAP_THRESHOLD, MAPPED),
        "MALLOC_TRIM_THRESHOLD_": (_M_TRIM_THRESHOLD, KEPT),
    }
    return all(name in environment or mallopt(option, size) == 1 for name, (option, size) in thresholds.items())
