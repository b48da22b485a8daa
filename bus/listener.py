"""The side of links that is dialled: one ROUTER, and who its connections are.

Who sent a message is read from the message each time: the User-Id that the handshake proved,
never the routing id, which the client chooses.  A link is (routing id, User-Id, descriptor).

In clear text the User-Id proves nothing: it is the connection's own name (bus/auth.py).  The
connection is then a link once it has proved who is at its other end (bus/proof.py), and is
ended if it says anything else before, or takes too long (bus/guard.py).

A connection's end is heard from the socket's monitor, which names it by its descriptor.  Two
races follow from that, and the order below settles both:

- the monitor may report the end before the last messages are read, so an end counts once the
  ROUTER has been empty;
- the descriptor is used again at once, perhaps by a connection whose first message is read
  before the end of the old one, so the monitor is read before a link is opened.
"""

from __future__ import annotations

import logging
import os
import socket as sockets
from collections import Counter
from typing import Final

import zmq

from bus.errors import RemoteProtocolError
from bus.guard import ENDLESS, Guard, Room, Standing
from bus.identity import Identity
from bus.linkbook import PRIORITIES, Link, LinkBook, ZmqSocket, receive_frames
from bus.messages import Channel
from bus.monitor import HANDSHAKE_FAILED, OTHER_ENCRYPTION, close_monitor, open_monitor, read_monitor
from bus.proof import Proof
from bus.reactor import BATCH
from bus.sockets import plain_host

log = logging.getLogger(__name__)

EVENTS: Final = int(zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_ACCEPT_FAILED) | HANDSHAKE_FAILED
FAREWELL: Final = 1.0
"""Seconds between a HangUp and the end of the connection, so that what was said last arrives."""
_PATIENCE: Final = 1.0
"""Seconds after which an end counts although the ROUTER was never empty since."""
_NEVER_SPOKE: Final = {int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL), int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)}
_COUNTED: Final = {
    int(zmq.EVENT_ACCEPTED): "accepted",
    int(zmq.EVENT_DISCONNECTED): "disconnected",
    int(zmq.EVENT_ACCEPT_FAILED): "accept_failed",
    int(zmq.EVENT_HANDSHAKE_FAILED_AUTH): "refused_key",
    int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL): "refused_protocol",
    int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL): "refused_silence",
}


class _Connection(Standing):
    """One accepted connection, from ACCEPTED until its end counts."""

    __slots__ = ("address", "ended_at", "link", "proof", "route", "unopened", "user")

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self.route = b""
        """Empty until its first message."""
        self.user = ""
        self.address = ""
        self.link: Link | None = None
        """None again once the link is forgotten."""
        self.proof: Proof | None = None
        """In clear text, until it is proved or refused; and what is then the link."""
        self.unopened: Link | None = None
        self.ended_at = 0.0


