"""Shoal as a contender of hashing: a fresh peer is told to share a file."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bus.messages import Shared, SharePath
from experiments.bench.peers import Meter, Peers
from experiments.bench.records import Part, Run
from experiments.bench.transferring import TransferJob


class ShoalShare:
    """Timed from the request to its answer: hashed, in the catalogue, announced."""

    name = "shoal"

    def __init__(self) -> None:
        self.how = f"shoal share FILE, {len(os.sched_getaffinity(0))} processors"

    def missing(self) -> str:
        return ""

    def run(self, job: TransferJob, work: Path) -> Run:
        with Peers(work / "base", [{}]) as peers:
            meter = Meter(peers.pids[:1])
            begin = time.monotonic()
            peers.ask(peers.ups[0], SharePath(0, str(job.source)), Shared)
            seconds = time.monotonic() - begin
            (used,) = meter.read()
        return Run(round(seconds, 4), [Part("peer", used)])
