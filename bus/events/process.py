"""What a process says of itself: its start, its end, its heartbeats and its counters."""

from __future__ import annotations

from bus.events.declaring import Event, declare


@declare("peer.started", section="peer")
class PeerStarted(Event, frozen=True):
    """A peer process is ready."""

    name: str
    id: str
    version: str
    started: float
    """Wall clock, seconds since 1970."""
    data: str
    """Endpoint of the data socket."""
    download_dir: str


@declare("peer.stopping")
class PeerStopping(Event, frozen=True):
    """The peer stops gracefully."""

    reason: str


@declare("heartbeat.peer")
class PeerHeartbeat(Event, frozen=True):
    """Once a second: the seq of the newest event of every stream, so that silence is proof."""

    seqs: dict[str, int]


@declare("heartbeat.tracker")
class TrackerHeartbeat(Event, frozen=True):
    """Once a second, from the tracker; as the peer's."""

    seqs: dict[str, int]


@declare("metrics.sample", section="metrics")
class MetricsSample(Event, frozen=True):
    """Counters and gauges of the process since its start, by Prometheus name without the prefix."""

    values: dict[str, float]
