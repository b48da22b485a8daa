"""Two results beside each other: what changed, with its interval, and whether that is a regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

import msgspec
from msgspec import Struct

from bus.errors import ERR_USAGE, ShoalError
from experiments.figures.changes import BETTER, SAME, WORSE, Shift, draw_changes
from experiments.metrics.catalogue import Quantity, Unit, quantities
from experiments.report.wording import UNKNOWN, amount
from experiments.statistics import Interval, difference_interval
from experiments.summary import Summary, read_summary, run_folders

THRESHOLD: Final = 0.05
JSON: Final = "compare.json"
FIGURE: Final = "compare"


class Change(Struct, frozen=True):
    """One number in both results."""

    name: str
    label: str
    unit: Unit
    better: str
    """lower, higher, or empty: neither."""
    before: float
    """Mean over the runs of the first result that have it."""
    after: float
    runs: tuple[int, int]
    change: Interval
    """After minus before as a part of before, with its 95% interval; as it is if `absolute`."""
    absolute: bool
    verdict: str
    """regression, improvement, or empty: neither."""


class Comparison(Struct, frozen=True):
    """Two results."""

    before: str
    """Folder."""
    after: str
    threshold: float
    paired: bool
    """Both have the same seeds, so each run was compared with its counterpart."""
    unlike: list[str]
    """In what else the two differ, so that the changes may have another reason."""
    changes: list[Change]

    @property
    def regressions(self) -> list[Change]:
        return [change for change in self.changes if change.verdict == "regression"]


def compare(before: Path, after: Path, threshold: float = THRESHOLD, names: Sequence[str] = ()) -> Comparison:
    """Hold two results against each other.

    Args:
        before: folder of a result, of one run or of repetitions.
        after: likewise.
        threshold: a change for the worse by more than this part of what was is a regression, unless 0 lies in the
            change's 95% interval.  With one run on a side there is no interval, and the change itself is judged.
        names: of the numbers to compare; all if empty.

    Raises:
        ShoalError: ERR_USAGE, one of the results cannot be read, or has none of the numbers.
    """
    sides = [_runs(before), _runs(after)]
    seeds = [[summary.seed for summary in side] for side in sides]
    paired = seeds[0] == seeds[1] and None not in seeds[0] and len(seeds[0]) > 1
    found = [_values(side) for side in sides]
    unknown = [name for name in names if not all(name in side for side in found)]
    if unknown:
        known = ", ".join(name for name in found[0] if name in found[1])
        raise ShoalError(ERR_USAGE, f"--metric {unknown[0]}: not in both results; in both are {known}")
    chosen = names or [name for name in found[0] if name in found[1]]
    changes = []
    for name in chosen:
        old, new = found[0][name], found[1][name]
        # Only if every run has the number is it known which belong together.
        together = paired and len(old) == len(new) == len(sides[0])
        changes.append(_change(old, new, threshold, together))
    unlike = _unlike(sides[0][0], sides[1][0])
    for here, there, folder in ((found[0], found[1], before), (found[1], found[0], after)):
        unlike += [f"{name} is only in {folder}" for name in here if name not in there]
    return Comparison(str(before), str(after), threshold, paired, unlike, changes)


def write_comparison(folder: Path, comparison: Comparison) -> None:
    """Leave compare.json, and the figure if there is a change to draw."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_bytes(msgspec.json.format(msgspec.json.encode(comparison)) + b"\n")
    colors = {"regression": WORSE, "improvement": BETTER, "": SAME}
    relative = [change for change in comparison.changes if not change.absolute]
    shifts = [Shift(change.label, change.change, colors[change.verdict]) for change in relative]
    if shifts:
        draw_changes(folder / FIGURE, shifts, comparison.threshold)


def as_text(comparison: Comparison) -> str:
    """The changes as a table for a terminal."""
    rows = [["", "before", "after", "change", "95% interval", ""]]
    rows += [
        [
            change.label, amount(change.before, change.unit), amount(change.after, change.unit),
            _shift(change.change.value, change), _interval(change), change.verdict.upper(),
        ]
        for change in comparison.changes
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"note: {line}" for line in comparison.unlike]
    for row in rows:
        cells = [
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    count = len(comparison.regressions)
    verdict = "no regression" if not count else f"{count} regression{'s' if count > 1 else ''}"
    return "\n".join([*lines, f"{verdict} beyond {100 * comparison.threshold:g}%"]) + "\n"


def _runs(folder: Path) -> list[Summary]:
    try:
        runs = run_folders(folder)
        found = [read_summary(run) for run in runs]
    except (OSError, ShoalError) as error:
        raise ShoalError(ERR_USAGE, f"cannot compare {folder}: {error}") from None
    if not found:
        raise ShoalError(ERR_USAGE, f"cannot compare {folder}: it holds no run")
    return found


def _values(runs: Sequence[Summary]) -> Mapping[str, list[Quantity]]:
    """Name -> the number in each run that has it."""
    found: dict[str, list[Quantity]] = {}
    for summary in runs:
        for quantity in quantities(summary.metrics):
            if quantity.value is not None:
                found.setdefault(quantity.name, []).append(quantity)
    return found


def _change(before: Sequence[Quantity], after: Sequence[Quantity], threshold: float, paired: bool) -> Change:
    what = before[0]
    old, new = ([float(quantity.value or 0) for quantity in side] for side in (before, after))
    difference = difference_interval(old, new, paired)
    absolute = what.absolute or not fmean(old)
    shift = difference.scaled(1.0 if absolute else 1 / abs(fmean(old))).rounded(6)
    return Change(
        name=what.name,
        label=what.label,
        unit=what.unit,
        better=what.better,
        before=round(fmean(old), 6),
        after=round(fmean(new), 6),
        runs=(len(old), len(new)),
        change=shift,
        absolute=absolute,
        verdict=_verdict(shift, what.better, threshold),
    )


def _verdict(shift: Interval, better: str, threshold: float) -> str:
    if not better or abs(shift.value) <= threshold:
        return ""
    if shift.low is not None and shift.high is not None and shift.low <= 0 <= shift.high:
        return ""
    return "regression" if (shift.value > 0) == (better == "lower") else "improvement"


def _unlike(before: Summary, after: Summary) -> list[str]:
    pairs = {
        "scenario": (before.scenario, after.scenario),
        "backend": (before.backend, after.backend),
        "shaped by": (before.shaped_by, after.shaped_by),
        "size": (before.metrics.size, after.metrics.size),
        "leechers": (before.metrics.leechers, after.metrics.leechers),
        "machine": (before.made_by.processor, after.made_by.processor),
        "cores": (before.made_by.cores, after.made_by.cores),
        "python": (before.made_by.python, after.made_by.python),
    }
    return [f"{name} differs: {old}, {new}" for name, (old, new) in pairs.items() if old != new]


def _shift(value: float, change: Change) -> str:
    if not change.absolute:
        return f"{value:+.1%}"
    return f"{'-' if value < 0 else '+'}{amount(abs(value), change.unit)}"


def _interval(change: Change) -> str:
    low, high = change.change.low, change.change.high
    return UNKNOWN if low is None or high is None else f"{_shift(low, change)} to {_shift(high, change)}"
