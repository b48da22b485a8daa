"""Numbers in words."""

from __future__ import annotations

from typing import assert_never

from bus.units import format_rate, format_size
from experiments.metrics.catalogue import Unit
from experiments.statistics import Interval

UNKNOWN = "–"


def amount(value: float | None, unit: Unit) -> str:
    """A value with its unit."""
    if value is None:
        return UNKNOWN
    match unit:
        case "s":
            return f"{value:.2f} s"
        case "bytes/s":
            return format_rate(value)
        case "share":
            return f"{value:.1%}"
        case "copies" | "index" | "score":
            return f"{value:.3f}"
        case "requests/s":
            return f"{value:.2f}/s"
        case "bytes":
            return format_size(round(value))
        case "count":
            return f"{value:g}"
    assert_never(unit)


def interval(found: Interval, unit: Unit) -> str:
    """A value's 95% interval, or that there is none."""
    if found.low is None or found.high is None:
        return UNKNOWN
    return f"{amount(found.low, unit)} to {amount(found.high, unit)}"


def number(value: float | None) -> str:
    """Seconds or another plain number, two digits behind the point."""
    return UNKNOWN if value is None else f"{value:.2f}"
