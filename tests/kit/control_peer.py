"""A program that publishes events and answers control requests as a test tells it, in a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from bus.boundary import LinkEvent, LinkId, Received, Send
from bus.errors import ShoalError
from bus.events import Event
from bus.identity import Identity
from bus.link import Links
from bus.messages import ControlFailed, ControlPing, Done, Message, Snapshot
from bus.publisher import PeerPublisher
from bus.reactor import Reactor
from bus.sockets import make_context
from bus.tap import WireStream

Answer = Callable[[Message], list[Message]]


class ControlPeer:
    """See the module's head.  Used as `with ControlPeer(directory) as peer:`.

    Args:
        directory: for its sockets.
        answer: the messages that answer a request which this class does not know itself.
        heartbeat: seconds between heartbeats.
    """

    def __init__(self, directory: Path, answer: Answer = lambda _request: [], heartbeat: float = 0.1) -> None:
        self.events = f"ipc://{directory}/events.ipc"
        self.control = f"ipc://{directory}/control.ipc"
        self.wire_endpoint = f"ipc://{directory}/wire.ipc"
        self.heard: list[Message] = []
        self._answer = answer
        self._context = make_context()
        self._reactor = Reactor()
        self._wire = WireStream(self._reactor, self._context, self.wire_endpoint)
        self.publisher = PeerPublisher(self._reactor, self._context, self.events, "peer", heartbeat)
        identity = Identity(b"control peer".ljust(32))
        self._links = Links(self._reactor, self._context, identity, self._on_event, hwm=256, wire=self._wire)
        self._thread = threading.Thread(target=self._reactor.run, name="control peer")

    def __enter__(self) -> ControlPeer:
        self._links.listen("control", self.control)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End as a process ends: without a word."""
        if not self._thread.is_alive():
            return
        self._reactor.stop()
        self._thread.join()
        self._links.close(0)
        self.publisher.close()
        self._wire.close()
        self._context.term()
        self._reactor.close()

    def call(self, function: Callable[[], object]) -> None:
        """Run a function in the reactor's thread, and wait until it is done."""
        done = threading.Event()
        self._reactor.post(function)
        self._reactor.post(done.set)
        assert done.wait(5)

    def publish(self, *events: Event) -> None:
        self.call(lambda: deque(map(self.publisher.publish, events), 0))

    def say(self, link: LinkId, message: Message) -> None:
        """Send a message that nobody asked for.  In the reactor's thread."""
        self._links.perform(Send(link, message))

    def _on_event(self, event: LinkEvent) -> None:
        if isinstance(event, Received):
            self.heard.append(event.message)
            for answer in self._answers(event.message):
                self._links.perform(Send(event.link, answer))

    def _answers(self, request: Message) -> list[Message]:
        if isinstance(request, Snapshot):
            try:
                return [self.publisher.answer(request)]
            except ShoalError as error:
                return [ControlFailed(request.request, error.code, error.message)]
        if isinstance(request, ControlPing):
            return [Done(request.request)]
        return self._answer(request)
