"""What a process has used, as the kernel tells: memory at its highest and processor time."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from msgspec import Struct

_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Usage(Struct, frozen=True):
    """One process, since its start or over a span of time."""

    cpu_seconds: float
    """User and system time of all its threads."""
    peak_bytes: int
    """VmHWM: the most memory it ever had resident, everything counted."""
    shared_bytes: int
    """RssShmem when it was read: mapped shared memory (a RAM disk's pages, say), part of what VmHWM counts.

    RssFile is left in: program text is shared with other processes, yet it is this process that needs it.
    """

    @property
    def own_bytes(self) -> int:
        """Peak less shared memory."""
        return self.peak_bytes - self.shared_bytes


def usage_of(pid: int | str = "self") -> Usage:
    """Since the process's start."""
    status = Path(f"/proc/{pid}/status").read_text()
    kib = dict(re.findall(r"^(\w+):\s+(\d+) kB$", status, re.MULTILINE))
    # The second field, the command's name, may hold spaces and brackets; the rest counts from behind the last bracket.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, 1024 * int(kib["VmHWM"]), 1024 * int(kib["RssShmem"]))


def spent(before: Usage, after: Usage) -> Usage:
    """Processor time between two readings of one process; memory as at the second."""
    return Usage(round(after.cpu_seconds - before.cpu_seconds, 3), after.peak_bytes, after.shared_bytes)
