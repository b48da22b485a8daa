"""A machine saturated by a transfer: control requests are still answered, a second transfer still starts, and what is
hashed meanwhile takes little away from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import msgspec
import zmq
from msgspec import Struct

from bus.codec import decode_envelope
from bus.errors import ERR_FAILURE, ShoalError
from bus.events import Envelope, Transfer
from bus.messages import (
    ControlPing,
    Done,
    Get,
    Message,
    SearchContents,
    SearchResults,
    SharePath,
    Snapshot,
    SnapshotPage,
)
from bus.ready import PeerUp
from bus.rpc import RpcClient
from bus.tap import subscriber
from bus.units import format_size
from experiments.bench.children import LONGEST
from experiments.bench.contest import Case
from experiments.bench.goals import named, number
from experiments.bench.options import Options
from experiments.bench.peers import Meter, Peers
from experiments.bench.records import Figure, Part, Result, Run
from experiments.material import write_material

MIB: Final = 2**20
SIZE: Final = 4 * 2**30
SECOND: Final = 16
"""The second transfer is of so small a part of the first one's size."""
SHARED: Final = 2
"""What is shared meanwhile is of so small a part of it."""
ALONE: Final = 0.4
"""Of the first transfer is over before that begins."""
LEAST: Final = 20
"""Control requests that must have been answered for their 95th percentile to mean something."""
_PACE: Final = 0.01
"""Seconds between an answer and the next request."""


class BusyJob(Struct, frozen=True):
    """Two files to move, large and small, and one to share meanwhile."""

    first: Path
    second: Path
    shared: Path


class ShoalBusy:
    """One transfer; meanwhile requests to both peers by turns, and at a third of it a second transfer."""

    name = "shoal"
    how = "defaults, encrypted; ping, search and a snapshot to sender and receiver by turns, one after the other"

    def missing(self) -> str:
        return ""

    def run(self, job: BusyJob, work: Path) -> Run:
        with Peers(work / "base", [{}, {}]) as peers:
            sender, receiver = peers.ups
            first = peers.share(sender, job.first, receiver).id
            second = peers.share(sender, job.second, receiver).id
            with subscriber(peers.fleet.context, receiver.events, ("transfer",)) as socket:
                meter = Meter(peers.pids)
                begin = time.monotonic()
                peers.ask(receiver, Get(0, first), Done)
                watch = _Watch(socket, first, second)
                waits = list(self._ask(peers, watch, job.first.stat().st_size))
                seconds = time.monotonic() - begin
                used = meter.read()
        if len(waits) < LEAST:
            raise ShoalError(ERR_FAILURE, f"only {len(waits)} control requests fitted into the transfer: larger --size")
        parts = [Part(role, usage) for role, usage in zip(("sender", "receiver", "tracker"), used, strict=True)]
        numbers = {
            "requests": float(len(waits)),
            "control p50, ms": round(1000 * median(waits), 2),
            "control p95, ms": round(1000 * quantiles(waits, n=20)[-1], 2),
            "control max, ms": round(1000 * max(waits), 2),
            "second starts, s": round(watch.second_started - watch.second_asked, 3),
        }
        return Run(round(seconds, 4), parts, numbers)

    def _ask(self, peers: Peers, watch: _Watch, size: int) -> Iterator[float]:
        """Seconds until each answer, until both transfers are complete; counted while the first one runs."""
        deadline = time.monotonic() + LONGEST
        for peer, (request, kind) in zip(cycle(peers.ups), cycle(_requests(watch)), strict=False):
            asked = time.monotonic()
            peers.ask(peer, request, kind)
            if not watch.first_complete:
                yield time.monotonic() - asked
            watch.look()
            if not watch.second_asked and watch.first_bytes > size / 3:
                watch.second_asked = time.time()
                peers.ask(peers.ups[1], Get(0, watch.second), Done)
            if (watch.first_complete and watch.second_started) or time.monotonic() > deadline:
                return
            time.sleep(_PACE)


class ShoalSharing:
    """One transfer; in the middle of it its receiver, which has more to do than the sender, hashes another file."""

    name = "shoal-sharing"
    how = f"defaults, encrypted; from {ALONE:.0%} of the file on the receiver shares another, half as large"

    def missing(self) -> str:
        return ""

    def run(self, job: BusyJob, work: Path) -> Run:
        with Peers(work / "base", [{}, {}]) as peers, ThreadPoolExecutor(1) as pool:
            sender, receiver = peers.ups
            content = peers.share(sender, job.first, receiver).id
            with subscriber(peers.fleet.context, receiver.events, ("transfer",)) as socket:
                meter = Meter(peers.pids)
                begin = time.monotonic()
                peers.ask(receiver, Get(0, content), Done)
                watch = _Watch(socket, content, "")
                self._await(watch, lambda: watch.first_bytes >= ALONE * job.first.stat().st_size)
                asked_at, shared = time.time(), pool.submit(_share, peers, receiver, job.shared)
                self._await(watch, lambda: watch.first_complete)
                seconds = time.monotonic() - begin
                used = meter.read()
            shared_at = shared.result()
        before, beside = watch.rate(0.0, asked_at), watch.rate(asked_at, shared_at)
        parts = [Part(role, usage) for role, usage in zip(("sender", "receiver", "tracker"), used, strict=True)]
        numbers = {
            "MB/s until it shares": round(before / 1e6),
            "MB/s while it shares": round(beside / 1e6),
            "rate kept": round(beside / before, 3),
            "share took, s": round(shared_at - asked_at, 2),
        }
        return Run(round(seconds, 4), parts, numbers)

    @staticmethod
    def _await(watch: _Watch, done: Callable[[], bool]) -> None:
        while not done():
            if not watch.look(LONGEST):
                raise ShoalError(ERR_FAILURE, f"nothing was heard of the transfer for {LONGEST:g} s")


