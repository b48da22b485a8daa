from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from peer.allocator import keep_freed_memory

PROGRAM = """
import os, resource, sys, threading
from peer.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory(os.environ)
def work():
    blocks = [bytes(2**20) for _ in range(8)]  # as many as are on their way at once
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    for _ in range(50):
        blocks.clear()
        blocks += [bytearray(range(256)) * 4096 for _ in range(8)]
    print(resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def faults(how: str, **environment: str) -> int:
    variables = {**os.environ, **environment}
    command = [sys.executable, "-c", PROGRAM, how]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_memory_of_messages_is_used_again_without_asking_the_kernel():
    assert faults("keep") < faults("default") / 5


def test_what_the_environment_sets_stays():
    mapped = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    assert faults("keep", **mapped) > 5 * faults("keep")


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert keep_freed_memory({}) is False
