"""What a sweep is to do, and the folder that it does it in.

sweep.json                          the plan, written first: what a sweep that was interrupted goes on with
points/001_KEY=VALUE/runs/SEED/     one run, in the recording format of all experiments; it counts once it has its
                                    summary.json, which is its last file and appears whole
points/001_KEY=VALUE/runs/SEED.log  what the run said, while it runs and if it failed
results.parquet                     one row a run
report.html, report.md, figures/    of all points

A point's folder is one of repetitions, which `compare` and `report` know.  Without varied keys it is the folder itself:
runs/SEED/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bus.errors import ERR_CONFIG, ERR_PATH, ERR_UNREADABLE, ShoalError
from bus.strict_yaml import read_yaml
from experiments.scenario import Scenario, scenario_of
from experiments.summary import RUNS, SUMMARY, write_whole
from experiments.sweeping.grid import MAX_RUNS, Axis, Point, check_axes, expand, parse_axes, parse_seeds

PLAN: Final = "sweep.json"
POINTS: Final = "points"
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
    of_grid: bool = False
    """It is one run of a grid, at a worker of a cluster."""

    @property
    def draws(self) -> bool:
        """Whether each run has figures and a report of its own."""
        return not (self.axes or self.of_grid)

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


def parse_plan(scenario: str, document: object, sets: Sequence[str] = (), seeds: str = "", backend: str = "") -> Plan:
    """A plan as a command line says it: `sets` are `KEY=VALUE,VALUE...`, `seeds` is `1-20` or `1,2,5`.

    Raises:
        ShoalError: as make_plan.
    """
    try:
        return _plan(scenario, document, parse_axes(sets), parse_seeds(seeds) if seeds else [], backend)
    except ValueError as error:
        raise ShoalError(ERR_CONFIG, f"sweep of {scenario}: {error}") from None


def make_plan(
    scenario: str, document: object, axes: Sequence[Axis] = (), seeds: Sequence[int] = (), backend: str = ""
) -> Plan:
    """A plan of which every point was checked.

    Args:
        scenario: its name.
        document: the scenario as its file says it.
        axes: what is varied.
        seeds: if none is given, as many from the scenario's `seed` on as it has `repetitions`.
        backend: instead of the scenario's; empty: the scenario's.

    Raises:
        ShoalError: ERR_CONFIG, one line with the key, what was expected and what was found.
    """
    try:
        return _plan(scenario, document, axes, seeds, backend)
    except ValueError as error:
        raise ShoalError(ERR_CONFIG, f"sweep of {scenario}: {error}") from None


def read_document(path: Path) -> object:
    """The scenario in a file as the file says it.

    Raises:
        ShoalError: ERR_CONFIG.
    """
    try:
        return read_yaml(path)
    except OSError as error:
        raise ShoalError(ERR_CONFIG, f"scenario {path}: expected a readable file: {error.strerror}") from None
    except ValueError as error:
        raise ShoalError(ERR_CONFIG, f"scenario {path}: {error}") from None


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


def _plan(name: str, document: object, axes: Sequence[Axis], seeds: Sequence[int], backend: str) -> Plan:
    check_axes(axes)
    if backend:
        if any("backend" in axis.keys for axis in axes):
            raise ValueError("backend: expected it either in --set or as --backend, found both")
        document = {**document, "backend": backend} if isinstance(document, dict) else document
    scenarios: list[Scenario] = []
    for point in expand(document, axes):
        scenarios.append(_scenario_at(point.title, point.document))
        if len(scenarios) * (len(seeds) or 1) > MAX_RUNS:
            raise ValueError(f"expected at most {MAX_RUNS:,} runs, found more")
    first = scenarios[0]
    return Plan(name, document, list(axes), list(seeds) or list(range(first.seed, first.seed + first.repetitions)))


def _scenario_at(title: str, document: object) -> Scenario:
    try:
        return scenario_of(document)
    except ValueError as error:
        raise ValueError(f"{error} (at {title})" if title else str(error)) from None


def _compare(folder: Path, there: Plan, wanted: Plan) -> None:
    names = {"scenario": "scenario", "document": "scenario", "axes": "grid", "seeds": "list of seeds"}
    for field, name in names.items():
        if getattr(there, field) != getattr(wanted, field):
            raise ShoalError(
                ERR_PATH,
                f"{folder} holds a sweep with another {name}; give its command again to go on with it, "
                "or choose another folder",
            )
