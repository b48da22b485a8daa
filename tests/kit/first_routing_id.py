"""Prints the routing id that a fresh process's ROUTER gives to its first connection, in hex."""

from __future__ import annotations

import zmq

from bus.sockets import make_context, make_socket

if __name__ == "__main__":
    context = make_context()
    router, dealer = make_socket(context, "control-server"), make_socket(context, "control-client")
    port = router.bind_to_random_port("tcp://127.0.0.1")
    dealer.connect(f"tcp://127.0.0.1:{port}")
    dealer.poll(5_000, zmq.POLLOUT)
    dealer.send(b"")
    router.poll(5_000)
    print(router.recv_multipart(zmq.DONTWAIT)[0].hex())  # noqa: T201
    context.destroy(0)
