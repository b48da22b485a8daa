"""The bare pump: the least that moves a file over an encrypted ZeroMQ connection, checks it and writes it.

    sender     a ROUTER: reads the next MiB and sends it, as far as the receiver's credit goes
    receiver   a DEALER: drained without waiting; 2 threads check each MiB against its digest and write it in place

No tracker, no manifest, no choice of anything, no events, no records, no restart. What Shoal loses against it is
what all that costs. Nothing of Shoal's own is used, so that a slow socket factory cannot slow its own measure.

Each side is a process: `python -m experiments.bench.pump send|receive ...`, started by `pump`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import msgspec
import zmq
from blake3 import blake3
from msgspec import Struct

from bus.errors import ERR_FAILURE, ERR_INTEGRITY, ShoalError
from experiments.bench.usage import Usage, spent, usage_of

MESSAGE: Final = 2**20
"""Bytes of one message, and of what one digest covers."""
IN_FLIGHT: Final = 16
"""Messages that the receiver lets the sender be ahead of what is written."""
WORKERS: Final = 2
DIGEST: Final = 32
"""Bytes."""
_COUNT: Final = 8
"""Bytes of a number on the wire."""

ZmqSocket = zmq.Socket[bytes]
Job = tuple[int, zmq.Frame]


class Ready(Struct, frozen=True):
    """What the sender prints when it listens."""

    endpoint: str
    key: str


class Received(Struct, frozen=True):
    """What the receiver prints at its end."""

    seconds: float
    """From the first credit until the file is renamed."""
    usage: Usage


class Pumped(Struct, frozen=True):
    """One run."""

    seconds: float
    sender: Usage
    receiver: Usage


def digests_of(source: Path) -> bytes:
    """The digests of a file's messages, one behind the other."""
    with source.open("rb") as file:
        return b"".join(blake3(part).digest() for part in iter(lambda: file.read(MESSAGE), b""))


def pump(source: Path, digests: Path, destination: Path) -> Pumped:
    """Move `source` to `destination` through two processes.

    Args:
        source: the file.
        digests: a file that holds its `digests_of`.
        destination: where it goes; must not be there.

    Raises:
        ShoalError: ERR_FAILURE, a side ended with an error.
    """
    with _started("send", str(source)) as sender:
        assert sender.stdout is not None
        ready = msgspec.json.decode(sender.stdout.readline(), type=Ready)
        with _started("receive", ready.endpoint, ready.key, str(digests), str(destination)) as receiver:
            received, _ = receiver.communicate()
        if receiver.returncode:
            sender.kill()
        sent, _ = sender.communicate()
    if sender.returncode or receiver.returncode:
        raise ShoalError(ERR_FAILURE, f"the pump broke: sender {sender.returncode}, receiver {receiver.returncode}")
    result = msgspec.json.decode(received, type=Received)
    return Pumped(result.seconds, msgspec.json.decode(sent, type=Usage), result.usage)


