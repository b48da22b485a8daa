"""Asking all trackers: searches, and lookups of one content by its id, the digits it begins with, or a link."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from bus.boundary import ContentId
from bus.errors import ERR_NOT_FOUND, ERR_TIMEOUT, ERR_UNREACHABLE, ERR_USAGE, ShoalError
from bus.messages import FoundContent
from bus.names import safe_name
from peer.core.sharelink import ID, PREFIX, parse_link
from peer.core.trackers import Trackers
from peer.core.turn import Turn

TRACKER_PATIENCE: Final = 8.0
"""Seconds a command waits for a tracker to be reached and to answer."""

OnFound = Callable[[list[FoundContent] | ShoalError], None]


class Named(Struct, frozen=True):
    """A content as a user names it."""

    text: str
    """Its id, or 8 or more of its first digits."""
    name: str = ""
    """What the link calls it."""
    hints: tuple[tuple[str, str], ...] = ()
    """(endpoint, public key) of the trackers that the link names."""
    is_link: bool = False

    @property
    def content(self) -> ContentId:
        """Its id; empty if only its first digits are known."""
        return self.text if ID.fullmatch(self.text) else ""


class _Search(Struct):
    """A question that waits for trackers."""

    words: str
    limit: int
    content: ContentId
    done: OnFound
    open: int = 0
    """Trackers that have not answered; 0 before any was asked."""
    asked: bool = False
    answers: int = 0
    results: dict[ContentId, FoundContent] = {}


class Searching:
    """The questions to trackers that somebody waits for."""

    def __init__(self, turn: Turn, trackers: Trackers) -> None:
        self._turn = turn
        self._trackers = trackers
        self._searches: dict[int, _Search] = {}
        self._next = 0

    def begin(self, words: str, limit: int, done: OnFound, content: ContentId = "") -> None:
        """Ask every tracker for contents with these words, or for the swarm of one content.

        `done` is called once, perhaps at once: with what they know (none: nothing), or the reason why none answered.
        """
        self._next += 1
        self._searches[self._next] = _Search(words, limit, content, done, results={})
        self._turn.timers.set(("search", self._next), self._turn.now + TRACKER_PATIENCE)
        if self._trackers.reached:
            self._ask(self._next)
        elif not self._trackers.sessions:
            self.due(self._next)

    def tracker_reached(self) -> None:
        """A tracker was reached: searches that waited for one are sent."""
        for number in list(self._searches):
            if not self._searches[number].asked:
                self._ask(number)

    def _ask(self, number: int) -> None:
        search = self._searches[number]
        search.asked = True

        def answer(results: list[FoundContent] | None) -> None:
            self._answered(number, results)

        if search.content:
            search.open = self._trackers.query(search.content, answer)
        else:
            search.open = self._trackers.search(search.words, search.limit, answer)

    def _answered(self, number: int, results: list[FoundContent] | None) -> None:
        search = self._searches.get(number)
        if search is None:
            return
        search.open -= 1
        if results is not None:
            search.answers += 1
            for row in results:
                known = search.results.get(row.id)
                if known is None or (row.seeds, row.leechers) > (known.seeds, known.leechers):
                    search.results[row.id] = row
        if search.open <= 0:
            self.due(number)

    def due(self, number: int) -> None:
        """All have answered, or some tracker did not in time: what there is must do."""
        search = self._searches.pop(number, None)
        if search is None:
            return
        self._turn.timers.clear(("search", number))
        if search.answers:
            search.done(list(search.results.values()))
        else:
            code = ERR_TIMEOUT if search.asked else ERR_UNREACHABLE
            search.done(ShoalError(code, f"no tracker answered: {self._trackers.why_unreached()}"))


def named(text: str) -> Named:
    """What a user means.

    Raises:
        ShoalError: ERR_USAGE.
    """
    if text.startswith("shoal:"):
        link = parse_link(text)
        return Named(link.content, link.name, tuple((hint.endpoint, hint.key) for hint in link.trackers), True)
    if not PREFIX.fullmatch(text):
        raise ShoalError(ERR_USAGE, f"{text[:80]!r} is no id or link: give 64 hex digits or shoal:...")
    return Named(text)


def the_one(asked: Named, answers: list[FoundContent] | ShoalError) -> FoundContent:
    """The content that was asked for, under a safe name; of a link, also one that no tracker knows yet.

    Raises:
        ShoalError: no tracker answered, nobody shares it, or more than one begins like that.
    """
    if isinstance(answers, ShoalError):
        raise answers
    # A tracker may name any id; only what was asked for counts.
    found = [row for row in answers if row.seeds + row.leechers and row.id.startswith(asked.text)]
    if not found and not asked.is_link:
        raise ShoalError(ERR_NOT_FOUND, f"no peer shares {asked.text}; check the id, or share it first")
    if len(found) > 1:
        raise ShoalError(ERR_USAGE, f"{len(found)} contents begin with {asked.text}; give more digits")
    one = found[0] if found else FoundContent(asked.content, "", "", 0, 0, 0)
    if not ID.fullmatch(one.id):
        raise ShoalError(ERR_NOT_FOUND, f"no content begins with {asked.text}")
    return replace(one, name=_first_safe(one.name, asked.name, one.id[:16]))


def _first_safe(*names: str) -> str:
    """The first name that is safe as a file name; names from others are rejected, never repaired."""
    for name in names:
        try:
            return safe_name(name).path
        except ShoalError:
            continue
    raise ValueError("no safe name")
