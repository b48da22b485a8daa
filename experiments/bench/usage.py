"""What a process has used, as the kernel tells: memory at its highest and processor time."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Final

import msgspec
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

    resident_bytes: int = 0
    """VmRSS when it was read, everything counted."""

    @property
    def own_bytes(self) -> int:
        """Peak less shared memory."""
        return self.peak_bytes - self.shared_bytes


def usage_of(pid: int | str = "self", with_children: bool = False) -> Usage:
    """Since the process's start.

    Args:
        pid: of a process, or `self`.
        with_children: count the processor time of children that ended and were waited for too.

    Raises:
        OSError: there is no such process.
    """
    # One that has ended and was not waited for yet has no memory to tell of.
    status = Path(f"/proc/{pid}/status").read_text()
    kib = dict(re.findall(r"^(\w+):\s+(\d+) kB$", status, re.MULTILINE))
    # The second field, the command's name, may hold spaces and brackets; the rest counts from behind the last bracket.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(field) for field in fields[11 : 15 if with_children else 13])
    peak, shared, resident = (1024 * int(kib.get(name, 0)) for name in ("VmHWM", "RssShmem", "VmRSS"))
    return Usage(ticks / _TICKS, peak, shared, resident)


class Others:
    """How much of the machine went to others, from the making of this to the asking."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._busy, self._stolen = _machine_seconds()
        self._own = _own_seconds()

    def share(self) -> float:
        """What other programs had of all processors' time, 0 to 1.  Own children count once ended."""
        return self._of_all(_machine_seconds()[0] - self._busy - (_own_seconds() - self._own))

    def stolen(self) -> float:
        """What the hypervisor kept of all processors' time while there was work for them, 0 to 1."""
        return self._of_all(_machine_seconds()[1] - self._stolen)

    def _of_all(self, seconds: float) -> float:
        capacity = (time.monotonic() - self._begin) * (os.cpu_count() or 1)
        return round(min(1.0, max(0.0, seconds / capacity)), 3) if capacity else 0.0


def _machine_seconds() -> tuple[float, float]:
    """Of all processors together, since the machine's start: busy, and stolen by a hypervisor."""
    # user nice system idle iowait irq softirq steal; guests are counted in user.  proc_stat(5)
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields[:3]) + sum(fields[5:7])) / _TICKS, fields[7] / _TICKS


def _own_seconds() -> float:
    """This process and its descendants that ended and were waited for."""
    return sum(os.times()[:4])


def spent(before: Usage, after: Usage) -> Usage:
    """Processor time between two readings of one process; memory as at the second."""
    return msgspec.structs.replace(after, cpu_seconds=round(after.cpu_seconds - before.cpu_seconds, 3))
