"""What is measured: each case makes its material, names its contenders and judges its goals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from experiments.bench.cases import busy, limits, memory, swarm, tracker, transfer
from experiments.bench.contest import Case
from experiments.bench.options import Options

CASES: Final[Mapping[str, Callable[[Options], Sequence[Case[Any]]]]] = {
    "one": transfer.one,
    "disk": transfer.disk,
    "four": transfer.four,
    "small": transfer.small,
    "mixed": transfer.mixed,
    "share": transfer.share,
    "swarm": swarm.equal,
    "swarm-mixed": swarm.mixed,
    "sources": swarm.sources,
    "memory": memory.memory,
    "busy": busy.busy,
    "limits": limits.limits,
    "tracker": tracker.tracker,
}
"""By the name that the command line knows, in the order in which they run."""
