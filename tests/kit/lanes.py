"""Two tests at a time: one worker takes the files that start whole swarms, the other all the rest.

A swarm waits most of its time and the other tests compute, so the two get on well beside each other. Whoever is done
first helps the other; until then no two swarms fight for the same cores, and what a test says about rates holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

ROOT = Path(__file__).resolve().parents[1]
"""The folder of all tests."""
SWARMS = "tests/system/"
LANES = 2


def next_file(waiting: Iterable[str], first: bool) -> str:
    """Which of the waiting files, at least one, a worker takes; the first worker prefers those with swarms."""
    files = list(waiting)
    return next((name for name in files if name.startswith(SWARMS) == first), files[0])


def workers_for(arguments: Iterable[str], folder: Path) -> int:
    """How many workers a run of pytest with these arguments gets: 0, this process, unless it is the whole suite."""
    whole = any((folder / argument).resolve() in (ROOT, ROOT.parent) for argument in arguments)
    return LANES if whole and (os.cpu_count() or 1) >= LANES else 0


class Lanes(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a worker whole files, one after the other."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(next_file(self.workqueue, node.gateway.id == "gw0"), last=False)
        super()._assign_work_unit(node)
