"""A program that takes data links and answers every ping, for tests that may kill it.

python -m tests.kit.lone_server          prints its endpoint and peer id, and runs until its stdin closes
"""

from __future__ import annotations

import sys
import threading

from bus.auth import ZapLoop
from bus.boundary import LinkEvent, Received, Send
from bus.identity import Identity
from bus.link import Links
from bus.messages import Ping, Pong
from bus.reactor import Reactor
from bus.sockets import make_context
from tests.kit.bench import LOOPBACK


def main() -> None:
    context, reactor = make_context(), Reactor()
    zap = ZapLoop(context, lambda _domain, _peer, _address: True)
    zap.start()
    identity = Identity(b"lone server".ljust(32))

    def answer(event: LinkEvent) -> None:
        if isinstance(event, Received) and isinstance(event.message, Ping):
            links.perform(Send(event.link, Pong(event.message.nonce)))

    links = Links(reactor, context, identity, answer, hwm=256, room=LOOPBACK)
    print(links.listen("data", "tcp://127.0.0.1:0"), identity.peer_id, flush=True)  # noqa: T201

    def stop_at_the_end_of_stdin() -> None:
        sys.stdin.read()
        reactor.stop()

    threading.Thread(target=stop_at_the_end_of_stdin, daemon=True).start()
    reactor.run()
    links.close(0)
    zap.stop()
    context.term()


if __name__ == "__main__":
    main()
