"""`shoal experiment`: run an experiment or a sweep of them, make a report anew, or compare two results."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from bus.errors import ERR_FAILURE, ERR_USAGE, INTERRUPTED, OK, ShoalError
from experiments.figures.style import check_drawing

REGRESSION: Final = 1
"""Exit code of a comparison that found one."""


class Arguments(argparse.ArgumentParser):
    """Reports a wrong command line as every other error is reported."""

    def error(self, message: str) -> NoReturn:
        raise ShoalError(ERR_USAGE, f"{message}; see {self.prog} --help")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Arguments("shoal experiment", description="Experiments on swarms of peers, real or simulated.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Arguments)
    running = commands.add_parser("run", help="run a scenario and write its result into a folder")
    running.add_argument("scenario", type=Path, metavar="SCENARIO.yaml")
    running.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="empty, or not there yet")
    running.add_argument("--backend", choices=("processes", "inproc", "sim"), help="instead of the scenario's")
    running.add_argument("--seed", type=int, metavar="N", help="instead of the scenario's")
    running.add_argument("--replace", action="store_true", help="DIR may hold a result, whole or not, which is deleted")
    reporting = commands.add_parser("report", help="make all but the recorded events anew from them")
    reporting.add_argument("folder", type=Path, metavar="DIR")
    comparing = commands.add_parser("compare", help="what changed from one result to another; 1 if it got worse")
    comparing.add_argument("before", type=Path, metavar="A")
    comparing.add_argument("after", type=Path, metavar="B")
    comparing.add_argument("--threshold", type=part, default=0.05, metavar="5%", help="a worse change is a regression")
    comparing.add_argument("--metric", action="append", default=[], metavar="NAME", help="only this; may be repeated")
    comparing.add_argument("-o", "--output", type=Path, metavar="DIR", help="leave compare.json and a figure there")
    for command in (running, _add_sweep(commands), reporting, comparing):
        command.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser.parse_args(arguments)


def _add_sweep(commands: argparse._SubParsersAction[Arguments]) -> Arguments:
    sweeping = commands.add_parser(
        "sweep",
        help="run a scenario at every point of a grid, with several seeds",
        description="A sweep that was interrupted goes on where it stopped when its command is given again.",
    )
    sweeping.add_argument("scenario", type=Path, metavar="SCENARIO.yaml")
    sweeping.add_argument(
        "--set", action="append", default=[], dest="sets", metavar="KEY=V1,V2,...",
        help="values of a key of the scenario, such as groups.leechers.peers=5,10,20; several: every combination",
    )  # fmt: skip
    sweeping.add_argument("--seeds", default="", metavar="1-20", help="default: the scenario's seed and repetitions")
    sweeping.add_argument("--backend", default="", metavar="NAME", help="instead of the scenario's")
    sweeping.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="empty, not there yet, or with this sweep"
    )
    sweeping.add_argument(
        "--jobs", type=int, default=0, metavar="N",
        help="runs at once; default: all cores, and 1 for runs in real time, which would slow one another",
    )  # fmt: skip
    sweeping.add_argument("--dask", default="", metavar="ADDRESS", help="run on the Dask cluster with this scheduler")
    return sweeping


def part(text: str) -> float:
    """`5%` or `0.05`."""
    value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= value < float("inf"):
        raise ValueError(text)
    return value


def carry_out(chosen: argparse.Namespace) -> int:
    """Do what the command line says; returns the exit code."""
    check_drawing()
    if chosen.command == "compare":
        return _compare(chosen)
    from experiments.result import REPORT
    from experiments.sweeping import command
    from experiments.sweeping.running import Swept

    folder: Path = chosen.folder if chosen.command == "report" else chosen.output
    result = command.COMMANDS[chosen.command](chosen)
    if isinstance(result, Swept) and not result.done and not chosen.json:
        result.raise_if_failed()  # repetitions without a result have no report
    _print(msgspec.json.encode(result).decode() + "\n" if chosen.json else (folder / REPORT).read_text())
    if isinstance(result, Swept):
        result.raise_if_failed()
    _check_heard(result.events_lost if isinstance(result, Swept) else sum(result.events_lost.values()))
    return OK


def _check_heard(lost: int) -> None:
    if lost:
        told = f"{lost} events were lost, so the numbers are not to be trusted: run it again with less beside it"
        raise ShoalError(ERR_FAILURE, told)


def _compare(chosen: argparse.Namespace) -> int:
    from experiments.comparing import as_text, compare, write_comparison

    comparison = compare(chosen.before, chosen.after, chosen.threshold, chosen.metric)
    if chosen.output is not None:
        write_comparison(chosen.output, comparison)
    _print(msgspec.json.encode(comparison).decode() + "\n" if chosen.json else as_text(comparison))
    return REGRESSION if comparison.regressions else OK


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main() -> int:
    try:
        return carry_out(parse(sys.argv[1:]))
    except BrokenPipeError:
        # The reader has what it wanted. Python would complain once more while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except ShoalError as error:
        print(f"shoal: {error}", file=sys.stderr)
        return error.outcome.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
