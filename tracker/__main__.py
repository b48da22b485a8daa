"""`python -m tracker`: the tracker.  Reads the configuration once and wires the parts."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from bus.config import Loaded, load
from bus.errors import ERR_USAGE, ShoalError
from bus.log import setup
from bus.places import DirectoryLock, TrackerPlaces
from bus.ready import TrackerReady, announce_ready
from tracker.service import TrackerService

SWITCH_INTERVAL: Final = 0.0005
"""Seconds between thread switches: the store's thread must not delay the reactor by Python's 5 ms."""
LAST_RESORT: Final = 5.0
"""Seconds after which a stop that hangs is cut short."""


class Arguments(argparse.ArgumentParser):
    """Reports a wrong command line as every other error is reported."""

    def error(self, message: str) -> NoReturn:
        raise ShoalError(ERR_USAGE, f"{message}; see {self.prog} --help")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Arguments("shoal tracker", description="Run the tracker until SIGTERM or Ctrl-C.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration file (default: config.yaml)")
    parser.add_argument("--base-dir", type=Path, metavar="DIR", help="folder of all state")
    return parser.parse_args(arguments)


def serve(loaded: Loaded) -> None:
    """Run the tracker until a signal."""
    places = TrackerPlaces(loaded.base_dir)
    places.prepare()
    with DirectoryLock(places.lock_file):
        service = TrackerService(loaded.settings, places)
        try:
            endpoint = service.start()
            _stop_on_signals(service)
            announce_ready(
                TrackerReady(
                    endpoint, service.identity.peer_id, places.events, places.wire, os.getpid(), str(places.data_dir)
                ),
                os.environ,
            )
            service.run()
        finally:
            _give_up_later()
            service.close()


def _stop_on_signals(service: TrackerService) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        # Who asks twice wants it now.
        signal.signal(number, signal.SIG_DFL)
        service.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _give_up_later() -> None:
    def give_up() -> None:
        print(f"shoal: the tracker did not stop within {LAST_RESORT:g} s", file=sys.stderr, flush=True)
        os._exit(3)

    timer = threading.Timer(LAST_RESORT, give_up)
    timer.daemon = True
    timer.start()


def main() -> int:
    """Run; the exit code."""
    try:
        arguments = parse(sys.argv[1:])
        loaded = load(arguments.config, os.environ, arguments.base_dir)
        setup(loaded.settings.logging, "tracker")
        sys.setswitchinterval(SWITCH_INTERVAL)
        serve(loaded)
    except ShoalError as error:
        print(f"shoal: {error}", file=sys.stderr)
        return error.outcome.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
