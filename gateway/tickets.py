"""Tickets: what a player or a plain link shows instead of the token, to read the data of one content for a while.

    ticket = expiry "." HMAC-SHA256(key, content id, expiry)        expiry: seconds since 1970

The key is derived from the token, so a new token ends all tickets, and a restart of the gateway none.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from typing import Final

from bus.errors import ERR_TOKEN, ShoalError

LIFETIME: Final = 3600
"""Seconds."""


class Tickets:
    """Makes and checks tickets; `clock` is the wall clock."""

    def __init__(self, token: str, clock: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(token.encode(), b"shoal tickets", "sha256")
        self._clock = clock

    def make(self, content: str) -> tuple[str, int]:
        """(ticket, its expiry) for the full id of a content."""
        expires = int(self._clock()) + LIFETIME
        return f"{expires}.{self._mark(content, expires)}", expires

    def check(self, content: str, ticket: str) -> None:
        """Raises ShoalError (ERR_TOKEN) unless the ticket is ours, for this content, and still good."""
        expires, _, mark = ticket.partition(".")
        # Digits first: what is compared is then ASCII, and of a length that is no work to hash.
        known = expires.isascii() and expires.isdecimal() and len(expires) <= 12
        if not known or not hmac.compare_digest(mark.encode(), self._mark(content, int(expires)).encode()):
            raise ShoalError(ERR_TOKEN, "the ticket is not for this content; POST to its tickets for one")
        if int(expires) <= self._clock():
            raise ShoalError(ERR_TOKEN, "the ticket has expired; POST to the content's tickets for a new one")

    def _mark(self, content: str, expires: int) -> str:
        return hmac.digest(self._key, f"{content}.{expires}".encode(), "sha256").hex()
