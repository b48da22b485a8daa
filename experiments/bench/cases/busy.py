"""A machine saturated by a transfer: control requests are still answered, a second transfer still starts."""

from __future__ import annotations

import time
from collections.abc import Iterator
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
from bus.messages import ControlPing, Done, Get, Message, SearchContents, SearchResults, Snapshot, SnapshotPage
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
LEAST: Final = 20
"""Control requests that must have been answered for their 95th percentile to mean something."""
_PACE: Final = 0.01
"""Seconds between an answer and the next request."""


class BusyJob(Struct, frozen=True):
    """Two files, large and small."""

    first: Path
    second: Path


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


class _Watch:
    """The receiver's transfers, by its events; their times are by its wall clock, which is this machine's."""

    def __init__(self, socket: zmq.Socket[bytes], first: str, second: str) -> None:
        self._socket = socket
        self.first, self.second = first, second
        self.first_bytes = 0
        self.first_complete = False
        self.second_asked = 0.0
        self.second_started = 0.0
        """When it was told that verified bytes of the second had come."""

    def look(self) -> None:
        while self._socket.poll(0):
            envelope = decode_envelope(self._socket.recv_multipart())
            record = msgspec.convert(envelope.data, Transfer)
            if envelope.type == "transfer.failed":
                raise ShoalError(ERR_FAILURE, f"a download failed: {record.error}")
            self._take(envelope, record)

    def _take(self, envelope: Envelope, record: Transfer) -> None:
        if record.id == self.first:
            self.first_bytes = record.bytes_done
            self.first_complete = envelope.type == "transfer.completed"
        elif record.id == self.second and record.bytes_done and not self.second_started:
            self.second_started = envelope.time


def _requests(watch: _Watch) -> list[tuple[Message, type[Message]]]:
    # An odd number, so that each peer gets all of them.
    return [(ControlPing(0), Done), (SearchContents(0, watch.second), SearchResults), (Snapshot(0), SnapshotPage)]


def busy(options: Options) -> list[Case[BusyJob]]:
    """Requests during a transfer on the RAM disk."""
    size = options.size or SIZE
    title = (
        f"control requests, and a second transfer of {format_size(size // SECOND)}, while a file of "
        f"{format_size(size)} is moved from RAM disk to RAM disk"
    )

    def prepare(folder: Path) -> BusyJob:
        job = BusyJob(folder / "first.bin", folder / "second.bin")
        write_material(job.first, size, 1)
        write_material(job.second, size // SECOND, 2)
        return job

    def figures(result: Result) -> list[Figure]:
        return [
            number(result, "control requests, p95", "shoal", named("control p95, ms"), ("<=", 100), " ms"),
            number(result, "a second transfer starts", "shoal", named("second starts, s"), ("<=", 1), " s"),
        ]

    contenders = [one for one in (ShoalBusy(),) if options.chosen(one.name)]
    return [Case("busy", title, size, contenders, prepare, figures, options.ram_disk, 2 * size + 2 * size // SECOND)]
