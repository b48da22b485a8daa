"""What a swarm is asked to do, and what its members' numbers add up to.  Pure, but for the paths in the job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from msgspec import Struct


class SwarmJob(Struct, frozen=True):
    """One content, its seeds, and leechers that all begin to fetch it at once."""

    source: Path
    size: int
    chunk: int
    """Bytes of a chunk or piece."""
    seeds: list[int]
    """Upload limits, bytes a second."""
    leechers: list[int]
    """Upload limits, bytes a second; 0: unlimited."""

    @property
    def chunks(self) -> int:
        return -(-self.size // self.chunk)


class Member(Struct, frozen=True):
    """One leecher at its end."""

    at: float
    """When it was complete, monotonic clock."""
    duplicate_bytes: int


def swarm_numbers(job: SwarmJob, begin: float, members: Sequence[Member], seed_sent: int) -> dict[str, float]:
    """The numbers of a run.

    Returns:
        `slowest/median`: of the leechers' times. `duplicate share`: of the bytes that all leechers wanted.
        `seed sent/F`: payload that the seeds sent over the content's size.
    """
    times = [member.at - begin for member in members]
    wanted = job.size * len(members)
    return {
        "slowest/median": round(max(times) / median(times), 4),
        "duplicate share": round(sum(member.duplicate_bytes for member in members) / wanted, 5),
        "seed sent/F": round(seed_sent / job.size, 4),
    }
