"""The clients of the tracker under test: hundreds of real CURVE connections from one process on a core of its own.

    closed loop    so many requests are always on their way: how much the tracker can do
    open loop      requests leave when they are due (a Poisson process), whatever is still unanswered: how long
                   answers take. Counted from when a request was due, so a tracker that stands still is not excused

All connections share one DEALER: each has the key that was set when it was connected, and libzmq spreads requests over
them in turn. That costs far less than a socket each, and the tracker cannot tell.

Started by `experiments/bench/shoal_tracker.py`: `python -m experiments.bench.tracker_load ORDER`, ORDER in JSON.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from random import Random
from typing import Final, Literal

import msgspec
import zmq
from msgspec import Struct

from bus.codec import decode, encode
from bus.errors import ERR_FAILURE, ERR_TIMEOUT, RemoteProtocolError, ShoalError
from bus.identity import z85_of
from bus.messages import BY_TYPE, PROTOCOL_VERSION, Message, Query, Registered, Renew, Swarm, TrackerFailed
from bus.monitor import open_monitor, read_monitor
from bus.sockets import make_context
from experiments.bench.tracker_population import VERSION, Population, address_of, content_id, draw_contents, identity_of
from experiments.bench.usage import usage_of

Mix = Literal["mixed", "query", "renew"]

OUTSTANDING: Final = 300
"""Requests on their way at a time."""
WARM_UP: Final = 0.5
"""Seconds before anything counts."""
PATIENCE: Final = 5.0
"""Seconds for what is still unanswered at the end."""
HANDSHAKES: Final = 60.0
"""Seconds within which all connections must stand."""
_LOOKED_AT: Final = 17
"""One answer in so many is decoded whole and judged."""
_DRAWN: Final = 2**16

_HEADERS: Final = {
    PROTOCOL_VERSION.to_bytes(1, "big") + BY_TYPE[kind].number.to_bytes(2, "big") for kind in (Registered, Swarm)
}
_FAILED: Final = PROTOCOL_VERSION.to_bytes(1, "big") + BY_TYPE[TrackerFailed].number.to_bytes(2, "big")

ZmqSocket = zmq.Socket[bytes]


class Order(Struct, frozen=True):
    """What one load is to be."""

    endpoint: str
    key: str
    """The tracker's, hex."""
    pid: int
    """Of the tracker, whose processor time is read."""
    core: int
    population: Population
    mix: Mix
    seconds: float
    outstanding: int
    """Requests on their way at a time; closed loop."""
    rate: float = 0.0
    """Requests a second; open loop. 0: closed loop."""


class Load(Struct, frozen=True):
    """What one load came to."""

    seconds: float
    answered: int
    """In that time."""
    failed: int
    """Refused, not as declared, or never answered."""
    cpu_seconds: float
    """Of the tracker, all its threads, in that time."""
    client_cpu_seconds: float
    peers_listed: float
    """In the answer to a query, on average."""
    p50: float
    """Seconds from when a request was due (closed loop: sent) to its answer."""
    p99: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    @property
    def cpu_per_request(self) -> float:
        """Seconds of the tracker's threads."""
        return self.cpu_seconds / max(1, self.answered)


class _Answer(Struct):
    """As much of an answer as it takes to know which it is."""

    request: int


_answer: Final = msgspec.msgpack.Decoder(_Answer).decode


class Clients:
    """All connections, and what is on its way on them."""

    def __init__(self, order: Order) -> None:
        self._requests = _requests(order)
        self._socket, self._context = _connect(order)
        self._sent_at: dict[int, float] = {}
        self.latencies: list[float] = []
        """Seconds, of answers that count."""
        self.failed = 0
        self.listed: list[int] = []
        self._descriptor = int(self._socket.get(zmq.FD))

    def __len__(self) -> int:
        return len(self._sent_at)

    def ask(self, due: float) -> None:
        """Send the next request, which was due then."""
        number, request = next(self._requests)
        header, body = encode(request)
        self._sent_at[number] = due
        self._socket.send(header, zmq.SNDMORE)
        self._socket.send(body)

    def hear(self, most: int) -> int:
        """Take answers that are here, at most so many; how many there were."""
        socket, sent_at = self._socket, self._sent_at
        for count in range(most):
            try:
                header = socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return count
            body = socket.recv()
            if header not in _HEADERS:
                if header == _FAILED:
                    self.failed += 1
                    sent_at.pop(_answer(body).request, None)
                continue
            number = _answer(body).request
            self.latencies.append(time.monotonic() - sent_at.pop(number))
            if number % _LOOKED_AT == 0:
                self._look(header, body)
        return most

    def sleep(self, seconds: float) -> None:
        """Until there is news, or so long."""
        if not int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN:
            select.select([self._descriptor], [], [], max(0.0, seconds))

    def close(self) -> None:
        self._socket.close(0)
        self._context.term()

    def _look(self, header: bytes, body: bytes) -> None:
        try:
            answer = decode([header, body], "tracker", "server")
        except RemoteProtocolError:
            self.failed += 1
            return
        if isinstance(answer, Swarm):
            self.listed.append(len(answer.peers))
            # Nobody is listed to a peer that alone has the content.
            self.failed += not answer.seeds + answer.leechers
        elif isinstance(answer, Registered):
            self.failed += answer.status != "ok"


