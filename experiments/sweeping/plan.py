"""What a sweep is to do, and the folder that it does it in.

sweep.json                          the plan, written first: what a sweep that was interrupted goes on with
points/001_KEY=VALUE/runs/SEED/     one run, in the recording format of all experiments; it counts once it has its
                                    summary.json, which is its last file and appears whole
points/001_KEY=VALUE/runs/SEED.log  what the run said, while it runs and if it failed
results.parquet                     one row a run

Without varied keys the one point is the folder itself: runs/SEED/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bus.errors import ERR_PATH, ERR_UNREADABLE, ShoalError
from experiments.result import SUMMARY
from experiments.sweeping.grid import Axis, Point, expand

PLAN: Final = "sweep.json"
POINTS: Final = "points"
RUNS: Final = "runs"
LOCK: Final = "sweep.lock"
NAME_MAX: Final = 120
"""Characters of a point's folder; a longer name is cut, the number before it keeps it apart."""


class Plan(Struct, frozen=True):
    """A grid over a scenario, and seeds."""

    scenario: str
    """Name of the scenario's file, without its ending."""
    document: object
    """The scenario as its file says it, with the backend that was chosen."""
    axes: list[Axis]
    seeds: list[int]

    def points(self) -> list[Point]:
        """All of the grid.

        Raises:
            ValueError: a key leads nowhere in the document.
        """
        return list(expand(self.document, self.axes))


class Job(Struct, frozen=True):
    """One run."""

    point: Point
    seed: int
    folder: Path
    """Where its result is, or will be."""

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.point.title} seed {self.seed}".strip()

    @property
    def log(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def done(self) -> bool:
        return (self.folder / SUMMARY).is_file()


def jobs_of(plan: Plan, folder: Path) -> Iterator[Job]:
    """Every run of a plan in a folder: all points with the first seed, then with the next.

    So an interrupted sweep has seen all of its grid rather than much of one corner.
    """
    points = plan.points()
    for seed in plan.seeds:
        for point in points:
            yield Job(point, seed, point_folder(folder, point) / RUNS / str(seed))


def point_folder(folder: Path, point: Point) -> Path:
    """Where the runs of a point are."""
    if not point.title:
        return folder
    words = re.sub(r"[^A-Za-z0-9.=_+-]+", "-", point.title.replace(", ", "_").replace(" ", ""))
    return folder / POINTS / f"{point.number:03}_{words[:NAME_MAX]}"


def keep_plan(folder: Path, plan: Plan) -> None:
    """Leave the plan in its folder, or find that it is the one there.

    Raises:
        ShoalError: ERR_PATH, the folder holds something else.
    """
    plan = msgspec.json.decode(msgspec.json.encode(plan), type=Plan)  # as it will be read again
    try:
        if (folder / PLAN).exists():
            _compare(folder, read_plan(folder), plan)
            return
        folder.mkdir(parents=True, exist_ok=True)
        if any(path.name != LOCK for path in folder.iterdir()):
            raise ShoalError(ERR_PATH, f"{folder} is not empty and holds no sweep; choose another folder")
        write_whole(folder / PLAN, msgspec.json.format(msgspec.json.encode(plan)) + b"\n")
    except OSError as error:
        raise ShoalError(ERR_PATH, f"{folder} cannot hold a sweep: {error.strerror}") from None


def read_plan(folder: Path) -> Plan:
    """The plan in a folder.

    Raises:
        ShoalError: ERR_UNREADABLE.
    """
    try:
        return msgspec.json.decode((folder / PLAN).read_bytes(), type=Plan)
    except (OSError, msgspec.MsgspecError) as error:
        raise ShoalError(ERR_UNREADABLE, f"{folder / PLAN} is no plan of a sweep: {error}") from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, whatever happens meanwhile."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.replace(path)


def _compare(folder: Path, there: Plan, wanted: Plan) -> None:
    names = {"scenario": "scenario", "document": "scenario", "axes": "grid", "seeds": "list of seeds"}
    for field, name in names.items():
        if getattr(there, field) != getattr(wanted, field):
            raise ShoalError(
                ERR_PATH,
                f"{folder} holds a sweep with another {name}; give its command again to go on with it, "
                "or choose another folder",
            )
