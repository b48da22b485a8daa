"""The least that a request and its answer take on this machine: a connection that sends back what comes.

Two processes, each on a core of its own, one TCP connection; requests leave at random times (a Poisson process).
Nothing is encrypted, decoded, looked up or queued, and both cores rest most of the time: what the slowest answers take
here is how late the machine wakes a process. A tracker's answer takes more such wakes, of two processes and two I/O
threads.

Started by `experiments/bench/shoal_tracker.py`: `python -m experiments.bench.tracker_echo CORE`, which prints its port,
and `python -m experiments.bench.tracker_echo CORE PORT RATE SECONDS`.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections import deque
from random import Random
from typing import Final

import msgspec
from msgspec import Struct

SIZE: Final = 512
"""Bytes of a request, and of its answer: between a renewal's and a query's with 17 peers."""
PATIENCE: Final = 5.0
"""Seconds for what is still unanswered at the end."""


class Echoed(Struct, frozen=True):
    """Seconds from when a request was due to its answer."""

    p50: float
    p99: float


def serve() -> None:
    """Send back what comes over one connection, until it ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        connection, _ = listener.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := connection.recv(2**16):
            connection.sendall(data)


def ask(port: int, rate: float, seconds: float) -> Echoed:
    """Ask so often for so long; answers come in the order of the requests."""
    rng = Random(2)
    latencies: list[float] = []
    waiting: deque[float] = deque()
    came = 0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        due = now = time.monotonic()
        end = now + seconds
        while due < end or (waiting and now < end + PATIENCE):
            while due <= now and due < end:
                connection.sendall(bytes(SIZE))
                waiting.append(due)
                due += rng.expovariate(rate)
            if select.select([connection], [], [], max(0.0, due - now) if due < end else PATIENCE)[0]:
                came += len(connection.recv(2**16))
            now = time.monotonic()
            while came >= SIZE:
                latencies.append(now - waiting.popleft())
                came -= SIZE
    latencies.sort()
    return Echoed(latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100])


def main(arguments: list[str]) -> None:
    os.sched_setaffinity(0, {int(arguments[0])})
    if arguments[1:]:
        port, rate, seconds = arguments[1:]
        print(msgspec.json.encode(ask(int(port), float(rate), float(seconds))).decode(), flush=True)
    else:
        serve()


if __name__ == "__main__":
    main(sys.argv[1:])
