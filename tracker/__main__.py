"""`python -m tracker`: the tracker.  Reads the configuration once and wires the parts."""

from __future__ import annotations

import contextlib
import os
import sys

from bus.config import Loaded, load
from bus.log import setup
from bus.places import DirectoryLock, TrackerPlaces
from bus.program import Arguments, exit_code, give_up_later, stop_on_signals
from bus.ready import TrackerReady, announce_ready
from tracker.service import TrackerService


def serve(loaded: Loaded) -> None:
    """Run the tracker until a signal."""
    places = TrackerPlaces(loaded.base_dir)
    places.prepare()
    with DirectoryLock(places.lock_file):
        service = TrackerService(loaded.settings, places)
        try:
            endpoint = service.start()
            stop_on_signals(lambda name: service.stop())
            announce_ready(
                TrackerReady(
                    endpoint, service.identity.peer_id, places.events, places.wire, os.getpid(), str(places.data_dir)
                ),
                os.environ,
            )
            service.run()
        finally:
            give_up_later("the tracker")
            service.close()


def work_in_batches() -> None:
    """Let no thread that wakes up interrupt another of this process: Linux's SCHED_BATCH, which threads inherit.

    Each answer wakes libzmq's I/O thread. On a busy core that was two context switches an answer; now those of a turn
    leave together, and a request costs a fifth less (docs/adr/0014-the-tracker-works-in-batches.md).
    """
    with contextlib.suppress(OSError):  # a sandbox may forbid it
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def main() -> int:
    """Run until a signal; the exit code."""

    def program() -> None:
        work_in_batches()
        chosen = Arguments("shoal tracker", "Run the tracker until SIGTERM or Ctrl-C.").parse_args()
        loaded = load(chosen.config, os.environ, chosen.base_dir)
        setup(loaded.settings.logging, "tracker")
        serve(loaded)

    return exit_code(program)


if __name__ == "__main__":
    sys.exit(main())
