"""The side of links that dials: one DEALER for each dial, with a monitor.

The socket is closed when its connection ends; whether to dial again is the core's decision.
The handshake proves the other side's key, so a link is up when the handshake is; in clear text
when the other side has proved who it is (bus/proof.py).
"""

from __future__ import annotations

import errno
from typing import Final

import zmq

from bus.boundary import Dial, DialFailed
from bus.errors import RemoteProtocolError
from bus.guard import ENDLESS, LOOK, Memory, Standing
from bus.identity import Identity
from bus.linkbook import PRIORITIES, Link, LinkBook, ZmqSocket, receive_frames
from bus.messages import Message
from bus.monitor import HANDSHAKE_FAILED, OTHER_ENCRYPTION, close_monitor, open_monitor, read_monitor
from bus.proof import Proof, WrongPeerError
from bus.reactor import BATCH, Timer
from bus.sockets import client_role, make_socket

TIME_LIMIT: Final = 2.0
"""Seconds for one endpoint, from the first packet to the end of the handshake, and of the proof in clear text."""
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE)
FAREWELL: Final = 1000
"""Milliseconds that a closed link still has to send what it was given before."""
EVENTS: Final = (
    int(zmq.EVENT_CONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
    | HANDSHAKE_FAILED
)


class Dialler:
    """Makes links on behalf of a core.

    Args:
        book: where the links go.
        context: of this process.
        identity: our keys.
        hwm: messages that each connection may queue each way.
        encryption: of data links; all others are always encrypted.
    """

    def __init__(
        self, book: LinkBook, context: zmq.Context[ZmqSocket], identity: Identity, hwm: int, encryption: bool
    ) -> None:
        self.book = book
        self.context = context
        self.identity = identity
        self.hwm = hwm
        self.encryption = encryption
        self._calls: dict[_Call, None] = {}
        self._memory = Memory()
        self._timer = book.reactor.every(LOOK, self._look)

    def dial(self, effect: Dial) -> None:
        """Try the endpoints in order; answered by LinkUp or DialFailed, never before this returns."""
        call = _Call(self, effect)
        self._calls[call] = None
        self.book.reactor.post(call.try_next)

    def close(self, linger: int) -> None:
        """Close all; `linger` is milliseconds for what is still to be sent."""
        self._timer.cancel()
        self._memory.close()
        for call in list(self._calls):
            call.hang_up(linger)

    def forget(self, call: _Call) -> None:
        self._calls.pop(call, None)

    def _look(self) -> None:
        if self._memory.grown():
            for call in list(self._calls):
                call.look()


class _Call:
    """One dial, and the connection it led to."""

    def __init__(self, dialler: Dialler, effect: Dial) -> None:
        self._dialler = dialler
        self._book = dialler.book
        self._reactor = dialler.book.reactor
        self._effect = effect
        self._endpoints = list(effect.endpoints)
        self._endpoint = ""
        self._failures: list[str] = []
        self._clear = effect.channel == "data" and not dialler.encryption
        self._proof: Proof | None = None
        """In clear text, until the link is up; and what is then the link."""
        self._unopened: Link | None = None
        self._wrong_key = False
        self._unequal = False
        self._answered = False
        self._over = False
        self._socket: ZmqSocket | None = None
        self._monitor: ZmqSocket | None = None
        self._standing: Standing | None = None
        """The connection, if there is one."""
        self._link: Link | None = None
        self._timer: Timer | None = None

    def drop(self, _link: Link) -> None:
        """Hang up; what was given before is still sent."""
        self.hang_up(FAREWELL)

    def hang_up(self, linger: int) -> None:
        self._over = True
        self._close(linger)
        self._dialler.forget(self)

    # --- until the link is up -------------------------------------------------------------------

    def try_next(self) -> None:
        if self._over:
            return
        if not self._endpoints:
            self._give_up()
            return
        self._endpoint = self._endpoints.pop(0)
        self._answered = False
        self._timer = self._reactor.call_later(TIME_LIMIT, self._time_out)
        try:
            self._connect()
        except zmq.ZMQError as error:
            if error.errno in _EXHAUSTED:
                self._fail("cannot be dialled: too many sockets or files are open here; lower transfer.links")
            else:
                self._fail(f"is no address to connect to ({error.strerror})")

    def _connect(self) -> None:
        """Make the sockets and connect; what was made before a ZMQError is `_close`'s."""
        dialler, channel, peer = self._dialler, self._effect.channel, self._effect.peer
        if self._clear:
            self._socket = make_socket(dialler.context, client_role(channel, clear=True), hwm=dialler.hwm)
        else:
            self._socket = make_socket(
                dialler.context, client_role(channel), hwm=dialler.hwm, identity=dialler.identity, server=peer
            )
        self._monitor = open_monitor(self._socket, EVENTS)
        self._reactor.add(self._monitor, self._hear, PRIORITIES[channel])
        self._reactor.add(self._socket, self._drain, PRIORITIES[channel])
        self._socket.connect(self._endpoint)

    def _time_out(self) -> None:
        if self._link is None:
            what = "took the connection and said nothing" if self._answered else "did not answer"
            if self._proof is not None:
                what = "did not prove who it is"
            self._fail(f"{what} within {TIME_LIMIT:g} s")

    def _fail(self, why: str) -> None:
        self._failures.append(f"{self._endpoint} {why}")
        self._close(0)
        # Not now: an effect's consequences come after it, and a long list of dead endpoints must not nest.
        self._reactor.post(self.try_next)

    def _give_up(self) -> None:
        self.hang_up(0)
        reason = "; ".join(self._failures) or "no endpoint is known"
        self._book.note(self._effect.channel, self._effect.peer, f"dial failed {reason}")
        self._book.on_event(DialFailed(self._effect.channel, self._effect.peer, reason, self._wrong_key, self._unequal))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self, linger: int) -> None:
        self._stop_timer()
        self._proof = self._unopened = self._standing = None
        if self._socket is None:
            return
        if self._monitor is not None:
            self._reactor.remove(self._monitor)
            self._reactor.remove(self._socket)
            close_monitor(self._socket, self._monitor)
        self._socket.close(linger)
        self._socket = self._monitor = None

    # --- events ---------------------------------------------------------------------------------

    def _hear(self) -> bool:
        watcher = self._monitor
        if watcher is None:
            return False
        for event, value in read_monitor(watcher):
            if event == zmq.EVENT_CONNECTED:
                self._answered = True
                self._standing = Standing(value)
            elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._rise()
            elif event & HANDSHAKE_FAILED:
                self._handshake_failed(event, value)
            else:
                self._ended()
            if self._monitor is not watcher:
                break  # hung up, or on to the next endpoint
        return False

    def _rise(self) -> None:
        socket = self._socket
        if socket is None or self._link is not None or self._proof is not None:
            return
        socket.get(zmq.EVENTS)  # lets the socket notice its new connection, so that the first message is not refused
        self._reactor.touch(socket)
        effect = self._effect
        link = Link(self._book.next_id(), self, socket, effect.channel, effect.peer)
        if self._clear:
            self._unopened, self._proof = link, Proof(self._dialler.identity, effect.peer)
            self._say(self._proof.introduction())
        else:
            self._open(link)

    def _open(self, link: Link) -> None:
        self._stop_timer()
        self._link = link
        self._book.open(link, host_of(self._endpoint))

    def _handshake_failed(self, event: int, value: int) -> None:
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            self._wrong_key = True
            self._fail("refused this program's key: it admits only peers that its security.allow lists")
        elif value == OTHER_ENCRYPTION and self._effect.channel == "data":
            self._unequal = True
            other, ours = ("encrypts its links", "false") if self._clear else ("does not encrypt its links", "true")
            self._fail(f"{other}, and security.encryption is {ours} here; it must be the same on both sides")
        elif self._answered and self._clear:
            self._fail(
                "ended the connection before it greeted: it encrypts its links, takes no more connections from here, "
                "or is another kind of program"
            )
        elif self._answered:
            self._wrong_key = True
            self._fail(f"{self._another_key()}, takes no more connections from here, or is another kind of program")

    def _another_key(self) -> str:
        return f"has another key than {self._effect.peer[:16]}..."

    # --- the proof, in clear text ---------------------------------------------------------------

    def _say(self, message: Message) -> None:
        if self._unopened is not None and not self._book.send_proof(self._unopened, message):
            self._fail("takes no messages")

    def _hear_proof(self, frames: list[bytes | zmq.Frame]) -> None:
        """The next step of the proof; then the link is up, or this endpoint is of no use."""
        proof, link = self._proof, self._unopened
        if proof is None or link is None:
            return
        try:
            answer = proof.answer(self._book.read_proof(link, frames))
        except WrongPeerError as error:
            self._wrong_key = True
            self._fail(f"{self._another_key()}: {error}")
        except RemoteProtocolError as error:
            self._fail(f"did not prove who it is: {error}")
        else:
            if answer is not None:
                self._say(answer)
            elif proof.done:
                self._proof = self._unopened = None
                self._open(link)

    def _ended(self) -> None:
        if self._link is None:
            self._fail("closed the connection" if self._answered else "is not listening")
            return
        while self._socket is not None and self._drain():
            pass  # what came before the end is heard before it
        self._book.lose(self._link, "the other side closed the connection")

    def look(self) -> None:
        """End the connection if its other side sends without end."""
        standing, socket = self._standing, self._socket
        if standing is None or socket is None or not standing.swollen(2 * int(socket.get(zmq.MAXMSGSIZE))):
            return
        while not standing.heard and self._drain():
            pass
        if standing.heard or self._standing is not standing:
            return
        if self._link is None:
            self._fail(f"is no peer or tracker: {ENDLESS}")
        else:
            self.hang_up(0)
            self._book.lose(self._link, ENDLESS)

    def _drain(self) -> bool:
        socket, reactor = self._socket, self._reactor
        if socket is None:
            return False
        if self._link is None:
            self._hear()
        link = self._link
        for _ in range(BATCH):
            if self._socket is not socket:
                return False
            try:
                first = socket.recv(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return False
            if self._standing is not None:
                self._standing.heard = True
            frames = receive_frames(socket, first, keep_first=True)
            if link is not None:
                self._book.receive(link, frames)
            elif self._clear:
                self._hear_proof(frames)
                link = self._link
            if reactor.slice_over():
                break
        return True


def host_of(endpoint: str) -> str:
    """The host of a `tcp://host:port`, without the brackets of an IPv6 address."""
    return endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]")
