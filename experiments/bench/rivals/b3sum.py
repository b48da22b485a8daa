"""b3sum: the hash that Shoal uses, by its authors' own program."""

from __future__ import annotations

import os
import time
from pathlib import Path

from experiments.bench.children import Children, wait_all
from experiments.bench.records import Part, Run
from experiments.bench.rivals.serving import missing, program, version
from experiments.bench.transferring import TransferJob


class B3sum:
    """One file, with as many threads as there are processors."""

    name = "b3sum"

    def __init__(self) -> None:
        self._options = [f"--num-threads={len(os.sched_getaffinity(0))}"]

    @property
    def how(self) -> str:
        return f"{version('b3sum', '--version')}: b3sum {' '.join(self._options)} FILE"

    def missing(self) -> str:
        return missing("b3sum")

    def run(self, job: TransferJob, work: Path) -> Run:
        with Children(work) as children:
            begin = time.monotonic()
            child = children.start([program("b3sum"), *self._options, str(job.source)], "b3sum")
            ended = wait_all([child])[0]
        return Run(round(ended.at - begin, 4), [Part("b3sum", ended.usage)])
