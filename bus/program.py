"""What the programs of Shoal have in common on the outside: arguments, error lines, signals, a stop that ends."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from bus.errors import ERR_USAGE, FAILURE, INTERRUPTED, OK, ShoalError

SWITCH_INTERVAL: Final = 0.0005
"""Seconds between thread switches: a worker in Python code must not delay the reactor by Python's 5 ms."""
LAST_RESORT: Final = 5.0
"""Seconds after which a stop that hangs is cut short."""


class Arguments(argparse.ArgumentParser):
    """A command line that every program takes; a wrong one is reported as every other error is."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog, description=description)
        self.add_argument("--config", type=Path, metavar="FILE", help="configuration file (default: config.yaml)")
        self.add_argument("--base-dir", type=Path, metavar="DIR", help="folder of all state")

    def error(self, message: str) -> NoReturn:
        raise ShoalError(ERR_USAGE, f"{message}; see {self.prog} --help")


def exit_code(run: Callable[[], None]) -> int:
    """Run a program; an error becomes its one line on stderr and its exit code."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        run()
    except ShoalError as error:
        print(f"shoal: {error}", file=sys.stderr)
        return error.outcome.exit_code
    except KeyboardInterrupt:  # before there was anything to stop
        return INTERRUPTED
    return OK


def leave(main: Callable[[], int]) -> NoReturn:
    """Run a program's `main` and end with its exit code at once: a large program would clear its modules away first,
    one by one, for longer than all else that a stop takes."""
    try:
        code = main()
    except SystemExit as end:  # argparse after --help, gunicorn always
        code = end.code if isinstance(end.code, int) else FAILURE if end.code else OK
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def stop_on_signals(stop: Callable[[str], None]) -> None:
    """Call `stop` with the signal's name at SIGTERM or SIGINT; a second signal ends the process at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop(signal.Signals(number).name)

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


def give_up_later(what: str) -> None:
    """End the process in `LAST_RESORT` seconds, if closing `what` has not ended it by then."""

    def give_up() -> None:
        print(f"shoal: {what} did not stop within {LAST_RESORT:g} s", file=sys.stderr, flush=True)
        os._exit(3)

    timer = threading.Timer(LAST_RESORT, give_up)
    timer.daemon = True
    timer.start()
