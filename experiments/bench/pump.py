"""The bare pump: the least that moves a file over ZeroMQ connections, checks it and writes it.

    sender     a ROUTER: reads the next MiB and sends it to whoever has credit, in turns
    receiver   a DEALER: drained without waiting; 2 threads check each MiB against its digest and write it in place,
               a third forces it to the disk by Shoal's policy; it ends when all is durable

No tracker, no manifest, no choice of anything, no events, no records, no restart. What Shoal loses against it is
what all that costs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import zmq

from bus.errors import ERR_INTEGRITY, ShoalError
from experiments.bench.records import Run
from experiments.bench.sides import Address, move, say, when_told
from experiments.bench.transferring import TransferJob
from experiments.bench.usage import spent, usage_of
from experiments.bench.writers import DIGEST, IN_FLIGHT, MESSAGE, Writers

_COUNT: Final = 8
"""Bytes of a number on the wire."""

ZmqSocket = zmq.Socket[bytes]


class Pump:
    """The bare pump as a contender.

    Args:
        encrypted: with CURVE.
    """

    def __init__(self, encrypted: bool) -> None:
        self._encrypted = encrypted
        self.name = "pump-curve" if encrypted else "pump"
        self.how = f"DEALER/ROUTER, 1 MiB messages, {IN_FLIGHT} in flight, CURVE {'on' if encrypted else 'off'}"

    def missing(self) -> str:
        return ""

    def run(self, job: TransferJob, work: Path) -> Run:
        return move("experiments.bench.pump", job, self._encrypted, work)


class _Receiver:
    """What the sender knows of one."""

    def __init__(self) -> None:
        self.next = 0
        """Number of the next message."""
        self.limit = 0
        """Number of the first message that may not be sent yet."""


def send(source: Path, receivers: int, encrypted: bool) -> None:
    """Serve the file to so many receivers, then end."""
    context: zmq.Context[ZmqSocket] = zmq.Context()
    with context, context.socket(zmq.ROUTER) as socket, source.open("rb", buffering=0) as file:
        socket.set(zmq.ROUTER_MANDATORY, 1)
        key = b""
        if encrypted:
            key, secret = zmq.curve_keypair()
            socket.set(zmq.CURVE_SERVER, 1)
            socket.set(zmq.CURVE_SECRETKEY, secret)
        socket.bind("tcp://127.0.0.1:0")
        before = usage_of()
        say(Address(socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0"), key.decode()))
        _send_all(socket, file.fileno(), -(-source.stat().st_size // MESSAGE), receivers)
        say(spent(before, usage_of()))


def _send_all(socket: ZmqSocket, descriptor: int, messages: int, receivers: int) -> None:
    known: dict[bytes, _Receiver] = {}
    while len(known) < receivers or any(one.limit < messages + IN_FLIGHT for one in known.values()):
        sent = False
        for routing_id, one in known.items():
            if one.next < min(one.limit, messages):
                payload = os.pread(descriptor, MESSAGE, one.next * MESSAGE)
                socket.send_multipart([routing_id, one.next.to_bytes(_COUNT, "big"), payload], copy=False)
                one.next += 1
                sent = True
        if not sent:
            socket.poll()
        with suppress(zmq.Again):
            while True:
                routing_id, limit = socket.recv_multipart(zmq.NOBLOCK)
                known.setdefault(routing_id, _Receiver()).limit = int.from_bytes(limit, "big")


def receive(address: Address, digests: bytes, destination: Path) -> None:
    """Fetch the file whose digests these are, when told."""
    context: zmq.Context[ZmqSocket] = zmq.Context()
    with context, context.socket(zmq.DEALER) as socket:
        if address.key:
            public, secret = zmq.curve_keypair()
            socket.set(zmq.CURVE_SERVERKEY, address.key.encode())
            socket.set(zmq.CURVE_PUBLICKEY, public)
            socket.set(zmq.CURVE_SECRETKEY, secret)
        socket.connect(address.endpoint)
        when_told(lambda: _receive_all(socket, digests, destination))


def _receive_all(socket: ZmqSocket, digests: bytes, destination: Path) -> None:
    wake_up = os.eventfd(0, os.EFD_NONBLOCK)
    writers: Writers[zmq.Frame] = Writers(
        destination, digests, lambda frame: frame.buffer, lambda _: os.eventfd_write(wake_up, 1)
    )
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(wake_up, zmq.POLLIN)
    messages, written, told = len(digests) // DIGEST, 0, 0
    while True:
        with suppress(BlockingIOError):
            written += os.eventfd_read(wake_up)
        if writers.error:
            raise ShoalError(ERR_INTEGRITY, writers.error)
        if written + IN_FLIGHT > told:
            told = written + IN_FLIGHT
            socket.send(told.to_bytes(_COUNT, "big"))
        if written == messages:
            break
        poller.poll()
        with suppress(zmq.Again):
            while True:
                number, payload = socket.recv_multipart(zmq.NOBLOCK, copy=False)
                writers.write(int.from_bytes(number.bytes, "big"), payload)
    writers.finish()
    os.close(wake_up)


def main(arguments: Sequence[str]) -> None:
    """One side, as `sides.move` starts it."""
    role, *rest = arguments
    if role == "send":
        source, receivers, *curve = rest
        send(Path(source), int(receivers), bool(curve))
    else:
        endpoint, key, digests, destination = rest
        receive(Address(endpoint, key), Path(digests).read_bytes(), Path(destination))


if __name__ == "__main__":
    main(sys.argv[1:])
