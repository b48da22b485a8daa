"""`python -m experiments.validate`: how near the simulator is to real processes (docs/experiments/validation.md).

Three scenarios run on `processes` and on `sim`, and the recordings are held against each other.
Exits 1 if one of the limits of experiments/agreement.py is missed.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

import msgspec
from msgspec import Struct

from bus.errors import ERR_USAGE, FAILURE, INTERRUPTED, OK, ShoalError
from bus.units import format_size
from experiments.agreement import Agreement, agreement
from experiments.busy import Busy
from experiments.figures.agreement import Panel, draw_agreement
from experiments.figures.style import check_drawing
from experiments.interrupting import interrupt_on_sigterm
from experiments.provenance import Provenance
from experiments.runner import run
from experiments.scenario import read_scenario
from experiments.summary import SUMMARY, read_summary
from experiments.tables.folder import read_tables
from experiments.tables.making import Tables
from experiments.tables.recording import read_heard

NAMES: Final = ("downloads", "arrivals", "seeds")
SCENARIOS: Final = Path(__file__).parent / "scenarios"
PAGE: Final = Path(__file__).parents[1] / "docs" / "experiments" / "validation.md"
FIGURE: Final = "validation"
JSON: Final = "validation.json"
CROWDED: Final = 0.75
"""Of all processors' time: from here on a run says more of the machine than of the scenario. Where processors are fast
enough 0.4 is in use."""
BEGIN, END = "<!-- written by make validate -->", "<!-- end of what make validate writes -->"


class Validation(Struct, frozen=True):
    """One scenario."""

    scenario: str
    rounds: list[Agreement]
    """Real against simulated, each round with its own seed."""
    chance: list[Agreement]
    """Every real run against every later one: what no simulator could do better."""
    busy: list[float]
    """Of each real run: the share of all processors' time that was in use while the peers fetched."""


class Result(Struct, frozen=True):
    """All of it."""

    made_by: Provenance
    """Of the first real run."""
    validations: list[Validation]

    @property
    def missed(self) -> list[str]:
        """The limits that are not kept, in words."""
        return [
            f"{one.scenario}, round {number}: {words}{_excuse(busy)}"
            for one in self.validations
            for number, (found, busy) in enumerate(zip(one.rounds, one.busy, strict=True), 1)
            for words in found.missed
        ]


def _excuse(busy: float) -> str:
    if busy < CROWDED:
        return ""
    return f" (with {busy:.0%} of the processors in use these decide, which the simulator leaves out)"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.validate", description="Real peers beside simulated.")
    parser.add_argument("-o", "--output", type=Path, default=Path("results/validation"), metavar="DIR")
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="each with the next seed (default: 2)")
    parser.add_argument("--only", choices=NAMES, action="append", help="only this scenario; may be repeated")
    parser.add_argument("--keep", action="store_true", help="use the runs that DIR has, and make those that it lacks")
    parser.add_argument("--record", action="store_true", help="write the figure and the table into the documents")
    return parser.parse_args(arguments)


def validate(name: str, folder: Path, rounds: int, keep: bool) -> Validation:
    """One scenario, on both backends, so many times.

    Raises:
        ShoalError: a run failed.
    """
    busy = []
    real: list[Tables] = []
    found = []
    for seed in range(1, rounds + 1):
        places = [_place(folder, name, backend, seed) for backend in ("processes", "sim")]
        busy.append(_real(name, places[0], seed, keep))
        if not (keep and (places[1] / SUMMARY).exists()):
            _run(name, places[1], "sim", seed)
        tables = [read_tables(place) for place in places]
        real.append(tables[0])
        found.append(agreement(*tables))
    chance = [agreement(one, other) for one, other in itertools.combinations(real, 2)]
    return Validation(name, found, chance, busy)


def _place(folder: Path, name: str, backend: str, seed: int) -> Path:
    return folder / name / backend / str(seed)


