"""Judging: a goal of the benchmark from the measured runs.  Pure.

Every ratio is taken round by round, and the middle one counts: what else the machine did in a round meets both sides.
A contender that did not take part leaves its goal not reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from experiments.bench.records import Figure, Result, Run, Spread, spread

ABSENT = "not measured"


def ratio(result: Result, contender: str, rival: str) -> Spread | None:
    """How many times as fast the contender is as the rival; None if one of them did not take part."""
    pairs = list(zip(result.runs_of(contender), result.runs_of(rival), strict=False))
    return spread([theirs.seconds / ours.seconds for ours, theirs in pairs]) if pairs else None


def at_least(result: Result, what: str, contender: str, rival: str, wanted: float) -> Figure:
    """The goal to be so many times as fast as a rival."""
    found = ratio(result, contender, rival)
    goal = f">= {wanted:g} x {rival}"
    if found is None:
        return Figure(what, goal, _absent(result, contender, rival), False)
    return Figure(what, goal, f"{written(found)} x", found.median >= wanted)


def number(
    result: Result,
    what: str,
    contender: str,
    value: Callable[[Run], float],
    goal: tuple[str, float],
    unit: str = "",
) -> Figure:
    """The goal that a number of the contender's runs, the middle one, is at least or at most something.

    Args:
        result: the case.
        what: the goal.
        contender: whose runs.
        value: the number of one run.
        goal: `>=` or `<=`, and the limit.
        unit: written behind the numbers.
    """
    sign, limit = goal
    wanted = f"{sign} {limit:g}{unit}"
    runs = result.runs_of(contender)
    if not runs:
        return Figure(what, wanted, _absent(result, contender), False)
    found = spread([value(run) for run in runs])
    reached = found.median >= limit if sign == ">=" else found.median <= limit
    return Figure(what, wanted, f"{written(found)}{unit}", reached)


def named(name: str) -> Callable[[Run], float]:
    """The number of that name of a run."""
    return lambda run: run.numbers[name]


def written(values: Spread) -> str:
    """`median (lowest to highest)` with three digits."""
    return f"{values.median:.3g} ({values.lowest:.3g} to {values.highest:.3g})"


def medians(runs: Sequence[Run], value: Callable[[Run], float]) -> float:
    """The middle one of a number of some runs."""
    return median(value(run) for run in runs)


def _absent(result: Result, *names: str) -> str:
    return f"{ABSENT}: {', '.join(name for name in names if not result.runs_of(name))}"