def _share(peers: Peers, peer: PeerUp, path: Path) -> float:
    """Have a file shared; returns when it was, on the wall clock."""
    with RpcClient(peers.fleet.context, peer.control) as client:
        client.call(SharePath(0, str(path)), LONGEST)
    return time.time()


class _Watch:
    """The receiver's transfers, by its events; their times are by its wall clock, which is this machine's."""

    def __init__(self, socket: zmq.Socket[bytes], first: str, second: str) -> None:
        self._socket = socket
        self.first, self.second = first, second
        self.first_bytes = 0
        self.first_complete = False
        self.samples: list[tuple[float, int]] = []
        """(when, verified bytes of the first), each time there were more."""
        self.second_asked = 0.0
        self.second_started = 0.0
        """When it was told that verified bytes of the second had come."""

    def look(self, patience: float = 0.0) -> bool:
        """Take in what has come, waiting so many seconds for the first of it; whether anything came."""
        came = bool(self._socket.poll(int(1000 * patience)))
        while self._socket.poll(0):
            envelope = decode_envelope(self._socket.recv_multipart())
            record = msgspec.convert(envelope.data, Transfer)
            if envelope.type == "transfer.failed":
                raise ShoalError(ERR_FAILURE, f"a download failed: {record.error}")
            self._take(envelope, record)
        return came

    def _take(self, envelope: Envelope, record: Transfer) -> None:
        if record.id == self.first:
            if record.bytes_done > self.first_bytes:
                self.samples.append((envelope.time, record.bytes_done))
            self.first_bytes = record.bytes_done
            self.first_complete = envelope.type == "transfer.completed"
        elif record.id == self.second and record.bytes_done and not self.second_started:
            self.second_started = envelope.time

    def rate(self, begin: float, end: float) -> float:
        """Bytes a second of the first from `begin` until `end`, wall clock; to the next sample at either side.

        Raises:
            ShoalError: the transfer was too short to tell.
        """
        return rate_between(self.samples, begin, end)


def rate_between(samples: Sequence[tuple[float, int]], begin: float, end: float) -> float:
    """Bytes a second by (when, bytes so far), rising, from the last sample before `begin` to the first after `end`.

    Raises:
        ShoalError: these are not two.
    """
    until = next((at for at, _ in samples if at >= end), end)
    since = max((at for at, _ in samples if at <= begin), default=begin)
    within = [sample for sample in samples if since <= sample[0] <= until]
    if len(within) < 2:
        raise ShoalError(ERR_FAILURE, "the transfer was too short to tell its rate: larger --size")
    (first, before), (last, after) = within[0], within[-1]
    return (after - before) / (last - first)


def _requests(watch: _Watch) -> list[tuple[Message, type[Message]]]:
    # An odd number, so that each peer gets all of them.
    return [(ControlPing(0), Done), (SearchContents(0, watch.second), SearchResults), (Snapshot(0), SnapshotPage)]


def busy(options: Options) -> list[Case[BusyJob]]:
    """Requests, and hashing, during a transfer on the RAM disk."""
    size = options.size or SIZE
    title = (
        f"control requests, and a second transfer of {format_size(size // SECOND)}, or a share of "
        f"{format_size(size // SHARED)}, while a file of {format_size(size)} is moved from RAM disk to RAM disk"
    )

    def prepare(folder: Path) -> BusyJob:
        job = BusyJob(folder / "first.bin", folder / "second.bin", folder / "shared.bin")
        write_material(job.first, size, 1)
        write_material(job.second, size // SECOND, 2)
        write_material(job.shared, size // SHARED, 3)
        return job

    def figures(result: Result) -> list[Figure]:
        return [
            number(result, "control requests, p95", "shoal", named("control p95, ms"), ("<=", 100), " ms"),
            number(result, "a second transfer starts", "shoal", named("second starts, s"), ("<=", 1), " s"),
        ]

    contenders = [one for one in (ShoalBusy(), ShoalSharing()) if options.chosen(one.name)]
    room = 2 * size + 2 * size // SECOND + size // SHARED
    return [Case("busy", title, size, contenders, prepare, figures, options.ram_disk, room)]
