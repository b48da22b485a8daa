"""The trace of a simulation: one hash over every effect of every core, in order, with its time."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from bus.boundary import Send

BLOCK: Final = 2**16
"""Bytes gathered before they are hashed: one call of the hash for many effects."""


class Trace:
    """Takes in effects; equal digests mean equal runs."""

    __slots__ = ("_buffer", "_encode_into", "_hash")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        # Layouts and the like are no records; their text says all that an effect has of them.
        self._encode_into = msgspec.msgpack.Encoder(enc_hook=repr).encode_into

    def note(self, now: float, number: int, effects: list[Any]) -> None:
        """Host `number` has these effects at `now`."""
        buffer, encode_into = self._buffer, self._encode_into
        for effect in effects:
            kind = type(effect)
            what = type(effect.message) if kind is Send else kind
            encode_into((now, number, what.__name__, effect), buffer, -1)
        if len(buffer) > BLOCK:
            self._hash.update(buffer)
            buffer.clear()

    def digest(self) -> str:
        """The hash of all effects so far."""
        self._hash.update(self._buffer)
        self._buffer.clear()
        return self._hash.hexdigest()
