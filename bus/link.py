"""The links of a process, as a core's shell sees them: Dial, HangUp and Send in, link events out."""

from __future__ import annotations

from collections.abc import Callable

import zmq

from bus.boundary import Dial, HangUp, LinkEvent, Send
from bus.dialler import Dialler
from bus.guard import Room
from bus.identity import Identity
from bus.linkbook import LinkBook, ZmqSocket
from bus.listener import Listener
from bus.messages import Channel
from bus.reactor import Reactor
from bus.sockets import bind, make_socket, server_role
from bus.tap import WireStream


class Links:
    """All links of a process.  Everything happens in the reactor's thread.

    Args:
        reactor: the loop.
        context: of this process.
        identity: our keys.
        on_event: hears every link event, in order.
        hwm: messages that each connection may queue each way inside libzmq; 1 must do.
        wire: gets a record of every message, while somebody watches.
        encryption: of data links; without it their two ends prove who they are by signatures (bus/proof.py).
        room: for how many connections of an address there is room at each of our ports.
    """

    def __init__(
        self,
        reactor: Reactor,
        context: zmq.Context[ZmqSocket],
        identity: Identity,
        on_event: Callable[[LinkEvent], object],
        *,
        hwm: int,
        wire: WireStream | None = None,
        encryption: bool = True,
        room: Room = Room(),  # noqa: B008
    ) -> None:
        self._context = context
        self._identity = identity
        self._hwm = hwm
        self._book = LinkBook(reactor, on_event, wire)
        self._encryption = encryption
        self._room = room
        self._dialler = Dialler(self._book, context, identity, hwm, encryption)
        self._listeners: list[Listener] = []

    def listen(self, channel: Channel, endpoint: str) -> str:
        """Take links of a channel: CURVE or a proof on tcp, our own user only on ipc.  Returns the real endpoint.

        Raises:
            ShoalError: ERR_PORT_IN_USE or ERR_USAGE if the endpoint cannot be had.
        """
        clear = channel == "data" and not self._encryption
        identity = None if clear or channel == "control" else self._identity
        socket = make_socket(self._context, server_role(channel, clear=clear), hwm=self._hwm, identity=identity)
        listener = Listener(self._book, socket, channel, self._room, self._identity if clear else None)
        try:
            bound = bind(socket, endpoint)
        except BaseException:
            listener.close(0)
            raise
        self._listeners.append(listener)
        return bound

    def perform(self, effect: Dial | HangUp | Send) -> None:
        """Carry out an effect; never waits.  One for a link that is no more is nothing: its end is on the way."""
        if isinstance(effect, Dial):
            self._dialler.dial(effect)
            return
        link = self._book.links.get(effect.link)
        if link is None:
            return
        if isinstance(effect, Send):
            self._book.send(link, effect.message, effect.payload)
        else:
            self._book.hang_up(link)

    def stop_listening(self) -> None:
        """Take no new links; those that stand go on.  (To unbind would end them: libzmq keeps them together.)"""
        for listener in self._listeners:
            listener.admitting = False

    def close(self, linger_ms: int) -> None:
        """End all links without a word; what was given to them has `linger_ms` milliseconds to leave."""
        self._book.close()
        self._dialler.close(linger_ms)
        for listener in self._listeners:
            listener.close(linger_ms)
        self._listeners.clear()

    @property
    def counts(self) -> dict[str, int]:
        """Connections by what became of them, and messages dropped or not known, since the start."""
        total: dict[str, int] = {"unknown_messages": self._book.unknown_messages}
        for listener in self._listeners:
            for name, count in listener.counts.items():
                total[name] = total.get(name, 0) + count
        return total