@contextmanager
def _started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    # A session of its own, as the supervisor gives each peer: where the kernel shares the processors out by sessions
    # (autogroup), two processes in one would get half of what two peers get on a busy machine.
    command = [sys.executable, "-P", "-m", "experiments.bench.pump", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _say(record: Struct) -> None:
    print(msgspec.json.encode(record).decode(), flush=True)


def send(source: Path) -> None:
    """Serve the file to one receiver, then end."""
    context: zmq.Context[ZmqSocket] = zmq.Context()
    public, secret = zmq.curve_keypair()
    with context, context.socket(zmq.ROUTER) as socket, source.open("rb", buffering=0) as file:
        socket.set(zmq.ROUTER_MANDATORY, 1)
        socket.set(zmq.CURVE_SERVER, 1)
        socket.set(zmq.CURVE_SECRETKEY, secret)
        socket.bind("tcp://127.0.0.1:0")
        _say(Ready(socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0"), public.decode()))
        count = -(-source.stat().st_size // MESSAGE)
        routing_id, limit = _credit(socket)
        before = usage_of()
        for number in range(count):
            while number >= limit:
                routing_id, limit = _credit(socket)
            payload = os.pread(file.fileno(), MESSAGE, number * MESSAGE)
            socket.send_multipart([routing_id, number.to_bytes(_COUNT, "big"), payload], copy=False)
        while limit < count + IN_FLIGHT:
            _, limit = _credit(socket)
        _say(spent(before, usage_of()))


def _credit(socket: ZmqSocket) -> tuple[bytes, int]:
    """Wait for the receiver's word on how far to go, and take the newest."""
    routing_id, limit = socket.recv_multipart()
    try:
        while True:
            routing_id, limit = socket.recv_multipart(zmq.NOBLOCK)
    except zmq.Again:
        return routing_id, int.from_bytes(limit, "big")


def receive(endpoint: str, key: str, digests: bytes, destination: Path) -> Received:
    """Fetch the file whose digests these are."""
    context: zmq.Context[ZmqSocket] = zmq.Context()
    partial = destination.with_name(f"{destination.name}.partial")
    with context, context.socket(zmq.DEALER) as socket, partial.open("xb", buffering=0) as file:
        public, secret = zmq.curve_keypair()
        socket.set(zmq.CURVE_SERVERKEY, key.encode())
        socket.set(zmq.CURVE_PUBLICKEY, public)
        socket.set(zmq.CURVE_SECRETKEY, secret)
        socket.connect(endpoint)
        writers = Writers(file.fileno(), digests)
        before, begin = usage_of(), time.monotonic()
        _receive_all(socket, writers, len(digests) // DIGEST)
        partial.rename(destination)
        seconds = time.monotonic() - begin
        used = spent(before, usage_of())
        writers.close()
    return Received(round(seconds, 4), used)


def _receive_all(socket: ZmqSocket, writers: Writers, count: int) -> None:
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(writers.wake_up, zmq.POLLIN)
    told = 0
    while True:
        limit = writers.written() + IN_FLIGHT
        if limit > told:
            socket.send(limit.to_bytes(_COUNT, "big"))
            told = limit
        if limit == count + IN_FLIGHT:
            return
        poller.poll()
        try:
            while True:
                number, payload = socket.recv_multipart(zmq.NOBLOCK, copy=False)
                writers.write(int.from_bytes(number.bytes, "big"), payload)
        except zmq.Again:
            pass


class Writers:
    """Threads that check messages and write them where they belong.

    Args:
        descriptor: of the file to write.
        digests: of all its messages.
    """

    def __init__(self, descriptor: int, digests: bytes) -> None:
        self._descriptor = descriptor
        self._digests = digests
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._finished = 0
        self._error = ""
        self.wake_up = os.eventfd(0, os.EFD_NONBLOCK)
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(WORKERS)]
        for thread in self._threads:
            thread.start()

    def write(self, number: int, payload: zmq.Frame) -> None:
        self._jobs.put((number, payload))

    def written(self) -> int:
        """Messages checked and written so far.

        Raises:
            ShoalError: ERR_INTEGRITY, one did not match its digest.
        """
        if self._error:
            raise ShoalError(ERR_INTEGRITY, self._error)
        with suppress(BlockingIOError):
            self._finished += os.eventfd_read(self.wake_up)
        return self._finished

    def close(self) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        os.close(self.wake_up)

    def _run(self) -> None:
        for number, payload in iter(self._jobs.get, None):
            view = payload.buffer
            if blake3(view).digest() != self._digests[number * DIGEST : (number + 1) * DIGEST]:
                self._error = f"message {number} of the pump does not match its digest"
            os.pwrite(self._descriptor, view, number * MESSAGE)
            os.eventfd_write(self.wake_up, 1)


def main(arguments: Iterable[str]) -> int:
    """One side, as `pump` starts it."""
    role, *rest = arguments
    if role == "send":
        send(Path(rest[0]))
    else:
        endpoint, key, digests, destination = rest
        _say(receive(endpoint, key, Path(digests).read_bytes(), Path(destination)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
