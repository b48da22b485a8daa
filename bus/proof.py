"""Who is at the other end of a connection that is not encrypted: proved once, when it begins.

    dialler                            listener
    Introduce(key, nonce)     ------>
                              <------  Introduce(key, nonce)
    Prove(signature)          ------>
                              <------  Prove(signature)

A key stands for the peer id that it becomes when it is converted to Curve25519; an id is never
sent, so none can be claimed.  Each side signs

    CONTEXT, its role, the dialler's id, the listener's id, the dialler's nonce, the listener's nonce

with everything at a fixed length.  The context keeps these signatures apart from all others of
the same key, the role keeps one side's from being sent back to it, both ids keep them from
being shown to a third peer, and the nonces, one from each side, to this connection.

The dialler proves first: a listener, whom everybody reaches, signs nothing for strangers.

What this cannot do: whoever sits between the two on the wire passes all of it on and then has
the connection.  Only encryption helps against that.
"""

from __future__ import annotations

import secrets
from enum import Enum
from typing import Final

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from bus.boundary import PeerId
from bus.errors import RemoteProtocolError
from bus.identity import Identity
from bus.messages import NONCE_SIZE, Introduce, Message, Prove

CONTEXT: Final = b"shoal 1: who is at the other end of a connection in clear text\0"
DIALLER: Final = b"dialler \0"
LISTENER: Final = b"listener\0"


class Step(Enum):
    """What the other side has to send next."""

    INTRODUCE = "introduce"
    PROVE = "prove"
    NOTHING = "nothing"


def signed_text(role: bytes, dialler: PeerId, listener: PeerId, dialler_nonce: bytes, listener_nonce: bytes) -> bytes:
    """What the side of that role signs."""
    return b"".join((CONTEXT, role, bytes.fromhex(dialler), bytes.fromhex(listener), dialler_nonce, listener_nonce))


class Proof:
    """One side of the exchange on one connection.

    Args:
        identity: ours.
        expected: the peer id that was dialled; empty at the side that was dialled.
    """

    __slots__ = ("_expected", "_identity", "_key", "_nonce", "_other_nonce", "_step", "peer")

    def __init__(self, identity: Identity, expected: PeerId = "") -> None:
        self._identity = identity
        self._expected = expected
        self._nonce = secrets.token_bytes(NONCE_SIZE)
        self._other_nonce = b""
        self._key: VerifyKey | None = None
        self._step = Step.INTRODUCE
        self.peer: PeerId = ""
        """Who the other side claims to be; proved once `done`."""

    def __repr__(self) -> str:
        role = "dialler" if self._expected else "listener"
        return f"<Proof as {role} awaits {self._step.value} of {self.peer[:8] or 'anybody'}>"

    @property
    def done(self) -> bool:
        return self._step is Step.NOTHING

    def introduction(self) -> Introduce:
        """Our own first message; the dialler sends it at once."""
        return Introduce(self._identity.verify_key.hex(), self._nonce)

    def answer(self, message: Message) -> Message | None:
        """Take the other side's next message; gives what to send back, if anything.

        Raises:
            RemoteProtocolError: it is not what was due, or proves nothing; the connection is to be ended.
        """
        match message:
            case Introduce() if self._step is Step.INTRODUCE:
                self._meet(message)
                return self._signature() if self._expected else self.introduction()
            case Prove() if self._step is Step.PROVE:
                self._check(message)
                return None if self._expected else self._signature()
        raise RemoteProtocolError(f"{type(message).__name__} where {self._step.value} was due")

    def _meet(self, message: Introduce) -> None:
        try:
            self._key = VerifyKey(bytes.fromhex(message.key))
            self.peer = bytes(self._key.to_curve25519_public_key()).hex()
        except CryptoError:
            raise RemoteProtocolError("its key is no Ed25519 public key") from None
        if self.peer == self._identity.peer_id:
            raise RemoteProtocolError("it claims to be this peer itself")
        if self._expected and self.peer != self._expected:
            raise WrongPeerError(f"it is {self.peer[:16]}...")
        self._other_nonce = message.nonce
        self._step = Step.PROVE

    def _check(self, message: Prove) -> None:
        assert self._key is not None
        try:
            self._key.verify(self._text(LISTENER if self._expected else DIALLER), message.signature)
        except CryptoError:
            raise RemoteProtocolError("its signature does not prove that it has its key") from None
        self._step = Step.NOTHING

    def _signature(self) -> Prove:
        return Prove(self._identity.sign(self._text(DIALLER if self._expected else LISTENER)))

    def _text(self, role: bytes) -> bytes:
        ours, theirs = (self._identity.peer_id, self._nonce), (self.peer, self._other_nonce)
        (dialler, nonce), (listener, other) = (ours, theirs) if self._expected else (theirs, ours)
        return signed_text(role, dialler, listener, nonce, other)


class WrongPeerError(RemoteProtocolError):
    """The other side has another key than that of the peer that was dialled."""
