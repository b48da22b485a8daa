"""How far a sweep is: a bar with the time that is left on a terminal, one line a run elsewhere; both on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from experiments.sweeping.pool import Outcome

Follow = Callable[[Outcome], None]
"""Told of every run that ended."""


@contextmanager
def following(total: int, done: int) -> Iterator[Follow]:
    """Shows `total` runs of which so many are done already."""
    if sys.stderr.isatty():
        with _bar(total, done) as follow:
            yield follow
    else:
        yield _lines(total, done)


def _lines(total: int, done: int) -> Follow:
    count = done

    def follow(outcome: Outcome) -> None:
        nonlocal count
        count += 1
        print(f"sweep: {count}/{total} {_line(outcome)}", file=sys.stderr, flush=True)

    return follow


@contextmanager
def _bar(total: int, done: int) -> Iterator[Follow]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(24), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, speed_estimate_period=600) as progress:
        task = progress.add_task("runs", total=total, completed=done)

        def follow(outcome: Outcome) -> None:
            progress.update(task, advance=1)
            if outcome.error:
                console.print(f"sweep: {_line(outcome)}", markup=False, highlight=False, soft_wrap=True)

        yield follow


def _line(outcome: Outcome) -> str:
    job = outcome.job
    return f"{job.title}: {f'FAILED, {outcome.error}; see {job.log}' if outcome.error else f'{outcome.seconds:.1f} s'}"
