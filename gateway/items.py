"""What the REST handlers ask of the peer and of its state in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from flask import Response

from bus import messages
from bus.errors import ERR_NOT_FOUND, ERR_PROTOCOL, ShoalError
from gateway.answers import listing
from gateway.live import Live
from gateway.view import rows
from gateway.view.page import PageView

QUICK: Final = 10.0
"""Seconds of silence after which a request that needs no disk is given up."""
SLOW: Final = 60.0
"""Seconds of silence after which hashing or deleting counts as stuck; progress extends it."""
SHOWN_WITHIN: Final = 2.0
"""Seconds that an answer waits for the state to show what was done."""
SHORTEST_PREFIX: Final = 8
"""Hex digits of an id that may stand for it."""

M = TypeVar("M", bound=messages.Message)
R = TypeVar("R", bound=rows.Row)


class Items:
    """The peer and its rows, as handlers use them.  Thread-safe, as `Live` is."""

    def __init__(self, live: Live) -> None:
        self.live = live

    def ask(self, question: messages.Message, kind: type[M], timeout: float = QUICK) -> M:
        """The peer's answer.

        Raises:
            ShoalError: what the peer refused with; ERR_UNREACHABLE, ERR_TIMEOUT.
        """
        reply = self.live.call(question, timeout)
        if not isinstance(reply, kind):
            raise ShoalError(ERR_PROTOCOL, f"the peer answered {type(question).__name__} with {type(reply).__name__}")
        return reply

    def wait_until_shown(self, predicate: Callable[[PageView], bool]) -> None:
        """Wait until the state shows what was done, so that who reads next reads its own write."""
        self.live.wait_for(predicate, SHOWN_WITHIN)

    def listed(self, section: str, kind: type[R], usual: str = "") -> Response:
        """A section's rows, as the query asks; sorted by `usual` if it does not say."""
        self.live.require_peer()
        return listing(self.live.items(section, kind), kind, usual)

    def find(self, section: str, key: str, kind: type[R]) -> R:
        """The row whose key is `key`, or begins with it if only one does.

        Raises:
            ShoalError: ERR_NOT_FOUND, ERR_UNREACHABLE.
        """
        self.live.require_peer()
        row = self.live.row(section, key, kind)
        if row is None and len(key) >= SHORTEST_PREFIX:
            matching = [found for full, found in self.live.items(section, kind) if full.startswith(key)]
            row = matching[0] if len(matching) == 1 else None
        if row is None:
            raise ShoalError(ERR_NOT_FOUND, f"{key[:80]!r} is not among this peer's {section}")
        return row

    def content(self, key: str) -> rows.ShareRow | rows.DownloadRow:
        """The share or download of a content, named as for `find`."""
        try:
            return self.find(rows.SHARES, key, rows.ShareRow)
        except ShoalError as error:
            if error.code != ERR_NOT_FOUND:
                raise
        return self.find(rows.DOWNLOADS, key, rows.DownloadRow)
