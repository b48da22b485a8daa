"""The other limit: sendfile(2) into a TCP connection; the receiving side checks and writes as the bare pump's does.

No ZeroMQ, no messages, no encryption: the kernel moves the bytes out of the page cache, and the receiver reads them
into buffers that it uses again.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

from bus.errors import ERR_FAILURE, ERR_INTEGRITY, ShoalError
from experiments.bench.records import Run
from experiments.bench.sides import Address, move, say, when_told
from experiments.bench.transferring import TransferJob
from experiments.bench.usage import spent, usage_of
from experiments.bench.writers import DIGEST, IN_FLIGHT, MESSAGE, Writers


class Sendfile:
    """The limit as a contender."""

    name = "sendfile"
    how = f"sendfile(2) over TCP, received into {IN_FLIGHT} buffers of 1 MiB, checked and written by 2 threads"

    def missing(self) -> str:
        return ""

    def run(self, job: TransferJob, work: Path) -> Run:
        return move("experiments.bench.sendfile", job, False, work)


def send(source: Path, receivers: int) -> None:
    """Serve the file to so many connections at once, then end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        before = usage_of()
        say(Address(f"127.0.0.1:{server.getsockname()[1]}"))
        threads = []
        for _ in range(receivers):
            thread = threading.Thread(target=_send_to, args=(server.accept()[0], source))
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
        say(spent(before, usage_of()))


def _send_to(connection: socket.socket, source: Path) -> None:
    with connection, source.open("rb") as file:
        connection.recv(1)  # it is told to begin
        size, offset = os.fstat(file.fileno()).st_size, 0
        while offset < size:
            offset += os.sendfile(connection.fileno(), file.fileno(), offset, size - offset)


def receive(address: Address, digests: bytes, destination: Path) -> None:
    """Fetch the file whose digests these are, when told."""
    host, _, port = address.endpoint.rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        when_told(lambda: _receive_all(connection, digests, destination))


def _receive_all(connection: socket.socket, digests: bytes, destination: Path) -> None:
    free: SimpleQueue[memoryview] = SimpleQueue()
    for _ in range(IN_FLIGHT):
        free.put(memoryview(bytearray(MESSAGE)))

    def written(view: memoryview) -> None:
        assert isinstance(view.obj, bytearray)
        free.put(memoryview(view.obj))

    writers: Writers[memoryview] = Writers(destination, digests, lambda view: view, written)
    connection.sendall(b"b")
    messages = len(digests) // DIGEST
    for number in range(messages):
        buffer, filled = free.get(), 0
        while filled < MESSAGE and (length := connection.recv_into(buffer[filled:])):
            filled += length
        if filled < MESSAGE and number < messages - 1:
            raise ShoalError(ERR_FAILURE, f"the connection ended in message {number}")
        writers.write(number, buffer[:filled])
        if writers.error:
            raise ShoalError(ERR_INTEGRITY, writers.error)
    writers.finish()


def main(arguments: Sequence[str]) -> None:
    """One side, as `sides.move` starts it."""
    role, *rest = arguments
    if role == "send":
        send(Path(rest[0]), int(rest[1]))
    else:
        endpoint, key, digests, destination = rest
        receive(Address(endpoint, key), Path(digests).read_bytes(), Path(destination))


if __name__ == "__main__":
    main(sys.argv[1:])
