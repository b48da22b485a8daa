"""What is said on a data connection that is not encrypted before it is a link, numbers 60 to 63 (bus/proof.py)."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from bus.messages.declaring import BOTH, Hex64, Message, declare

NONCE_SIZE: Final = 32
"""Bytes."""


@declare(60, "proof", BOTH)
class Introduce(Message, frozen=True, gc=False):
    """Says who one claims to be; the side that dialled begins."""

    key: Hex64
    """Ed25519 public key; the peer id is what it becomes as a Curve25519 key."""
    nonce: Annotated[bytes, Meta(min_length=NONCE_SIZE, max_length=NONCE_SIZE)]
    """Random, and never used before."""


@declare(61, "proof", BOTH)
class Prove(Message, frozen=True, gc=False):
    """Proves it; the side that dialled begins, and the other signs only for who has proved itself."""

    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]
    """Ed25519, over a fixed text, the signer's role, both ids and both nonces."""