def load(order: Order) -> Load:
    """Load the tracker for `order.seconds`, after a warm-up.

    Raises:
        ShoalError: ERR_TIMEOUT, not all connections stand.
    """
    clients = Clients(order)
    try:
        keep = _poisson(clients, order.rate) if order.rate else _always(clients, order.outstanding)
        _run(clients, keep, WARM_UP)
        clients.latencies.clear()
        clients.failed = 0
        before, mine, begin = usage_of(order.pid).cpu_seconds, time.process_time(), time.monotonic()
        _run(clients, keep, order.seconds)
        seconds = time.monotonic() - begin
        used, mine = usage_of(order.pid).cpu_seconds - before, time.process_time() - mine
        answered = len(clients.latencies)
        _run(clients, lambda: None, PATIENCE, until=lambda: not clients)
        latencies = sorted(clients.latencies)  # those that came late count among them
        failed = clients.failed + len(clients)
    finally:
        clients.close()
    if not answered:
        raise ShoalError(ERR_FAILURE, "the tracker answered nothing")
    listed = sum(clients.listed) / max(1, len(clients.listed))
    return Load(
        round(seconds, 4), answered, failed, round(used, 2), round(mine, 2), round(listed, 1),
        _quantile(latencies, 0.5), _quantile(latencies, 0.99),
    )  # fmt: skip


def _quantile(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 6)


def _run(
    clients: Clients, keep: Callable[[], float | None], seconds: float, until: Callable[[], bool] = lambda: False
) -> None:
    """Send what `keep` sends and hear answers, for a time; `keep` returns when it wants to be called again."""
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end and not until():
        due = keep()
        if not clients.hear(64):
            clients.sleep(min(end, end if due is None else due) - now)


def _always(clients: Clients, outstanding: int) -> Callable[[], None]:
    def keep() -> None:
        now = time.monotonic()
        for _ in range(outstanding - len(clients)):
            clients.ask(now)

    return keep


def _poisson(clients: Clients, rate: float) -> Callable[[], float]:
    rng = Random(2)
    due = time.monotonic()

    def keep() -> float:
        nonlocal due
        while due <= time.monotonic():
            clients.ask(due)
            due += rng.expovariate(rate)
        return due

    return keep


def _requests(order: Order) -> Iterator[tuple[int, Message]]:
    # Drawn here and now: drawing takes a good part of a second, in which the first requests would already be due.
    contents = [content_id(content) for content in draw_contents(order.population, _DRAWN, Random(1))]
    return _numbered(order.mix, cycle(contents))


def _numbered(mix: Mix, asked: Iterator[str]) -> Iterator[tuple[int, Message]]:
    number = 0
    while True:
        number += 1
        if mix == "query" or (mix == "mixed" and number % 2):
            yield number, Query(number, next(asked))
        else:
            yield number, Renew(number, VERSION)


def _connect(order: Order) -> tuple[ZmqSocket, zmq.Context[ZmqSocket]]:
    context = make_context()
    socket = context.socket(zmq.DEALER)
    for option in (zmq.SNDHWM, zmq.RCVHWM, zmq.LINGER):
        socket.set(option, 0)
    socket.set(zmq.IMMEDIATE, 1)  # so that requests are spread over connections that stand
    socket.set(zmq.CURVE_SERVERKEY, z85_of(order.key))
    monitor = open_monitor(socket, int(zmq.EVENT_HANDSHAKE_SUCCEEDED))
    for peer in range(order.population.connected):
        identity = identity_of(peer)
        socket.set(zmq.CURVE_PUBLICKEY, identity.curve_public)
        socket.set(zmq.CURVE_SECRETKEY, identity.curve_secret)
        # libzmq connects a DEALER to an endpoint once; from another address it is another endpoint.
        socket.connect(order.endpoint.replace("//", f"//{address_of(peer, order.population)}:0;"))
    deadline = time.monotonic() + HANDSHAKES
    standing = 0
    while standing < order.population.connected:
        if not monitor.poll(max(0, int(1000 * (deadline - time.monotonic())))):
            raise ShoalError(ERR_TIMEOUT, f"only {standing} of {order.population.connected} connections stand")
        standing += sum(1 for _ in read_monitor(monitor))
    socket.disable_monitor()
    monitor.close()
    return socket, context


def main(arguments: list[str]) -> int:
    """One load, as ordered; its result in JSON on stdout."""
    order = msgspec.json.decode(arguments[0], type=Order)
    os.sched_setaffinity(0, {order.core})
    print(msgspec.json.encode(load(order)).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
