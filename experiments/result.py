"""The folder that an experiment leaves: tables, figures, report and summary, all made from its cast and its events.

    run.json                         what was begun; all that is sure to be in the folder of a run that was cut short
    cast.json  events/*.jsonl        what was recorded
    tables/*.parquet                 the events as typed columns
    figures/*.svg, *.png             drawn from the tables
    report.html, report.md           for people
    summary.json                     conditions and metrics, for programs
    runs/SEED/                       repetitions: each as above; beside them summary, report and a figure of all

All but the recording and the conditions is made anew by `experiments report`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from bus.errors import ERR_UNREADABLE, ShoalError
from experiments.figures.drawn import draw_all, draw_repetitions
from experiments.metrics.measure import measure
from experiments.report.content import of_run
from experiments.report.document import Document
from experiments.report.html import page
from experiments.report.markdown import text
from experiments.report.repetitions import of_repetitions, series_of
from experiments.summary import (
    RUNS,
    SUMMARY,
    Conditions,
    Repetitions,
    Summary,
    read_conditions,
    read_summary,
    run_folders,
    write_summary,
)
from experiments.tables.folder import TABLES, make_tables, read_tables
from experiments.tables.recording import FOLDER as EVENTS

__all__ = ["PAGE", "REPORT", "SUMMARY", "Conditions", "Summary", "write_anew", "write_repetitions", "write_result"]

REPORT: Final = "report.md"
PAGE: Final = "report.html"


def write_result(folder: Path, conditions: Conditions, report: bool = True) -> Summary:
    """Make everything from the recording of one run in the folder.

    Args:
        folder: with cast and events.
        conditions: what they do not tell.
        report: with figures and report, which take longer than all else.

    Raises:
        ShoalError: the recording is missing, or tells of no download.
    """
    tables = make_tables(folder)
    metrics = measure(tables, sum(conditions.events_lost.values()), conditions.wrong_bytes, conditions.progress)
    figures = draw_all(folder, tables, metrics, conditions.progress) if report else []
    made = [SUMMARY, *([REPORT, PAGE] if report else [])]
    summary = Summary(**_fields(conditions), metrics=metrics, files=_files(folder, made))
    if report:
        write_report(folder, of_run(summary, tables, figures))
    write_summary(folder, summary)
    return summary


def write_repetitions(folder: Path, anew: bool = True) -> Repetitions:
    """Make everything of every run in runs/, and of all together.

    Runs of a cluster come without events and tables: they stay as they are, and there is no figure of all.

    Args:
        folder: with runs/.
        anew: make that of every run again; else it is as it should be.

    Raises:
        ShoalError: there is no run, or one of them cannot be read.
    """
    runs = run_folders(folder)
    if not runs or runs == [folder]:
        raise ShoalError(ERR_UNREADABLE, f"{folder} holds no repetitions: no folder in {RUNS}/")
    summaries = [
        write_result(run, read_conditions(run)) if anew and (run / EVENTS).is_dir() else read_summary(run)
        for run in runs
    ]
    conditions = msgspec.structs.replace(
        _conditions(summaries[0]),
        seed=None,
        events={run.name: sum(one.events.values()) for run, one in zip(runs, summaries, strict=True)},
        events_lost={run.name: sum(one.events_lost.values()) for run, one in zip(runs, summaries, strict=True)},
    )
    names = [run.name for run in runs]
    found = series_of(summaries)
    bounds = [summary.metrics.bound_seconds for summary in summaries]
    recorded = all((run / TABLES).is_dir() for run in runs)
    figures = draw_repetitions(folder, [read_tables(run) for run in runs], bounds) if recorded else []
    files = _files(folder, [SUMMARY, REPORT, PAGE])
    repetitions = Repetitions(**_fields(conditions), runs=names, series=found, files=files)
    write_report(folder, of_repetitions(repetitions, summaries, figures))
    write_summary(folder, repetitions)
    return repetitions


def write_anew(folder: Path) -> Summary | Repetitions:
    """Make everything of a result again, of one run or of repetitions.

    Raises:
        ShoalError: it cannot be read.
    """
    return write_repetitions(folder) if (folder / RUNS).is_dir() else write_result(folder, read_conditions(folder))


def write_report(folder: Path, document: Document) -> None:
    """Leave the report as a page and as text."""
    (folder / REPORT).write_text(text(document))
    (folder / PAGE).write_text(page(document, folder))


def _conditions(summary: Summary) -> Conditions:
    return Conditions(**_fields(summary))


def _fields(conditions: Conditions) -> dict[str, Any]:
    return {name: getattr(conditions, name) for name in Conditions.__struct_fields__}


def _files(folder: Path, made: list[str]) -> list[str]:
    """What is in a folder once `made` is too."""
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    mine = {name for name in there if not name.startswith(f"{RUNS}/")}
    return sorted(mine | set(made))
