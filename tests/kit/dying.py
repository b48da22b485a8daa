"""Programs that end with the test run that started them, also when that is killed and cleans nothing up."""

from __future__ import annotations

import ctypes
import signal

from bus.process import PR_SET_PDEATHSIG

_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """For `preexec_fn` of a program that is started from the main thread: the kernel watches the thread that forked."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
