"""A peer's full list on its way in: pages that are taken as one, or not at all.

The list replaces the tracker's when its last page arrives, and only that page is answered.
What is wrong with an earlier page is remembered and answered then, so that a peer which
sends its pages without waiting gets one answer for one register.
"""

from __future__ import annotations

from collections.abc import Iterable

from bus.boundary import ContentId
from bus.errors import ERR_LIMIT, ERR_PATH, ERR_USAGE, RemoteProtocolError, ShoalError
from bus.messages import ContentEntry, Register
from bus.names import safe_name
from tracker.core.addresses import Reach, reach_of


def check_entries(entries: Iterable[ContentEntry]) -> None:
    """Refuse a list in which one name cannot be a file's.

    Raises:
        ShoalError: ERR_PATH, naming the entry and the rule.
    """
    for entry in entries:
        if not entry.name:  # a leecher that has only the id
            continue
        try:
            safe_name(entry.name)
        except ShoalError as error:
            raise ShoalError(ERR_PATH, f"content {entry.id[:16]}: {error.message}") from None


def check_count(count: int, most: int) -> None:
    """Refuse a list that is too long.

    Raises:
        ShoalError: ERR_LIMIT, with the limit.
    """
    if count > most:
        raise ShoalError(ERR_LIMIT, f"the list has {count} contents and this tracker takes {most} a peer: share fewer")


class Staging:
    """The pages of one register so far."""

    __slots__ = ("_most", "_next_page", "entries", "failure", "first", "reach")

    def __init__(self, first: Register, most_contents: int, failure: ShoalError | None = None) -> None:
        self.first = first
        self.entries: dict[ContentId, ContentEntry] = {}
        self.failure = failure
        """The first thing wrong; the rest of the pages is then only counted."""
        self.reach: Reach | None = None
        self._most = most_contents
        self._next_page = 0

    def take(self, page: Register) -> None:
        """Add the next page.

        Raises:
            RemoteProtocolError: it is not the next page of this register.
        """
        if page.page != self._next_page or page.version != self.first.version:
            raise RemoteProtocolError(
                f"register page {page.page} arrived where page {self._next_page} was due: begin again with page 0"
            )
        if not page.contents and not page.last:
            raise RemoteProtocolError(f"register page {page.page} has no contents, which only the last page may have")
        self._next_page += 1
        if self.failure is not None:
            return
        try:
            self._add(page)
        except ShoalError as error:
            self.failure = error
            self.entries.clear()

    def _add(self, page: Register) -> None:
        if page.page == 0:
            check_peer_name(page)
            try:
                self.reach = reach_of(page.port, page.loopback, page.advertise, page.addresses, page.encrypted)
            except ValueError as error:
                raise ShoalError(ERR_USAGE, str(error)) from None
        check_entries(page.contents)
        for entry in page.contents:
            self.entries[entry.id] = entry
        check_count(len(self.entries), self._most)


def check_peer_name(page: Register) -> None:
    """Refuse a peer's name that could not be shown or stored.

    Raises:
        ShoalError: ERR_PATH, with the rule.
    """
    if page.name:
        try:
            safe_name(page.name)
        except ShoalError as error:
            raise ShoalError(ERR_PATH, f"the peer's own name: {error.message}") from None
