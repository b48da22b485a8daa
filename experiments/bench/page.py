"""How results are written: Markdown for people, and the part of docs/PERFORMANCE.md that a run replaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from bus.errors import ERR_USAGE, ShoalError
from bus.units import format_size
from experiments.bench.goals import ratio, written
from experiments.bench.records import Entry, Result, Run, Spread, spread

RECORD: Final = Path(__file__).parents[2] / "docs" / "PERFORMANCE.md"
END: Final = "<!-- end of bench -->"
_PROCESSOR: Final = "CPU s of all processes, and of each role's"
_MEMORY: Final = "peak memory of the largest process of each role, less shared"
_MB: Final = 10**6


def markdown(result: Result) -> str:
    """One case: its contenders, its goals, and what is needed to judge them."""
    lines = [
        f"### {result.case}",
        "",
        f"{result.title}. {result.rounds} rounds {'after' if result.warmed else 'without'} a warm-up, all in turns.",
        "",
        *_contenders(result),
        "",
        *_goals(result),
        *_circumstances(result),
    ]
    return "\n".join(lines) + "\n"


def record(case: str, text: str, page: Path) -> None:
    """Replace a case's part of a page, or add it at the end of the bench's.

    Raises:
        ShoalError: ERR_USAGE, the page has no mark for the bench's end.
    """
    begin, end = f"<!-- bench {case}: written by --record -->", f"<!-- end of bench {case} -->"
    before, found, rest = page.read_text().partition(begin)
    if found:
        after = rest.partition(end)[2]
    else:
        before, mark, after = before.partition(END)
        if not mark:
            raise ShoalError(ERR_USAGE, f"{page} has no line {END} to write before")
        after = f"\n\n{mark}{after}"
    page.write_text(f"{before}{begin}\n\n{text}\n{end}{after}")


def _contenders(result: Result) -> Iterator[str]:
    """A row for each: the middle of all rounds, lowest to highest behind it."""
    extra = list(dict.fromkeys(name for entry in result.entries for run in entry.runs for name in run.numbers))
    first = result.entries[0].name
    rate = ["MB/s"] if result.moved else []
    heads = ["", "seconds", *rate, f"{first} is so many times as fast", _PROCESSOR, _MEMORY, *extra]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for entry in result.entries:
        cells = _cells(result, entry, extra) if entry.runs else [f"NOT MEASURED: {entry.absent}"]
        yield f"| {' | '.join([entry.name, *cells, *[''] * (len(heads) - 1 - len(cells))])} |"


def _cells(result: Result, entry: Entry, extra: Sequence[str]) -> list[str]:
    runs = entry.runs
    beside = ratio(result, result.entries[0].name, entry.name)
    return [
        written(spread([run.seconds for run in runs])),
        *([_whole(spread([result.moved / run.seconds / _MB for run in runs]))] if result.moved else []),
        written(beside) if beside and entry != result.entries[0] else "",
        _processor(runs),
        _memory(runs),
        *(_number(runs, name) for name in extra),
    ]


def _processor(runs: Sequence[Run]) -> str:
    """The middle run's, in all and by role."""
    whole = f"{median(run.cpu_seconds for run in runs):.2f}"
    roles = dict.fromkeys(part.role for run in runs for part in run.parts)
    times = {role: median(_seconds_of(run, role) for run in runs) for role in roles}
    return (
        f"{whole}: {', '.join(f'{role} {seconds:.2f}' for role, seconds in times.items())}" if len(roles) > 1 else whole
    )


def _seconds_of(run: Run, role: str) -> float:
    return sum(part.usage.cpu_seconds for part in run.parts if part.role == role)


def _memory(runs: Sequence[Run]) -> str:
    """The largest process of each role."""
    roles = dict.fromkeys(part.role for run in runs for part in run.parts)
    peaks = {role: max(p.usage.own_bytes for run in runs for p in run.parts if p.role == role) for role in roles}
    return ", ".join(f"{role} {format_size(peak)}" for role, peak in peaks.items())


def _number(runs: Sequence[Run], name: str) -> str:
    found = [run.numbers[name] for run in runs if name in run.numbers]
    return written(spread(found)) if found else ""


def _goals(result: Result) -> Iterator[str]:
    if result.figures:
        yield "| goal | wanted | measured | |"
        yield "|---|---|---|---|"
        for figure in result.figures:
            verdict = "reached" if figure.reached else "**not reached**"
            yield f"| {figure.what} | {figure.wanted} | {figure.measured} | {verdict} |"
        yield ""


def _circumstances(result: Result) -> Iterator[str]:
    machine = result.made_by
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    others, stolen = (", ".join(f"{share:.0%}" for share in shares) for shares in (result.others, result.stolen))
    for entry in result.entries:
        yield f"- {entry.name}: {entry.how}"
    yield (
        f"- Machine: {machine.cores} cores of {machine.processor}, {format_size(machine.memory)} of memory, "
        f"{machine.system}; other programs had {others} of the processors, "
        f"the hypervisor kept {stolen}"
    )
    yield f"- Python {machine.python}, {packages}; commit {machine.commit or 'unknown'}, {machine.time}"
    yield f"- Made by `{result.command}`"


def _whole(values: Spread) -> str:
    return f"{values.median:.0f} ({values.lowest:.0f} to {values.highest:.0f})"
