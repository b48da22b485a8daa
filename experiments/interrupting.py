"""SIGTERM does what Ctrl-C does: what was begun is put away.

An exception that a signal raises while Python runs a finalizer or a callback of the garbage collector is printed and
lost.  So whoever waits in a loop asks here too.
"""

from __future__ import annotations

import signal
import threading

_interrupted = threading.Event()


def interrupt_on_sigterm() -> None:
    """From now on; in the main thread."""
    signal.signal(signal.SIGTERM, _interrupt)


def check_interrupted() -> None:
    """Raises KeyboardInterrupt if SIGTERM came."""
    if _interrupted.is_set():
        raise KeyboardInterrupt


def _interrupt(_number: int, _frame: object) -> None:
    _interrupted.set()
    raise KeyboardInterrupt
