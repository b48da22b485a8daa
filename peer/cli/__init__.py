"""The command line, `shoal`: one file for each group of commands. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import os
import signal
import sys

INTERRUPTED = 130
"""As in `bus.errors`, which is not imported yet when it is needed."""


def main() -> None:
    """The command `shoal`: its exit code is the process's, and Ctrl-C is 130 at any moment, without a traceback."""
    # Whoever ignores SIGINT (a job in the background of a script) keeps ignoring it.
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeded:
        signal.signal(signal.SIGINT, _end_at_once)
    from peer.cli.entry import run

    try:
        if heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        # What is left is the interpreter's own end, where an interruption would be a traceback.
        if heeded:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


def _end_at_once(_number: int, _frame: object) -> None:
    # Nothing is open yet, and in the middle of an import an exception may be taken for another one.
    os._exit(INTERRUPTED)


__all__ = ["main"]
