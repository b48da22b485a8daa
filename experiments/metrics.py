"""What the events of one experiment add up to.  Pure: recorded envelopes in, numbers out.

Time 0 is the first `transfer.started` of any leecher; wall clocks are compared, so all processes must share one.
Bytes between peers are those that the receiver verified, as its `transfer.completed` counts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from msgspec import Struct

from bus.codec import event_of
from bus.errors import ERR_FAILURE, ShoalError
from bus.events import ContentShared, Envelope, Event, Transfer, TransferCompleted, TransferStarted
from experiments.scenario import Limits

Recorded = Mapping[str, Sequence[Envelope]]
"""Process -> its events in order."""
Curve = list[tuple[float, float]]
"""(seconds, share of the content that is verified), rising."""


class Download(Struct, frozen=True):
    """One leecher's."""

    peer: str
    started: float
    """Seconds since time 0."""
    completed: float
    """Seconds since time 0."""
    bytes: int
    goodput: float
    """Verified bytes a second from its own start to its completion."""
    duplicate_bytes: int
    rejected_bytes: int
    optimum_share: float | None = None
    """How much of the optimum it reached by its own account, from rates that peers told one another; None: unknown."""


class Matrix(Struct, frozen=True):
    """Who gave how much to whom."""

    peers: list[str]
    """The seed first, then the leechers by name."""
    bytes: list[list[int]]
    """`bytes[i][j]`: from peer i to peer j."""


class Metrics(Struct, frozen=True):
    """One experiment."""

    content: str
    size: int
    seed_peer: str
    downloads: list[Download]
    """By name."""
    first_completion: float
    """Seconds since time 0, as the next two."""
    median_completion: float
    last_completion: float
    goodput: float
    """Verified bytes a second of all leechers together, until the last completion."""
    duplicate_bytes: int
    rejected_bytes: int
    seed_share: float
    """Of all verified bytes, the share that came from the seed; 1 / leechers at best."""
    bound_seconds: float | None
    """No swarm could end before; None without rate limits."""
    share_of_bound: float | None
    """bound_seconds / last_completion; 1 is perfect."""
    matrix: Matrix


def measure(recorded: Recorded, limits: Limits) -> Metrics:
    """All numbers of an experiment whose downloads are complete.

    Raises:
        ShoalError: ERR_FAILURE, the events tell of no shared content or of a leecher that did not complete.
    """
    seed, content = _shared(recorded)
    ended = {peer: _ended(peer, recorded[peer], content.id) for peer in leechers(recorded, content.id)}
    if not ended:
        raise ShoalError(ERR_FAILURE, f"the events tell of no download of {content.id}")
    zero = time_zero(recorded, content.id)
    downloads = [_download(peer, *row, zero) for peer, row in sorted(ended.items())]
    completions = [row.completed for row in downloads]
    last = max(completions)
    matrix = _matrix(recorded, seed, {peer: completed for peer, (_, _, completed) in ended.items()})
    bound = bound_seconds(content.size, len(downloads), limits)
    return Metrics(
        content=content.id,
        size=content.size,
        seed_peer=seed,
        downloads=downloads,
        first_completion=min(completions),
        median_completion=round(median(completions), 3),
        last_completion=last,
        goodput=_rate(sum(row.bytes for row in downloads), last),
        duplicate_bytes=sum(row.duplicate_bytes for row in downloads),
        rejected_bytes=sum(row.rejected_bytes for row in downloads),
        seed_share=round(sum(matrix.bytes[0]) / max(1, sum(map(sum, matrix.bytes))), 4),
        bound_seconds=bound,
        share_of_bound=round(bound / last, 4) if bound is not None and last else None,
        matrix=matrix,
    )


def bound_seconds(size: int, count: int, limits: Limits) -> float | None:
    """Least time in which `count` leechers can have a file when every peer has these limits; None if none is set.

    Source: R. Kumar, K. W. Ross, "Peer-Assisted File Distribution: The Minimum Distribution Time" (2006), theorem 1.
    """
    bounds = []
    if limits.up:
        bounds += [size / limits.up, count * size / ((count + 1) * limits.up)]
    if limits.down:
        bounds.append(size / limits.down)
    return round(max(bounds), 3) if bounds else None


