"""What `shoal experiment run`, `sweep` and `report` do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from bus.errors import ERR_USAGE, ShoalError
from experiments import runner
from experiments.result import write_anew
from experiments.scenario import read_scenario
from experiments.summary import Repetitions, Summary
from experiments.sweeping.plan import PLAN, Plan, parse_plan, read_document
from experiments.sweeping.running import Runner, Swept, carry_out, sweep_anew

Result = Summary | Repetitions | Swept


def run(chosen: argparse.Namespace) -> Result:
    """One run, or as many as the scenario's `repetitions` say: those go to runs/SEED.

    Raises:
        ShoalError: a mistake, or the one run failed.
    """
    file, folder, seed = chosen.scenario, chosen.output, chosen.seed
    scenario = read_scenario(file)
    if scenario.repetitions == 1:
        return runner.run(scenario, file.stem, folder, chosen.replace, chosen.backend, seed)
    seeds = "" if seed is None else f"{seed}-{seed + scenario.repetitions - 1}"
    plan = parse_plan(file.stem, read_document(file), seeds=seeds, backend=chosen.backend or "")
    if chosen.replace:
        runner.remove_result(folder)
    return _told(plan, folder)


def sweep(chosen: argparse.Namespace) -> Swept:
    """A grid.

    Raises:
        ShoalError: a mistake; runs that fail raise nothing.
    """
    if chosen.jobs < 0 or (chosen.jobs and chosen.dask):
        raise ShoalError(ERR_USAGE, "--jobs: expected a number from 1, and not beside --dask")
    plan = parse_plan(chosen.scenario.stem, read_document(chosen.scenario), chosen.sets, chosen.seeds, chosen.backend)
    return _told(plan, chosen.output, chosen.jobs, _cluster(chosen.dask, plan) if chosen.dask else None)


def report(chosen: argparse.Namespace) -> Result:
    """All that is made from what was recorded, anew.

    Raises:
        ShoalError: there is no result.
    """
    if (chosen.folder / PLAN).exists():
        return sweep_anew(chosen.folder)
    return write_anew(chosen.folder)


def _told(plan: Plan, folder: Path, at_once: int = 0, runner: Runner | None = None) -> Swept:
    try:
        return carry_out(plan, folder, at_once, runner)
    except KeyboardInterrupt:
        print("sweep: interrupted; the same command goes on with what is missing", file=sys.stderr)
        raise


def _cluster(address: str, plan: Plan) -> Runner:
    if "://" in address and not address.startswith(("tcp://", "tls://")):
        raise ShoalError(ERR_USAGE, f"--dask: expected tcp://HOST:PORT or tls://HOST:PORT, found {address!r}")
    from experiments.sweeping.cluster import run_on_cluster

    return partial(run_on_cluster, address, plan)


COMMANDS: Final[Mapping[str, Callable[[argparse.Namespace], Result]]] = {"run": run, "sweep": sweep, "report": report}