def _real(name: str, place: Path, seed: int, keep: bool) -> float:
    """The run with real peers; returns how busy the processors were."""
    kept = place / "busy.json"
    if keep and kept.exists():
        return msgspec.json.decode(kept.read_bytes(), type=float)
    with Busy() as busy:
        _run(name, place, "processes", seed)
    times = [heard.time for heard in read_heard(place) if heard.type in ("transfer.started", "transfer.completed")]
    share = busy.share(times[0], times[-1])
    kept.write_bytes(msgspec.json.encode(share))
    return share


def _run(name: str, place: Path, backend: str, seed: int) -> None:
    file = SCENARIOS / f"validate-{name}.yaml"
    run(read_scenario(file), file.stem, place, replace=True, backend=backend, seed=seed)


# --- for people ---------------------------------------------------------------------------------


def table(result: Result) -> Iterator[str]:
    """The figures as a Markdown table: the worst round, and the range of what chance makes of two real runs."""
    heads = ["scenario", "median, real", "simulated", "difference", "order", "bytes by source", "two real runs", "busy"]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for one in result.validations:
        rounds = one.rounds
        cells = [
            f"`validate-{one.scenario}`",
            f"{fmean(found.median_real for found in rounds):.2f} s",
            f"{fmean(found.median_simulated for found in rounds):.2f} s",
            f"{max((found.median_error for found in rounds), key=abs):+.1%}",
            f"{min(found.order for found in rounds):.2f}",
            f"{max(found.bytes_error for found in rounds):.1%}",
            _chance(one.chance),
            f"{max(one.busy):.0%}",
        ]
        yield f"| {' | '.join(cells)} |"


def _chance(found: Sequence[Agreement]) -> str:
    if not found:
        return "one run"
    middle = max((one.median_error for one in found), key=abs)
    return f"{middle:+.1%}, {min(one.order for one in found):.2f}, {max(one.bytes_error for one in found):.1%}"


def circumstances(result: Result) -> str:
    """Where it was measured."""
    made = result.made_by
    packages = ", ".join(f"{name} {version}" for name, version in made.packages.items() if name in ("pyzmq", "msgspec"))
    return (
        f"{made.cores} cores of {made.processor}, {format_size(made.memory)} of memory, {made.system}, Python "
        f"{made.python}, {packages}; commit {made.commit or 'unknown'}, {made.time}."
    )


def write_part(page: Path, lines: Sequence[str]) -> None:
    """Replace what stands between the two marks of a page.

    Raises:
        ShoalError: ERR_USAGE, the page has no such marks.
    """
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ShoalError(ERR_USAGE, f"{page} has no lines {BEGIN} and {END}")
    text = "\n".join(lines)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def main(arguments: Sequence[str]) -> int:
    try:
        return carry_out(parse(arguments))
    except ShoalError as error:
        print(f"shoal: {error}", file=sys.stderr)
        return error.outcome.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED


def carry_out(chosen: argparse.Namespace) -> int:
    """The exit code: 1 if a limit is missed.

    Raises:
        ShoalError: a run failed.
    """
    check_drawing()
    folder = chosen.output
    names = chosen.only or NAMES
    found = [validate(name, folder, chosen.rounds, chosen.keep) for name in names]
    result = Result(read_summary(_place(folder, names[0], "processes", 1)).made_by, found)
    (folder / JSON).write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    draw_agreement(folder / FIGURE, [Panel(one.scenario, one.rounds) for one in result.validations])
    lines = [*table(result), "", circumstances(result)]
    print("\n".join(lines))
    if chosen.record:
        shutil.copy(folder / f"{FIGURE}.png", PAGE.parent)
        write_part(PAGE, lines)
    for line in result.missed:
        print(f"MISSED: {line}", file=sys.stderr)
    return FAILURE if result.missed else OK


if __name__ == "__main__":
    interrupt_on_sigterm()
    sys.exit(main(sys.argv[1:]))
