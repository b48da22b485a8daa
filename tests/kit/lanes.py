"""Two tests at a time: those that start whole swarms in one lane, one after the other, and all others beside them.

A swarm waits most of its time and the other tests compute, so together they take little longer than the longer half.
Two swarms beside each other would fight for the same cores, and what a test says about rates would be worth less.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[1]
"""The folder of all tests."""
SWARMS = "tests/system/"
LANES = 2


def lane_of(nodeid: str) -> str:
    """What stays together, in its order, in one worker: all tests on real swarms; of the others each file."""
    return SWARMS if nodeid.startswith(SWARMS) else nodeid.partition("::")[0]


def workers_for(arguments: Iterable[str], folder: Path) -> int:
    """How many workers a run of pytest with these arguments gets: 0, this process, unless it is the whole suite."""
    whole = any((folder / argument).resolve() in (ROOT, ROOT.parent) for argument in arguments)
    return LANES if whole and (os.cpu_count() or 1) >= LANES else 0


class Lanes(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives each worker one lane after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(nodeid)


def longest_first(items: list[pytest.Item]) -> None:
    """Put the long lane first, so that it is not begun when all others are done."""
    items.sort(key=lambda item: lane_of(item.nodeid) != SWARMS)
