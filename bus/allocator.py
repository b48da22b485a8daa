"""How the C library's allocator treats the large buffers of a transfer.

Messages, and the chunks that go into them, are buffers of up to 1 MiB that live for milliseconds
and are freed by another thread than the one that made them.  By its defaults glibc maps such a
buffer, or gives the end of its heap back to the system as soon as it is freed, and the kernel
then clears the same pages again for the next one.

Measured on 2 cores that other programs used too (512 MiB between two peers on a RAM disk, medians
of 5 interleaved runs; processor seconds of both peers together):

                      defaults             these
    in clear text     321 MB/s, 1.66 s     382 MB/s, 1.37 s
    encrypted         182 MB/s, 3.10 s     192 MB/s, 2.59 s

The peak of a peer's memory (VmHWM) was 53 MiB and is 59 MiB at most.  64 MiB at the end of the
heap instead of 16 gave no more, nor did fewer arenas.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Final

MAPPED_FROM: Final = 4 * 2**20
"""Bytes from which a buffer is mapped by itself: above every message, below the largest manifests."""
KEPT_FREE: Final = 16 * 2**20
"""Bytes that may lie free at the end of a heap before they are given back."""

# malloc.h
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3


def keep_large_buffers(environment: Mapping[str, str]) -> bool:
    """Set glibc's thresholds, once, before there are threads; what the environment sets already stays.

    Returns:
        Whether both hold now; False where the C library has no such setting, which only costs time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    thresholds = {
        "MALLOC_MMAP_THRESHOLD_": (_M_MMAP_THRESHOLD, MAPPED_FROM),
        "MALLOC_TRIM_THRESHOLD_": (_M_TRIM_THRESHOLD, KEPT_FREE),
    }
    return all(name in environment or mallopt(option, size) == 1 for name, (option, size) in thresholds.items())
