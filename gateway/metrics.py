"""Prometheus text for the gateway, its peer and a tracker on the same machine.

Peer and tracker publish their counters as events; this is the one place that turns them into text.  The label `process`
says whose they are; no label carries a peer id, a content id or a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

PREFIX: Final = "shoal_"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


def metrics_text(samples: Mapping[str, Mapping[str, float]]) -> bytes:
    """The samples of several processes (process -> name without prefix -> value) in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Samples(samples))
    return generate_latest(registry)


class _Samples:
    """What prometheus_client asks for the current values."""

    def __init__(self, samples: Mapping[str, Mapping[str, float]]) -> None:
        self._samples = samples

    def collect(self) -> Iterable[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for process, values in self._samples.items():
            for name, value in values.items():
                if not _NAME.fullmatch(name):
                    continue  # made by a newer peer; its other numbers are still worth having
                families.setdefault(name, _family(name)).add_metric([process], value)
        return families.values()


def _family(name: str) -> CounterMetricFamily | GaugeMetricFamily:
    words = name.removesuffix("_total").replace("_", " ")
    if name.endswith("_total"):
        return CounterMetricFamily(PREFIX + name, f"{words} since the process started", labels=["process"])
    return GaugeMetricFamily(PREFIX + name, f"{words} now", labels=["process"])
