"""What the swarm asks of its tracker."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import polars as pl
from msgspec import Struct

REQUESTS: Final = "tracker_requests_total"


class TrackerLoad(Struct, frozen=True):
    """Requests to the tracker between its first and its last sample."""

    requests: int
    seconds: float
    mean: float
    """Requests a second."""
    peak: float
    """Requests a second between two samples, at most."""


class Rate(Struct, frozen=True):
    """Requests a second between two samples."""

    begin: float
    """Seconds since time 0."""
    end: float
    requests: float
    """A second."""


def request_rates(tracker: pl.DataFrame) -> list[Rate]:
    """Requests a second from each sample to the next, in the order of time.

    A counter that falls began anew with the tracker, at 0.
    """
    rows = tracker.filter(pl.col("name") == REQUESTS).select("time", "value").unique("time").sort("time").rows()
    return [
        Rate(then, now, (value - before if value >= before else value) / (now - then))
        for (then, before), (now, value) in pairwise(rows)
    ]


def tracker_load(rates: list[Rate]) -> TrackerLoad | None:
    """The load that these rates make; None without any."""
    if not rates:
        return None
    requests = sum(rate.requests * (rate.end - rate.begin) for rate in rates)
    seconds = rates[-1].end - rates[0].begin
    peak = max(rate.requests for rate in rates)
    return TrackerLoad(round(requests), round(seconds, 3), round(requests / seconds, 3), round(peak, 3))
