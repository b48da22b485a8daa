from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource, sys, threading
from peer.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
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


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_memory_of_messages_is_used_again_without_asking_the_kernel():
    assert faults("keep") < faults("default") / 5
