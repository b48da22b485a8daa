from __future__ import annotations

import signal
import subprocess
import sys

from tests.kit.waiting import eventually

PROGRAM = """
import os, signal, sys
from experiments.interrupting import check_interrupted, interrupt_on_sigterm

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        sys.stderr.flush()

interrupt_on_sigterm()
check_interrupted()
Finalized()
print("the exception was lost", flush=True)
try:
    check_interrupted()
except KeyboardInterrupt:
    print("and noticed")
"""


def test_an_interrupt_that_a_finalizer_swallows_is_noticed():
    done = subprocess.run([sys.executable, "-P", "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["the exception was lost", "and noticed"]


def test_sigterm_interrupts():
    program = (
        "from experiments.interrupting import interrupt_on_sigterm\ninterrupt_on_sigterm()\n"
        "try:\n    print('on', flush=True)\n    input()\nexcept KeyboardInterrupt:\n    print('interrupted')"
    )
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[0] == "interrupted\n"
    assert eventually(lambda: process.returncode == 0, within=1)
