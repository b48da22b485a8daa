"""The command line of `make bench`: Shoal beside other programs and beside the least that could do the same work.

Every case is measured in rounds in which all contenders meet; what comes out is printed, kept as JSON, Markdown and
SVG, and with `--record` written into docs/PERFORMANCE.md, one part for each case.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from bus.errors import FAILURE, INTERRUPTED, OK, ShoalError
from bus.units import parse_size
from experiments.bench.cases import CASES
from experiments.bench.chart import draw
from experiments.bench.contest import Contest, say
from experiments.bench.options import RAM_DISK, RESULTS, Options
from experiments.bench.page import RECORD, markdown, record
from experiments.bench.records import Result
from experiments.figures.style import check_drawing

PROGRAM: Final = "python -m experiments.bench"


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, Options]:
    """The command line, and what of it is for the cases."""
    parser = argparse.ArgumentParser(PROGRAM, description="Shoal beside other programs.")
    names = ", ".join(CASES)
    parser.add_argument("--cases", default=",".join(CASES), metavar="NAMES", help=f"of {names} (default: all)")
    parser.add_argument("--contenders", default="", metavar="NAMES", help="their names (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="beside the warm-up (default: 5)")
    parser.add_argument("--no-warm-up", action="store_true", help="the first round counts already")
    parser.add_argument("--size", type=_size, metavar="SIZE", help="of each case's content, for quick tries")
    parser.add_argument("--leechers", type=_counts, default=(10, 20), metavar="N,...", help="of the swarms (10,20)")
    parser.add_argument("--files", type=int, default=10_000, help="in the tree of small files (default: 10000)")
    parser.add_argument("--ram-disk", type=Path, default=RAM_DISK, metavar="DIR", help=f"default: {RAM_DISK}")
    parser.add_argument("--disk", type=Path, default=RESULTS, metavar="DIR", help="a folder on a real disk")
    parser.add_argument(
        "-o", "--output", type=Path, default=RESULTS, metavar="DIR", help="for bench.json, .md and .svg"
    )
    parser.add_argument("--record", action="store_true", help="write the tables into docs/PERFORMANCE.md too")
    chosen = parser.parse_args(arguments)
    chosen.cases = chosen.cases.split(",")
    unknown = [name for name in chosen.cases if name not in CASES]
    if unknown:
        parser.error(f"--cases: there is no {', '.join(unknown)}; there are {names}")
    if chosen.rounds < 1 or chosen.files < 1 or min(chosen.leechers) < 1:
        parser.error("--rounds, --files and --leechers are at least 1")
    contenders = tuple(filter(None, chosen.contenders.split(",")))
    if chosen.record and contenders:
        parser.error("--record and --contenders do not go together: the recorded table would lack the others")
    options = Options(
        chosen.size, chosen.rounds, chosen.leechers, chosen.files, contenders, chosen.ram_disk, chosen.disk
    )
    return chosen, options


def _size(text: str) -> int:
    try:
        size = parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if size < 1:
        raise argparse.ArgumentTypeError("at least one byte is needed")
    return size


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def run(arguments: Sequence[str]) -> int:
    """Measure, print, keep; exit code 1 if a goal is not reached."""
    chosen, options = parse(arguments)
    check_drawing()
    command = " ".join([PROGRAM, *arguments])
    for folder in (options.disk, chosen.output):
        folder.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    said: set[str] = set()

    def note(line: str) -> None:
        if line not in said:  # what is absent is absent from many cases, and is said once
            said.add(line)
            say(line)

    for name in chosen.cases:
        for case in CASES[name](options):
            if not case.contenders:
                say(f"{case.name} has none of these contenders: {', '.join(options.contenders)}")
                continue
            result = Contest(case, options.rounds, note, not chosen.no_warm_up).measure(command)
            results.append(result)
            text = markdown(result)
            print(text, flush=True)
            if chosen.record:
                record(result.case, text, RECORD)
            keep(results, chosen.output)
    missed = [f"{result.case}: {figure.what}" for result in results for figure in result.figures if not figure.reached]
    for line in missed:
        say(f"NOT REACHED: {line}")
    return FAILURE if missed else OK


def keep(results: Sequence[Result], folder: Path) -> None:
    """Write what there is so far: a run that breaks off leaves the cases before."""
    (folder / "bench.json").write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    (folder / "bench.md").write_text("\n".join(markdown(result) for result in results))
    draw(folder / "bench.svg", results)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(INTERRUPTED))  # so that everything is put away
    try:
        return run(sys.argv[1:])
    except ShoalError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.outcome.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
