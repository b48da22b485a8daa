"""Experiments from a notebook: results as frames.

    from experiments import run, sweep, load, compare

docs/experiments/notebook.md shows it at work.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp

import polars as pl

from bus.errors import ERR_CONFIG, ERR_NOT_FOUND, ShoalError
from experiments import runner
from experiments.comparing import THRESHOLD, Comparison
from experiments.comparing import compare as compare_folders
from experiments.figures.style import FIGURES
from experiments.metrics.catalogue import quantities
from experiments.result import write_result
from experiments.scenario import Scenario, read_scenario, scenario_of
from experiments.summary import Summary, read_conditions, read_summary
from experiments.sweeping.grid import Axis, parse_seeds
from experiments.sweeping.plan import make_plan, read_document
from experiments.sweeping.results import RESULTS
from experiments.sweeping.running import carry_out
from experiments.tables.folder import read_tables
from experiments.tables.making import Tables

Described = Path | str | dict[str, object]
"""A scenario: in a file, or as the tree that its YAML would be."""


class Drawing:
    """A figure of a result, which a notebook shows."""

    def __init__(self, file: Path) -> None:
        self.file = file
        """The SVG; beside it lies the PNG."""

    def _repr_svg_(self) -> str:
        return self.file.read_text()

    def __repr__(self) -> str:
        return f"<Drawing {self.file}>"


class Result:
    """One run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"<Result {self.folder}: {self.summary.scenario}, {self.summary.backend}, seed {self.summary.seed}>"

    @cached_property
    def summary(self) -> Summary:
        """Conditions and metrics."""
        return read_summary(self.folder)

    @cached_property
    def frames(self) -> Tables:
        """What was recorded: `frames.transfers`, `frames.progress` ...; experiments/tables/schema.py has them all."""
        return read_tables(self.folder)

    @property
    def numbers(self) -> pl.DataFrame:
        """What the run came to: name, value, unit, and which direction is better."""
        rows = [(row.name, row.value, row.unit, row.better) for row in quantities(self.summary.metrics)]
        schema = {"name": pl.String, "value": pl.Float64, "unit": pl.String, "better": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def figure(self, name: str) -> Drawing:
        """A figure by name, such as `completion` or `bytes`; drawn now if the run was not drawn.

        Raises:
            ShoalError: ERR_NOT_FOUND, with the names that there are.
        """
        place = self.folder / FIGURES
        if not place.is_dir():
            write_result(self.folder, read_conditions(self.folder))
        names = sorted(path.stem for path in place.glob("*.svg"))
        if name not in names:
            raise ShoalError(ERR_NOT_FOUND, f"{self.folder} has no figure {name!r}, but {', '.join(names)}")
        return Drawing(place / f"{name}.svg")


def run(
    scenario: Described | Scenario, *, backend: str = "sim", seed: int | None = None, folder: Path | str | None = None
) -> Result:
    """Run a scenario once, in this process.

    Args:
        scenario: what to do.
        backend: `sim`, `processes` or `inproc`, whatever the scenario says.
        seed: instead of the scenario's.
        folder: for the result, empty or not there; a new one among the system's temporary ones if not given.

    Raises:
        ShoalError: what went wrong.
    """
    place = _place(folder)
    if isinstance(scenario, Scenario):
        name, read = "scenario", scenario
    else:
        name, document = _described(scenario)
        read = _read(name, {**document, "backend": backend})
    runner.run(read, name, place, backend=backend, seed=seed, report=False)
    return Result(place)


def sweep(
    scenario: Described,
    grid: dict[str, list[object]],
    *,
    seeds: str | list[int] = "",
    backend: str = "sim",
    folder: Path | str | None = None,
    jobs: int = 0,
) -> pl.DataFrame:
    """Run a scenario at every point of a grid, on all cores; goes on with what is missing in a folder that it was given
    before.

    Args:
        scenario: what to do.
        grid: key of the scenario -> its values: `{"groups.leechers.peers": [5, 10, 20]}`.
        seeds: `"1-20"` or a list; those of the scenario's repetitions if not given.
        backend: whatever the scenario says.
        folder: for the results.
        jobs: runs at once.

    Returns:
        One row a run: the varied keys, `seed`, every metric that is one number.

    Raises:
        ShoalError: a mistake, or a run failed.
    """
    name, document = _described(scenario)
    place = _place(folder)
    axes = [Axis(key, list(values)) for key, values in grid.items()]
    try:
        chosen = (parse_seeds(seeds) if seeds else []) if isinstance(seeds, str) else seeds
    except ValueError as error:
        raise ShoalError(ERR_CONFIG, str(error)) from None
    swept = carry_out(make_plan(name, document, axes, chosen, backend), place, jobs)
    swept.raise_if_failed()
    return pl.read_parquet(place / RESULTS)


def load(folder: Path | str) -> Result | pl.DataFrame:
    """What is in a folder: a run, or the rows of a sweep.

    Raises:
        ShoalError: ERR_UNREADABLE.
    """
    place = Path(folder)
    if (place / RESULTS).exists():
        return pl.read_parquet(place / RESULTS)
    result = Result(place)
    _ = result.summary  # raises if it is none
    return result


def compare(
    before: Result | Path | str,
    after: Result | Path | str,
    *,
    threshold: float = THRESHOLD,
    metrics: list[str] | None = None,
) -> pl.DataFrame:
    """What changed from one result to another: one row a number; `verdict` is `regression`, `improvement` or empty.

    Args:
        before: a run, or the folder of one or of repetitions (a point of a sweep is one).
        after: likewise.
        threshold: of a change for the worse that is a regression.
        metrics: names; all if not given.

    Raises:
        ShoalError: one of them cannot be read.
    """
    places = [one.folder if isinstance(one, Result) else Path(one) for one in (before, after)]
    return _frame(compare_folders(places[0], places[1], threshold, metrics or ()))


def _frame(comparison: Comparison) -> pl.DataFrame:
    rows = [
        (one.name, one.unit, one.before, one.after, one.change.value, one.change.low, one.change.high, one.verdict)
        for one in comparison.changes
    ]
    kinds = {"name": pl.String, "unit": pl.String} | dict.fromkeys(
        ("before", "after", "change", "low", "high"), pl.Float64
    )
    return pl.DataFrame(rows, schema={**kinds, "verdict": pl.String}, orient="row")


def _described(scenario: Described) -> tuple[str, dict[str, object]]:
    """Its name and its document."""
    if isinstance(scenario, dict):
        return "scenario", scenario
    path = Path(scenario)
    read_scenario(path)  # a mistake is told with the file's name
    document = read_document(path)
    assert isinstance(document, dict)  # a scenario is a map
    return path.stem, document


def _read(name: str, document: object) -> Scenario:
    try:
        return scenario_of(document)
    except ValueError as error:
        raise ShoalError(ERR_CONFIG, f"{name}: {error}") from None


def _place(folder: Path | str | None) -> Path:
    return Path(mkdtemp(prefix="shoal-experiment-")) if folder is None else Path(folder)