def completion_curves(recorded: Recorded, content: str) -> dict[str, Curve]:
    """How each leecher's download grew, by name."""
    zero = time_zero(recorded, content)
    curves: dict[str, Curve] = {}
    for peer in sorted(leechers(recorded, content)):
        curve: Curve = []
        for time, event in _transfers(recorded[peer], content):
            done = event.bytes_done / event.size if event.size else 0.0
            curve.append((round(time - zero, 3), 1.0 if isinstance(event, TransferCompleted) else done))
            if isinstance(event, TransferCompleted):
                break
        curves[peer] = curve
    return curves


def leechers(recorded: Recorded, content: str) -> list[str]:
    """The processes that began to fetch a content."""
    return [
        name
        for name, envelopes in recorded.items()
        if any(isinstance(event, TransferStarted) for _, event in _transfers(envelopes, content))
    ]


def time_zero(recorded: Recorded, content: str) -> float:
    """Wall clock of the first start."""
    return min(
        time
        for envelopes in recorded.values()
        for time, event in _transfers(envelopes, content)
        if isinstance(event, TransferStarted)
    )


def _events(envelopes: Iterable[Envelope]) -> Iterator[tuple[float, Event]]:
    for envelope in envelopes:
        event = event_of(envelope)
        if event is not None:
            yield envelope.time, event


def _transfers(envelopes: Iterable[Envelope], content: str) -> Iterator[tuple[float, Transfer]]:
    chosen = (envelope for envelope in envelopes if envelope.type.startswith("transfer."))
    for time, event in _events(chosen):
        if isinstance(event, Transfer) and event.id == content:
            yield time, event


def _shared(recorded: Recorded) -> tuple[str, ContentShared]:
    """The seed, and what it shares."""
    found = [
        (time, name, event)
        for name, envelopes in recorded.items()
        for time, event in _events(envelope for envelope in envelopes if envelope.type == "content.shared")
        if isinstance(event, ContentShared)
    ]
    if not found:
        raise ShoalError(ERR_FAILURE, "the events tell of no content that was shared")
    _, name, content = min(found, key=lambda row: row[0])
    return name, content


def _ended(peer: str, envelopes: Sequence[Envelope], content: str) -> tuple[float, float, TransferCompleted]:
    """Wall clock of start and completion, and the final record."""
    transfers = list(_transfers(envelopes, content))
    for time, event in transfers:
        if isinstance(event, TransferCompleted):
            return transfers[0][0], time, event
    last = transfers[-1][1]
    why = last.error or last.state
    raise ShoalError(ERR_FAILURE, f"{peer} did not complete: {last.bytes_done} of {last.size} bytes, {why}")


def _download(peer: str, started: float, completed: float, final: TransferCompleted, zero: float) -> Download:
    return Download(
        peer=peer,
        started=round(started - zero, 3),
        completed=round(completed - zero, 3),
        bytes=final.bytes_done,
        goodput=_rate(final.bytes_done, completed - started),
        duplicate_bytes=final.duplicate_bytes,
        rejected_bytes=final.rejected_bytes,
        optimum_share=final.optimum_share or None,
    )


def _matrix(recorded: Recorded, seed: str, completed: Mapping[str, TransferCompleted]) -> Matrix:
    peers = [seed, *sorted(completed)]
    place = {name: index for index, name in enumerate(peers)}
    # Every envelope carries the id of its process, so the events themselves say whose name goes with which id.
    names = {envelopes[0].source: name for name, envelopes in recorded.items() if envelopes}
    moved = [[0] * len(peers) for _ in peers]
    for receiver, final in completed.items():
        for source in final.sources:
            if source.bytes:
                moved[place[names[source.peer]]][place[receiver]] += source.bytes
    return Matrix(peers, moved)


def _rate(size: int, seconds: float) -> float:
    return round(size / seconds, 1) if seconds > 0 else 0.0
