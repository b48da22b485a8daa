"""CURVE keys in the forms that ZeroMQ uses."""

from __future__ import annotations

import zmq
from zmq.utils import z85


def raw(text: bytes) -> bytes:
    """The 32 bytes of a key in text form."""
    decoded: bytes = z85.decode(text)
    return decoded


def is_a_pair(public: bytes, secret: bytes) -> bool:
    """Whether a public key, in text form, belongs to a secret one."""
    derived: bytes = zmq.curve_public(secret)
    return derived == public
