"""`shoal experiment sweep`, and `run` of a scenario with repetitions."""

from __future__ import annotations

import argparse
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from bus.errors import ERR_FAILURE, ERR_PATH, ERR_USAGE, ShoalError
from experiments.result import REPORT
from experiments.sweeping.plan import PLAN, Plan
from experiments.sweeping.running import Runner, Swept, make_plan, read_document, sweep

P = TypeVar("P", bound=argparse.ArgumentParser)


def add_sweep(commands: argparse._SubParsersAction[P]) -> P:
    """The command's options."""
    parser = commands.add_parser(
        "sweep",
        help="run a scenario at every point of a grid, with several seeds",
        description="A sweep that was interrupted goes on where it stopped when its command is given again.",
    )
    parser.add_argument("scenario", type=Path, metavar="SCENARIO.yaml")
    parser.add_argument(
        "--set", action="append", default=[], dest="sets", metavar="KEY=V1,V2,...",
        help="values of a key of the scenario, such as groups.leechers.peers=5,10,20; several: every combination",
    )  # fmt: skip
    parser.add_argument("--seeds", default="", metavar="1-20", help="default: the scenario's seed and repetitions")
    parser.add_argument("--backend", default="", help="instead of the scenario's")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="empty, not there yet, or with this sweep"
    )
    parser.add_argument(
        "--jobs", type=int, default=0, metavar="N",
        help="runs at once; default: all cores, and 1 for runs in real time, which would slow one another",
    )  # fmt: skip
    parser.add_argument("--dask", default="", metavar="ADDRESS", help="run on the Dask cluster with this scheduler")
    return parser


def sweep_command(chosen: argparse.Namespace) -> None:
    """Do what the command line says, and print what came out.

    Raises:
        ShoalError: a mistake, or runs that failed.
    """
    if chosen.jobs < 0 or (chosen.jobs and chosen.dask):
        raise ShoalError(ERR_USAGE, "--jobs: expected a number from 1, without --dask, whose cluster has its own")
    plan = make_plan(chosen.scenario.stem, read_document(chosen.scenario), chosen.sets, chosen.seeds, chosen.backend)
    carry_out(plan, chosen.output, chosen.jobs, chosen.dask, chosen.json)


def repeat(file: Path, backend: str, folder: Path, replace: bool, as_json: bool) -> None:
    """Run a scenario as often as its `repetitions` say.

    Args:
        file: the scenario's.
        backend: instead of the scenario's; empty: the scenario's.
        folder: for the results.
        replace: it may hold earlier results, which are deleted.
        as_json: print the summary as JSON.

    Raises:
        ShoalError: a mistake, or runs that failed.
    """
    plan = make_plan(file.stem, read_document(file), backend=backend)
    try:
        if replace and (folder / PLAN).exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise ShoalError(ERR_PATH, f"{folder} cannot be replaced: {error.strerror}") from None
    carry_out(plan, folder, 0, "", as_json)


def carry_out(plan: Plan, folder: Path, at_once: int, dask: str, as_json: bool) -> None:
    """Do a plan and print what came out.

    Raises:
        ShoalError: a mistake, or runs that failed.
    """
    try:
        swept = sweep(plan, folder, at_once, _cluster(dask, plan) if dask else None)
    except KeyboardInterrupt:
        print("sweep: interrupted; the same command goes on with what is missing", file=sys.stderr)
        raise
    print_swept(swept, folder, as_json)
    if swept.failed:
        count = f"{len(swept.failed)} of {swept.runs} runs"
        raise ShoalError(ERR_FAILURE, f"{count} failed, as told above; the same command tries them again")


def print_swept(swept: Swept, folder: Path, as_json: bool) -> None:
    text = msgspec.json.encode(swept).decode() + "\n" if as_json else (folder / REPORT).read_text()
    print(text, end="", flush=True)


def _cluster(address: str, plan: Plan) -> Runner:
    from experiments.sweeping.cluster import run_on_cluster

    return partial(run_on_cluster, address, plan)
