"""Rate limits on real peers, changed while a transfer runs: how far off the bytes of ten seconds are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from bus.codec import decode_envelope
from bus.errors import ERR_TIMEOUT, ERR_USAGE, ShoalError
from bus.events import LinkProgress
from bus.messages import LIMIT_KEPT, ChangeLimits, Done, Get, Limits
from bus.tap import subscriber
from bus.units import format_limit, format_size
from experiments.bench.contest import Case
from experiments.bench.goals import number
from experiments.bench.options import Options
from experiments.bench.peers import Meter, Peers
from experiments.bench.records import Figure, Part, Result, Run

KIB: Final = 2**10
MIB: Final = 2**20
RATES: Final = (64 * KIB, 100 * MIB, MIB, 10 * MIB)
"""Bytes a second, one after the other: each change is by an order of magnitude at least, up and down by turns."""
SPAN: Final = 10.0
"""Seconds over which bytes are counted."""
SETTLING: Final = 1.0
"""Seconds after a change that are not: what was on its way comes, and the bucket begins empty."""
LONGEST: Final = SETTLING + SPAN + 2.5
"""Seconds for one rate; the receiver tells of a link's bytes once a second."""
SIZE: Final = 3 * 2**29
_SILENT: Final = 20_000
"""Milliseconds without an event after which none will come."""
OFF: Final = 5.0
"""Percent that the bytes may be off."""


class LimitedJob(Struct, frozen=True):
    """A file and the limits under which it is fetched, one after the other."""

    source: Path
    rates: tuple[int, ...]


class ShoalLimited:
    """One transfer under one kind of limit.

    Args:
        direction: the sender's upload is limited, or the receiver's download.
        of_content: the limit is that of the content, not of all contents together.
    """

    def __init__(self, direction: Literal["up", "down"], of_content: bool) -> None:
        self._direction = direction
        self._of_content = of_content
        self.name = f"{direction}-content" if of_content else direction
        of = "of the content" if of_content else "of all contents together"
        self.how = f"defaults, encrypted; {'upload' if direction == 'up' else 'download'} limit {of}, set over control"

    def missing(self) -> str:
        return ""

    def run(self, job: LimitedJob, work: Path) -> Run:
        with Peers(work / "base", [{}, {}]) as peers:
            sender, receiver = peers.ups
            content = peers.share(sender, job.source, receiver).id
            limited = sender if self._direction == "up" else receiver

            def limit(rate: int) -> None:
                up, down = (rate, LIMIT_KEPT) if self._direction == "up" else (LIMIT_KEPT, rate)
                request = ChangeLimits(0, content if self._of_content else "", up, down)
                peers.ask(limited, request, Limits)

            with _Received(peers, receiver.events) as received:
                meter = Meter(peers.pids)
                begin = time.monotonic()
                peers.ask(receiver, Get(0, content), Done)
                shares = {}
                for rate in job.rates:
                    limit(rate)
                    shares[format_limit(rate)] = round(received.rate() / rate, 4)
                seconds = time.monotonic() - begin
                used = meter.read()
        parts = [Part(role, usage) for role, usage in zip(("sender", "receiver", "tracker"), used, strict=True)]
        return Run(round(seconds, 4), parts, shares)


class _Received:
    """Payload bytes that came over the only link of a peer, by its `link.progress` events and their times.

    (`transfer.progress` counts whole chunks: at 64 KiB/s those of ten seconds may be one too many or too few.)
    """

    def __init__(self, peers: Peers, events: str) -> None:
        self._socket = subscriber(peers.fleet.context, events, ("link.progress",))

    def __enter__(self) -> _Received:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def __next__(self) -> tuple[float, int]:
        """The next (wall clock of this machine, bytes so far), once there are any."""
        while self._socket.poll(_SILENT):
            envelope = decode_envelope(self._socket.recv_multipart())
            if total := msgspec.convert(envelope.data, LinkProgress).received:
                return envelope.time, total
        raise ShoalError(ERR_TIMEOUT, "the receiver tells of no bytes")

    def __iter__(self) -> Iterator[tuple[float, int]]:
        return self

    def rate(self) -> float:
        """Bytes a second over SPAN, from SETTLING after now on."""
        begin = time.time() + SETTLING
        first = next(sample for sample in self if sample[0] >= begin)
        last = next(sample for sample in self if sample[0] >= first[0] + SPAN)
        return (last[1] - first[1]) / (last[0] - first[0])


def limits(options: Options) -> list[Case[LimitedJob]]:
    """Both directions, of all contents and of one, at rates from 64 KiB/s to 100 MiB/s."""
    size = options.size or SIZE
    rates, left = [], size
    for rate in RATES:
        if (needed := round(rate * LONGEST)) < left:
            rates.append(rate)
            left -= needed
    if not rates:
        least = format_size(round(min(RATES) * LONGEST))
        raise ShoalError(ERR_USAGE, f"limits: {format_size(size)} are too little to move; a --size over {least}")
    written = ", ".join(map(format_limit, rates))
    title = (
        f"one file from one to one under limits of {written}, changed in this order while it runs; bytes received in "
        f"{SPAN:g} s from {SETTLING:g} s after each change on, as a share of what the limit allows"
    )

    def prepare(folder: Path) -> LimitedJob:
        source = folder / "content.bin"
        with source.open("xb") as file:
            file.truncate(size)  # nothing but a hole: its bytes are sent all the same
        return LimitedJob(source, tuple(rates))

    def figures(result: Result) -> list[Figure]:
        what = "bytes in 10 s, most that any limit is off: "
        return [number(result, what + name, name, off, ("<=", OFF), "%") for name in names]

    made = [
        ShoalLimited("up", False),
        ShoalLimited("down", False),
        ShoalLimited("up", True),
        ShoalLimited("down", True),
    ]
    names = [one.name for one in made]
    contenders = [one for one in made if options.chosen(one.name)]
    warm_up = _only_first(prepare)
    return [Case("limits", title, 0, contenders, prepare, figures, options.ram_disk, size, warm_up)]


def off(run: Run) -> float:
    """The largest deviation of a run's limits, percent."""
    return 100 * max(abs(share - 1) for share in run.numbers.values())


def _only_first(prepare: Callable[[Path], LimitedJob]) -> Callable[[Path], LimitedJob]:
    """The warm-up's job: one of the rates."""

    def made(folder: Path) -> LimitedJob:
        job = prepare(folder)
        return LimitedJob(job.source, job.rates[:1])

    return made
