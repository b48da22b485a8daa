"""A limit's two sides as processes: one sender and some receivers, which begin together.

sender      out  its address (Address)                     out  its Usage, when all is sent
receiver    out  `ready`          in  a line: begin        out  Received
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from experiments.bench.children import Children
from experiments.bench.records import Part, Run
from experiments.bench.transferring import TransferJob
from experiments.bench.usage import Usage, spent, usage_of

READY: Final = b"ready\n"


class Address(Struct, frozen=True):
    """Where a sender listens."""

    endpoint: str
    key: str = ""
    """CURVE public key; empty without encryption."""


class Received(Struct, frozen=True):
    """What a receiver has done."""

    at: float
    """When its file had its name, monotonic clock."""
    usage: Usage


def move(module: str, job: TransferJob, encrypted: bool, work: Path) -> Run:
    """Move a job's file through one sender and its receivers.

    Args:
        module: whose `main` is a side; gets `send SOURCE RECEIVERS [curve]` or `receive ENDPOINT KEY DIGESTS TARGET`.
        job: the file.
        encrypted: whether the connections are.
        work: for the received files.

    Raises:
        ShoalError: ERR_FAILURE, a side ended with an error.
    """
    command = [sys.executable, "-P", "-m", module]
    with Children(work) as children:
        curve = ["curve"] if encrypted else []
        sender = children.start([*command, "send", str(job.source), str(job.receivers), *curve], "sender")
        address = msgspec.json.decode(sender.line(), type=Address)
        target = [address.endpoint, address.key, str(job.digests)]
        receivers = [
            children.start([*command, "receive", *target, str(work / f"received{n}")], f"receiver{n}")
            for n in range(job.receivers)
        ]
        for receiver in receivers:
            receiver.line()
        begin = time.monotonic()
        for receiver in receivers:
            receiver.tell(b"begin")
        received = [msgspec.json.decode(receiver.line(), type=Received) for receiver in receivers]
        sent = msgspec.json.decode(sender.line(), type=Usage)
    parts = [Part("sender", sent), *(Part("receiver", one.usage) for one in received)]
    return Run(round(max(one.at for one in received) - begin, 4), parts)


def say(record: Struct) -> None:
    """Print a record as one line of JSON."""
    print(msgspec.json.encode(record).decode(), flush=True)


def when_told(receive: Callable[[], None]) -> None:
    """Be ready, wait for the word, receive, and report."""
    before = usage_of()
    print(READY.decode(), end="", flush=True)
    sys.stdin.readline()
    receive()
    at = time.monotonic()
    say(Received(at, spent(before, usage_of())))
