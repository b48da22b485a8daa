"""Experiments: swarms of real processes, and the same protocol core in a simulator.

For notebooks: `from experiments import run, sweep, load, compare` (experiments/api.py).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

API: Final = ("Result", "compare", "load", "run", "sweep")


def __getattr__(name: str) -> Any:
    # Late, for whoever imports a part of this package needs neither the tables nor the backends.
    if name in API:
        return getattr(import_module("experiments.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *API})
