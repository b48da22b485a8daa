"""The allocator's thresholds, asked of the C library itself in a process of its own."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from bus.allocator import keep_large_buffers

PROBE = """
import ctypes, os
from bus.allocator import keep_large_buffers

class Mallinfo2(ctypes.Structure):  # malloc.h
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
libc.mallinfo2.restype = Mallinfo2
done = keep_large_buffers(os.environ)
mapped = libc.mallinfo2().hblks
block = libc.malloc(2 * 2**20)
mapped = libc.mallinfo2().hblks - mapped
libc.free(block)
kept = libc.mallinfo2().keepcost
print(done, mapped, kept >= 2 * 2**20)
"""  # noqa: E501


def probed(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="not glibc 2.33 or later")
def test_a_large_buffer_comes_from_the_heap_and_its_place_is_kept():
    assert probed() == "True 0 True"


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="not glibc 2.33 or later")
def test_what_the_environment_sets_stays():
    assert probed(MALLOC_MMAP_THRESHOLD_="1048576").startswith("True 1 ")


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert keep_large_buffers({}) is False
