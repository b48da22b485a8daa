"""What a result says of itself: summary.json of one run, or of several repetitions of one scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from bus.errors import ERR_UNREADABLE, ShoalError
from experiments.metrics.catalogue import Unit
from experiments.metrics.measure import Metrics
from experiments.provenance import Provenance
from experiments.scenario import Scenario
from experiments.statistics import Interval

SUMMARY: Final = "summary.json"
RUNS: Final = "runs"
"""In the folder of repetitions: a folder of a run for each seed."""

S = TypeVar("S", bound=Struct)


class Conditions(Struct, frozen=True):
    """What cannot be read from the events."""

    scenario: str
    """Name of the scenario's file, without its ending."""
    config: Scenario
    backend: str
    """`processes`, `inproc` or `sim`."""
    made_by: Provenance
    events: dict[str, int]
    """Process -> events heard."""
    events_lost: dict[str, int]
    """Process -> events that it published and that did not arrive; all 0, or the numbers are not to be trusted."""
    question: str = ""
    """What the experiment is to find out, in the scenario's words."""
    shaped_by: str = ""
    """What limited rates and delayed messages."""
    seed: int | None = None
    """Of this run's random choices."""
    trace: str = ""
    """Hash of everything that happened, in order: of simulations, which give the same one for the same seed."""
    wrong_bytes: int | None = None
    """Bytes of finished downloads that differ from what was shared; None if they were not compared."""
    progress: bool = True
    """Whether peers told of rates and progress; without it nobody knows who lacked one chunk, or who had got what by
    when."""


class Summary(Conditions, frozen=True, kw_only=True):
    """One run."""

    metrics: Metrics
    files: list[str]
    """Relative to the folder."""


class Series(Struct, frozen=True):
    """One number over repetitions."""

    name: str
    label: str
    unit: Unit
    values: list[float]
    """By run; of those that have it."""
    mean: Interval
    """With its 95% interval (Student's t)."""


class Repetitions(Conditions, frozen=True, kw_only=True):
    """Several runs; the conditions are the first one's, events are summed over all."""

    runs: list[str]
    """Names of the folders in runs/."""
    series: list[Series]
    files: list[str]
    """Relative to the folder, without those of the runs."""


def write_summary(folder: Path, summary: Summary | Repetitions) -> None:
    """Leave it in the folder."""
    write_whole(folder / SUMMARY, msgspec.json.format(msgspec.json.encode(summary)) + b"\n")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, whatever happens meanwhile."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.replace(path)


def read_conditions(folder: Path) -> Conditions:
    """What a summary says of how it was made.

    Raises:
        ShoalError: ERR_UNREADABLE.
    """
    return _read(folder, Conditions)


def read_summary(folder: Path) -> Summary:
    """The summary of one run.

    Raises:
        ShoalError: ERR_UNREADABLE.
    """
    return _read(folder, Summary)


def run_folders(folder: Path) -> list[Path]:
    """The runs in a result, by number and name: those of repetitions that have a summary, or itself."""
    if not (folder / RUNS).is_dir():
        return [folder]
    found = [path for path in (folder / RUNS).iterdir() if (path / SUMMARY).is_file()]
    return sorted(
        found, key=lambda path: (not path.name.isdigit(), int(path.name) if path.name.isdigit() else 0, path.name)
    )


def _read(folder: Path, kind: type[S]) -> S:
    try:
        return msgspec.json.decode((folder / SUMMARY).read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise ShoalError(ERR_UNREADABLE, f"{folder / SUMMARY} is no summary of an experiment: {error}") from None