class Listener:
    """A bound ROUTER of one channel.

    Args:
        book: where the links go.
        socket: with all its options set, and not yet bound; it belongs to this object.
        channel: what is spoken on it.
        room: how many connections there is room for.
        identity: our keys, if it is in clear text; libzmq then proves nothing, and we do.
    """

    def __init__(
        self, book: LinkBook, socket: ZmqSocket, channel: Channel, room: Room, identity: Identity | None = None
    ) -> None:
        self._book = book
        self._reactor = book.reactor
        self._socket = socket
        self._channel: Channel = channel
        self._monitor = open_monitor(socket, EVENTS)
        self._connections: dict[int, _Connection] = {}
        """Those that stand, by descriptor."""
        self._by_route: dict[bytes, _Connection] = {}
        """Those that have said something, until their end counts; also those whose link is forgotten."""
        self._ending: list[_Connection] = []
        self._identity = identity
        self._guard = None if channel == "control" else self._make_guard(room)
        self.admitting = True
        self._heard_last = 0
        """The monitor's newest event: a failed handshake and the end after it may come in two batches."""
        self.counts: Counter[str] = Counter()
        """Connections by what became of them, and messages dropped."""
        self._reactor.add(self._monitor, self._hear, PRIORITIES[channel])
        self._reactor.add(socket, self._drain, PRIORITIES[channel])

    def _make_guard(self, room: Room) -> Guard[_Connection]:
        # The limit is one frame's; the others of a message are short beside the longest.
        longest = 2 * int(self._socket.get(zmq.MAXMSGSIZE))
        return Guard(
            self._reactor, self._connections, longest, self._identity is not None, room,
            lambda: self._reactor.revisit(self._socket), self._end,
        )  # fmt: skip

    def close(self, linger: int) -> None:
        """Close the sockets; `linger` is milliseconds for what is still to be sent."""
        if self._guard is not None:
            self._guard.close()
        self._reactor.remove(self._socket)
        self._reactor.remove(self._monitor)
        close_monitor(self._socket, self._monitor)
        self._socket.close(linger)

    def drop(self, link: Link) -> None:
        """Hear a link's connection no more, and end it a little later."""
        connection = self._by_route.get(link.route)
        if connection is None or connection.link is not link:
            return
        connection.link = None
        if self._stands(connection):
            remote = _remote_of(connection.descriptor)
            self._reactor.call_later(FAREWELL, lambda: self._cut(connection, remote))

    # --- messages -------------------------------------------------------------------------------

    def _drain(self) -> bool:
        receive, socket, reactor, book = self._socket.recv, self._socket, self._reactor, self._book
        read = 0
        while read < BATCH:
            try:
                first = receive(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                self._settle(None)
                return False
            frames = receive_frames(socket, first)
            link = self._sender_of(first)
            if link is not None:
                book.receive(link, frames)
            elif self._identity is not None:
                self._hear_proof(first, frames)
            if socket.closed:
                return False
            read += 1
            if reactor.slice_over():
                break
        self._settle(read)
        return True

    def _settle(self, read: int | None) -> None:
        """Do what waited until so many more messages were read, or all that there are."""
        if self._guard is not None and self._guard.suspects:
            self._guard.judge(read)
        if self._ending:
            self._bury(self._reactor.now - (0.0 if read is None else _PATIENCE))

    def _sender_of(self, first: zmq.Frame) -> Link | None:
        """The link of a message, opened if it is the first of its connection; None if nobody should hear it."""
        descriptor = int(first.get(zmq.SRCFD))
        connection = self._by_route.get(first.bytes)
        if connection is not None and connection.descriptor == descriptor:
            connection.heard = True
            link = connection.link
            if link is not None and connection.user == self._user_of(first):
                return link
            if connection.proof is None:
                self.counts["dropped"] += 1
            return None
        return self._admit(first, descriptor)

    def _admit(self, first: zmq.Frame, descriptor: int) -> Link | None:
        """Take a new connection by its first message; None if it is no link, or not yet."""
        self._hear()
        connection = self._connections.get(descriptor)
        if connection is None:
            self.counts["dropped"] += 1  # said before its end, which we heard first; there is nobody to answer
            return None
        silent_before = any(old.descriptor == descriptor and not old.route for old in self._ending)
        if connection.route or silent_before or not self.admitting:
            # Whose words these are cannot be told if the descriptor had an owner before that never spoke: whoever it
            # is dials again.
            self.counts["dropped"] += 1
            self._cut(connection, _remote_of(descriptor))
            return None
        user = self._user_of(first)
        if not user:
            self.counts["refused_user"] += 1
            self._cut(connection, _remote_of(descriptor))
            return None
        route = first.bytes
        previous = self._by_route.get(route)
        if previous is not None and previous.link is not None:  # a client that claims the same id on each connection
            self._book.lose(previous.link, "replaced by a newer connection")
        connection.route, connection.user, connection.heard = route, user, True
        self._by_route[route] = connection
        connection.address = plain_host(str(first.get("Peer-Address"))) if self._channel != "control" else "local"
        peer = user if self._identity is None else ""
        link = Link(self._book.next_id(), self, self._socket, self._channel, peer, route)
        if self._identity is not None:
            connection.proof, connection.unopened = Proof(self._identity), link
            return None
        if self._guard is not None:
            self._guard.known(connection)
        connection.link = link
        self._book.open(link, connection.address)
        return connection.link

    def _user_of(self, frame: zmq.Frame) -> str:
        """Who is proved to have sent this, or in clear text which connection did; empty if nobody is."""
        if self._channel != "control":
            return str(frame.get("User-Id"))
        # ipc: "host:uid:gid:pid", from the kernel (SO_PEERCRED).
        uid = str(frame.get("Peer-Address")).split(":")[1]
        return f"uid:{uid}" if uid == str(os.getuid()) else ""

    # --- proofs, in clear text ------------------------------------------------------------------

    def _hear_proof(self, first: zmq.Frame, frames: list[bytes | zmq.Frame]) -> None:
        """A message that is of no link: the next step of its connection's proof, or its end."""
        connection = self._by_route.get(first.bytes)
        if connection is None or connection.proof is None or connection.unopened is None:
            return
        if connection.descriptor != int(first.get(zmq.SRCFD)) or connection.user != self._user_of(first):
            return
        proof, link = connection.proof, connection.unopened
        try:
            answer = proof.answer(self._book.read_proof(link, frames))
        except RemoteProtocolError as error:
            self._refuse(connection, str(error))
            return
        link.peer = proof.peer
        if answer is not None and not self._book.send_proof(link, answer):
            self._refuse(connection, "it takes no messages")
        elif proof.done:
            assert self._guard is not None
            self._guard.known(connection)
            connection.proof = connection.unopened = None
            connection.link = link
            self._book.open(link, connection.address)

    def _refuse(self, connection: _Connection, why: str) -> None:
        """End a connection that has not proved who it is; what it still says is dropped."""
        self.counts["refused_proof"] += 1
        self._book.note(self._channel, "", f"refused {connection.address or 'a connection'}: {why}")
        connection.proof = connection.unopened = None
        self._cut(connection, _remote_of(connection.descriptor))

    # --- connections ----------------------------------------------------------------------------

    def _hear(self) -> bool:
        crowd: dict[_Connection, str] = {}
        for event, value in read_monitor(self._monitor):
            self.counts[_COUNTED.get(event, "other")] += 1
            if event == zmq.EVENT_ACCEPTED:
                self._forget(value)
                connection = self._connections[value] = _Connection(value)
                if self._guard is not None and (why := self._guard.enter(connection, _host_of(value))):
                    crowd[connection] = why
            elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL and value == OTHER_ENCRYPTION:
                self._say_unequal()
            elif event == zmq.EVENT_DISCONNECTED:
                gone = self._forget(value)
                # One that ends in the middle of its handshake has said nothing.  With one I/O thread nothing else is
                # reported between its failure and its end.
                if gone is not None and self._heard_last not in _NEVER_SPOKE:
                    gone.ended_at = self._reactor.now
                    self._ending.append(gone)
                    self._reactor.revisit(self._socket)
            self._heard_last = event
        for connection, why in crowd.items():
            self.counts["refused_crowd"] += 1
            self._book.note(self._channel, "", f"refused a connection: {why}")
            log.warning("a connection to the %s port was refused: %s", self._channel, why)
            self._shut(connection, _remote_of(connection.descriptor))
        return False

    def _forget(self, descriptor: int) -> _Connection | None:
        """The connection that had this descriptor stands no more."""
        gone = self._connections.pop(descriptor, None)
        if gone is not None and self._guard is not None:
            self._guard.leave(gone)
        return gone

    def _end(self, connection: _Connection, why: str) -> None:
        """End a connection now, because the guard says so."""
        self.counts["endless" if why == ENDLESS else "late"] += 1
        if self._identity is not None and connection.link is None:
            self._refuse(connection, why)
            return
        self._book.note(self._channel, connection.user, f"ended {connection.address or 'a connection'}: {why}")
        self._cut(connection, _remote_of(connection.descriptor))
        if connection.link is not None:
            self._book.lose(connection.link, why)

    def _say_unequal(self) -> None:
        self.counts["refused_encryption"] += 1
        if self._channel == "data" and self.counts["refused_encryption"] == 1:
            other = "does not encrypt its links" if self._identity is None else "encrypts its links"
            log.warning(
                "a connection to the data port was refused, because its other side %s: "
                "security.encryption must be the same on both sides (this is said once)", other,
            )  # fmt: skip

    def _bury(self, latest: float) -> None:
        """Let the ends count that were heard up to `latest`, on the turn clock."""
        buried = [connection for connection in self._ending if connection.ended_at <= latest]
        self._ending = [connection for connection in self._ending if connection.ended_at > latest]
        for connection in buried:
            if connection.link is not None:
                self._book.lose(connection.link, "the other side closed the connection")
            if self._by_route.get(connection.route) is connection:
                del self._by_route[connection.route]

    def _stands(self, connection: _Connection) -> bool:
        return self._connections.get(connection.descriptor) is connection

    def _cut(self, connection: _Connection, remote: object) -> None:
        """End a connection of libzmq's: it sees the far end close, and cleans up.

        The descriptor is libzmq's: it is neither closed nor duplicated here.  `remote` guards against a descriptor
        that was used again since.
        """
        self._hear()
        self._shut(connection, remote)

    def _shut(self, connection: _Connection, remote: object) -> None:
        if self._channel == "control" or remote is None or not self._stands(connection):
            return
        if _remote_of(connection.descriptor) == remote:
            borrowed = sockets.socket(fileno=connection.descriptor)
            try:
                borrowed.shutdown(sockets.SHUT_RDWR)
                self.counts["cut"] += 1
            except OSError:
                self.counts["cut_too_late"] += 1
            finally:
                borrowed.detach()


def _remote_of(descriptor: int) -> object:
    """The address at the other end of a connection; None if the descriptor is no connection."""
    try:
        borrowed = sockets.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        return borrowed.getpeername()
    except OSError:
        return None
    finally:
        borrowed.detach()


def _host_of(descriptor: int) -> str:
    """The host at the other end of a TCP connection; empty if the descriptor is none."""
    remote = _remote_of(descriptor)
    return plain_host(str(remote[0])) if isinstance(remote, tuple) else ""
