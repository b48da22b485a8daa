"""Shoal as a contender of swarms: a tracker and peers in processes of their own, each with its upload limit."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from bus.errors import ERR_FAILURE, ERR_TIMEOUT, ShoalError
from bus.events import MetricsSample
from bus.rpc import RpcClient
from experiments.bench.downloads import Downloads, check_same
from experiments.bench.peers import Meter, Peers
from experiments.bench.records import Part, Run
from experiments.bench.swarming import Member, SwarmJob, swarm_numbers

_SAMPLED: Final = 10.0
"""Seconds within which a peer must publish its counters anew; it does so every second."""
_LOOK: Final = 0.05


class ShoalSwarm:
    """See the module's head."""

    name = "shoal"
    how = "defaults, encrypted; limits.up of each peer"

    def missing(self) -> str:
        return ""

    def run(self, job: SwarmJob, work: Path) -> Run:
        with Peers(work / "base", [{"limits": {"up": rate}} for rate in (*job.seeds, *job.leechers)]) as peers:
            seeds, leechers = peers.ups[: len(job.seeds)], peers.ups[len(job.seeds) :]
            shared = peers.share(seeds[0], job.source, leechers[0])
            for count, seed in enumerate(seeds[1:], 2):
                peers.share(seed, job.source, leechers[0], count)
            if shared.chunks != job.chunks:
                raise ShoalError(ERR_FAILURE, f"{shared.chunks} chunks were made, {job.chunks} were expected")
            with Downloads(peers, leechers) as downloads:
                meter = Meter(peers.pids)
                begin, ends = downloads.fetch(shared.id)
                used = meter.read()
            sent = [_sent(peers, seed.control) for seed in seeds]
            for _, record in ends.values():
                check_same(job.source, Path(record.path))
        members = [Member(at, record.duplicate_bytes) for at, record in ends.values()]
        numbers = swarm_numbers(job, begin, members, sum(sent))
        taken = {source.peer: source.bytes for _, record in ends.values() for source in record.sources}
        if len(seeds) > 1:
            numbers |= {f"from seed {number}": float(taken.get(seed.id, 0)) for number, seed in enumerate(seeds, 1)}
        roles = [*("seed" for _ in seeds), *("leecher" for _ in leechers), "tracker"]
        parts = [Part(role, usage) for role, usage in zip(roles, used, strict=True)]
        return Run(round(max(member.at for member in members) - begin, 4), parts, numbers)


def _sent(peers: Peers, control: str) -> int:
    """Payload bytes that a peer has sent to all others, by its next sample; it makes one each second."""
    deadline = time.monotonic() + _SAMPLED
    with RpcClient(peers.fleet.context, control) as client:
        before = _sample(client)
        while (sample := _sample(client)) == before:
            if time.monotonic() > deadline:
                raise ShoalError(ERR_TIMEOUT, f"no sample of a seed's counters within {_SAMPLED:g} s")
            time.sleep(_LOOK)
    return round(sample.get("sent_bytes_total", 0))


def _sample(client: RpcClient) -> dict[str, float]:
    samples = client.snapshot(["metrics"]).of(MetricsSample, "metrics")
    return samples[0].values if samples else {}
