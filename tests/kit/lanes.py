"""Three tests at a time: one worker takes the files that start whole swarms, one those of the page, one all the rest.

A swarm waits most of its time, a page some of it, and the other tests compute, so they get on well beside each other:
with two workers, two cores stood idle for half of the time. Whoever is done first helps the others, with swarms last,
so that they seldom fight for the same cores, and what a test says about rates holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

ROOT = Path(__file__).resolve().parents[1]
"""The folder of all tests."""
SWARMS, PAGES, REST = "tests/system/", "tests/browser/", ""
PREFERENCES = ((SWARMS, REST, PAGES), (PAGES, REST, SWARMS), (REST, PAGES, SWARMS))
"""Of each worker, what it takes first."""
LANES = len(PREFERENCES)


def kind_of(name: str) -> str:
    """Which kind of test a file holds."""
    return next(kind for kind in (SWARMS, PAGES, REST) if name.startswith(kind))


def next_file(waiting: Iterable[str], lane: int) -> str:
    """Which of the waiting files, at least one, a worker takes: the first of those it prefers."""
    preferences = PREFERENCES[lane % LANES]
    return min(waiting, key=lambda name: preferences.index(kind_of(name)))


def workers_for(arguments: Iterable[str], folder: Path) -> int:
    """How many workers a run of pytest with these arguments gets: 0, this process, unless it is the whole suite."""
    whole = any((folder / argument).resolve() in (ROOT, ROOT.parent) for argument in arguments)
    return LANES if whole and (os.cpu_count() or 1) > 1 else 0


class Lanes(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a worker whole files, one after the other."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(next_file(self.workqueue, int(node.gateway.id.removeprefix("gw"))), last=False)
        super()._assign_work_unit(node)
