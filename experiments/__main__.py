"""`python -m experiments`: run an experiment or a sweep of them, or make a report anew."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from bus.errors import ERR_USAGE, INTERRUPTED, OK, ShoalError
from experiments.result import REPORT, Summary, read_conditions, write_result
from experiments.runner import BACKENDS, run
from experiments.scenario import read_scenario
from experiments.sweeping.command import add_sweep, repeat, sweep_command


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
    running.add_argument("--backend", choices=tuple(BACKENDS), help="instead of the scenario's")
    running.add_argument("--seed", type=int, metavar="N", help="instead of the scenario's")
    running.add_argument("--replace", action="store_true", help="DIR may hold an earlier result, which is deleted")
    reporting = commands.add_parser("report", help="make summary, report and figures anew from the recorded events")
    reporting.add_argument("folder", type=Path, metavar="DIR")
    comparing = commands.add_parser("compare", help="compare two results (not in this version)")
    comparing.add_argument("folders", type=Path, nargs=2, metavar="DIR")
    for command in (running, reporting, comparing, add_sweep(commands)):
        command.add_argument("--json", action="store_true", help="print the summary as JSON")
    return parser.parse_args(arguments)


def carry_out(chosen: argparse.Namespace) -> None:
    """Do what the command line says."""
    match chosen.command:
        case "run":
            scenario = read_scenario(chosen.scenario)
            if scenario.repetitions > 1 and chosen.seed is None:
                repeat(chosen.scenario, chosen.backend or "", chosen.output, chosen.replace, chosen.json)
            else:
                name, folder = chosen.scenario.stem, chosen.output
                tell(run(scenario, name, folder, chosen.replace, chosen.backend, chosen.seed), folder, chosen.json)
        case "sweep":
            sweep_command(chosen)
        case "report":
            tell(write_result(chosen.folder, read_conditions(chosen.folder)), chosen.folder, chosen.json)
        case _:
            raise ShoalError(ERR_USAGE, "compare is not in this version; compare the metrics in the two summary.json")


def tell(summary: Summary, folder: Path, as_json: bool) -> None:
    """Print what came out."""
    print(msgspec.json.encode(summary).decode() + "\n" if as_json else (folder / REPORT).read_text(), end="")


def main() -> int:
    try:
        carry_out(parse(sys.argv[1:]))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has what it wanted. Python would complain once more while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ShoalError as error:
        print(f"shoal: {error}", file=sys.stderr)
        return error.outcome.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    return OK


if __name__ == "__main__":
    sys.exit(main())
