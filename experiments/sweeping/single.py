"""`python -m experiments.sweeping.single DIR POINT SEED`: one run of the sweep in DIR."""

from __future__ import annotations

import sys
from pathlib import Path

from bus.errors import INTERRUPTED, OK, ShoalError
from experiments.interrupting import interrupt_on_sigterm
from experiments.runner import run
from experiments.scenario import scenario_of
from experiments.sweeping.plan import Job, Plan, jobs_of, read_plan


def carry_out(plan: Plan, job: Job) -> None:
    """Do one run of a plan.

    Raises:
        ShoalError: why it failed.
    """
    scenario = scenario_of(job.point.document)
    run(scenario, plan.scenario, job.folder, seed=job.seed, report=plan.draws)


def main() -> int:
    folder, point, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    try:
        plan = read_plan(folder)
        carry_out(plan, next(job for job in jobs_of(plan, folder) if (job.point.number, job.seed) == (point, seed)))
    except ShoalError as error:
        print(f"shoal: {error}", file=sys.stderr)
        return error.outcome.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    return OK


if __name__ == "__main__":
    interrupt_on_sigterm()
    sys.exit(main())
