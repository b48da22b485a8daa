"""What a request's query may hold: each parameter is declared once, for the handler that reads it and for the
document that describes it."""

from __future__ import annotations

from typing import Final

from flask import request
from msgspec import Struct

from bus.errors import ERR_USAGE, ShoalError

Schema = dict[str, object]
"""JSON Schema of one value."""
MAX_NUMBER: Final = 2**53
"""The largest whole number that every JSON reader holds exactly."""


class Parameter(Struct, frozen=True):
    """One parameter of a query."""

    name: str
    text: str
    """What it does, in one line."""

    def schema(self) -> Schema:
        raise NotImplementedError

    def _given(self) -> str | None:
        return request.args.get(self.name)


class Number(Parameter, frozen=True):
    """A whole number within bounds."""

    default: int
    low: int
    high: int

    def read(self) -> int:
        """Raises ShoalError (ERR_USAGE) if it is no number or out of range."""
        text = self._given()
        if text is None:
            return self.default
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and self.low <= int(text) <= self.high):
            message = f"{self.name}={text[:80]!r} is no whole number from {self.low} to {self.high}"
            raise ShoalError(ERR_USAGE, message)
        return int(text)

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.low, "maximum": self.high, "default": self.default}


class Switch(Parameter, frozen=True):
    """true, false, or absent, which is false."""

    def read(self) -> bool:
        """Raises ShoalError (ERR_USAGE) for anything else."""
        text = self._given() or "false"
        if text not in {"true", "false"}:
            raise ShoalError(ERR_USAGE, f"{self.name}={text[:80]!r} is neither true nor false")
        return text == "true"

    def schema(self) -> Schema:
        return {"type": "boolean", "default": False}


class Text(Parameter, frozen=True):
    """Any text, without the spaces around it; absent is the same as empty."""

    shortest: int = 0
    longest: int = 512

    def read(self) -> str:
        """Raises ShoalError (ERR_USAGE) if it is too short or too long."""
        text = (self._given() or "").strip()
        if not self.shortest <= len(text) <= self.longest:
            message = f"{self.name} is {len(text):,} characters long, not {self.shortest} to {self.longest}"
            raise ShoalError(ERR_USAGE, message)
        return text

    def schema(self) -> Schema:
        return {"type": "string", "minLength": self.shortest, "maxLength": self.longest}


class Choice(Parameter, frozen=True):
    """One of a few words, the first if it is absent."""

    words: tuple[str, ...]

    def read(self) -> str:
        """Raises ShoalError (ERR_USAGE) for anything else."""
        text = self._given() or self.words[0]
        if text not in self.words:
            raise ShoalError(ERR_USAGE, f"{self.name}={text[:80]!r} is none of {', '.join(self.words)}")
        return text

    def schema(self) -> Schema:
        return {"type": "string", "enum": list(self.words), "default": self.words[0]}
