"""Shoal as a contender of transfers: a tracker, one peer that shares, and some that fetch at once."""

from __future__ import annotations

from pathlib import Path

from experiments.bench.downloads import Downloads, check_same
from experiments.bench.peers import Meter, Peers, Sections
from experiments.bench.records import Part, Run
from experiments.bench.transferring import TransferJob


class ShoalTransfer:
    """Timed from the first request until the last `transfer.completed` is heard: all lies under its name then.

    Args:
        encrypted: as by default; else `security.encryption` is false at all peers.
    """

    def __init__(self, encrypted: bool = True) -> None:
        self.name = "shoal" if encrypted else "shoal-clear"
        self.how = "defaults, encrypted" if encrypted else "defaults but security.encryption: false"
        self._sections: Sections = {} if encrypted else {"security": {"encryption": False}}

    def missing(self) -> str:
        return ""

    def run(self, job: TransferJob, work: Path) -> Run:
        with Peers(work / "base", [self._sections] * (1 + job.receivers)) as peers:
            sender, *receivers = peers.ups
            content = peers.share(sender, job.source, receivers[0]).id
            with Downloads(peers, receivers) as downloads:
                meter = Meter(peers.pids)
                begin, ends = downloads.fetch(content)
                used = meter.read()
            for _, record in ends.values():
                check_same(job.source, Path(record.path))
        roles = ["sender", *("receiver" for _ in receivers), "tracker"]
        parts = [Part(role, usage) for role, usage in zip(roles, used, strict=True)]
        return Run(round(max(at for at, _ in ends.values()) - begin, 4), parts)
