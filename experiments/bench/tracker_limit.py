"""The bare tracker: the least that answers the same requests in as many bytes over encrypted ZeroMQ connections.

One ROUTER with CURVE, drained without waiting; every request becomes a typed record and every answer is made of typed
records, of as many peers as the swarm has. Nobody is checked, counted, limited, remembered, picked or told of anything.
Nothing of Shoal's own is used but the message types, so that a slow reactor cannot slow its own measure.

Started by `experiments/bench/shoal_tracker.py`: `python -m experiments.bench.tracker_limit CONTENTS`.
"""

from __future__ import annotations

import os
import select
import sys
from typing import Final

import msgspec
import zmq
from msgspec import Struct
from zmq.utils import z85

from bus.messages import BY_TYPE, PROTOCOL_VERSION, Message, Query, Registered, Renew, Swarm, SwarmPeer
from experiments.bench.tracker_population import PORT, content_id, swarm_size

MOST: Final = 50
"""Peers in one answer, the tracker's default."""
LEASE: Final = 90.0

ZmqSocket = zmq.Socket[bytes]


class Ready(Struct, frozen=True):
    """What it prints when it listens."""

    endpoint: str
    key: str
    """Hex."""
    pid: int


def serve(contents: int) -> None:
    """Answer until killed."""
    context: zmq.Context[ZmqSocket] = zmq.Context()
    public, secret = zmq.curve_keypair()
    with context, context.socket(zmq.ROUTER) as socket:
        socket.set(zmq.CURVE_SERVER, 1)
        socket.set(zmq.CURVE_SECRETKEY, secret)
        socket.bind("tcp://127.0.0.1:0")
        endpoint = socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0")
        sizes = {content_id(content): swarm_size(content) for content in range(contents)}
        key = z85.decode(public).hex()
        print(msgspec.json.encode(Ready(endpoint, key, os.getpid())).decode(), flush=True)
        _answer_all(socket, sizes)


def _answer_all(socket: ZmqSocket, sizes: dict[str, int]) -> None:
    descriptor = int(socket.get(zmq.FD))
    query, renew = msgspec.msgpack.Decoder(Query).decode, msgspec.msgpack.Decoder(Renew).decode
    encode = msgspec.msgpack.Encoder().encode
    asks, swarm, registered = _header(Query), _header(Swarm), _header(Registered)
    peers = [SwarmPeer(f"{peer:064x}", [f"tcp://10.0.0.{peer}:{PORT}"], True) for peer in range(MOST)]
    while True:
        try:
            while True:
                route, header, body = socket.recv_multipart(zmq.DONTWAIT)
                if header == asks:
                    asked = query(body)
                    size = sizes[asked.content]
                    answer: Message = Swarm(
                        asked.request, asked.content, "number 1 of the benchmark.bin", "file", 2**20, size, 0,
                        peers[:size],
                    )  # fmt: skip
                    socket.send_multipart([route, swarm, encode(answer)])
                else:
                    answer = Registered(renew(body).request, "ok", LEASE)
                    socket.send_multipart([route, registered, encode(answer)])
        except zmq.Again:
            if not int(socket.get(zmq.EVENTS)) & zmq.POLLIN:
                select.select([descriptor], [], [])


def _header(kind: type[Message]) -> bytes:
    return PROTOCOL_VERSION.to_bytes(1, "big") + BY_TYPE[kind].number.to_bytes(2, "big")


if __name__ == "__main__":
    serve(int(sys.argv[1]))
