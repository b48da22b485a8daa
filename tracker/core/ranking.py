"""Search: what the words of a query are, which names they match, and which of those come first.

The store finds candidates with an index, the core ranks them with what it knows now.  Both
fold names and words with the one function here, so they never disagree about a match.

    rank: the id itself, exact name, prefix of the name, every word at the start of a word,
          substring; then more seeds; then the name
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from bus.boundary import ContentId
from bus.errors import ERR_USAGE, ShoalError
from bus.messages import FoundContent
from tracker.core.swarms import Swarm

MAX_WORDS: Final = 16
MIN_ID_DIGITS: Final = 8

_ID: Final = re.compile(f"[0-9a-fA-F]{{{MIN_ID_DIGITS},64}}")
_ID_MATCH, _EXACT, _PREFIX, _WORD_START, _SUBSTRING = range(5)


class SearchTerms(Struct, frozen=True):
    """A query, parsed."""

    words: tuple[str, ...]
    """Folded, each once."""
    phrase: str
    """The words as they were given, one blank between them, folded."""
    id_prefix: str
    """Lower-case hex, or empty if the query cannot be an id."""


def fold(text: str) -> str:
    """What makes two spellings the same: case, normal form (macOS stores names decomposed) and compatibility forms."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def parse_terms(text: str) -> SearchTerms:
    """The words of a query.

    Raises:
        ShoalError: ERR_USAGE when there is no word, or there are too many.
    """
    given = fold(text).split()
    words = tuple(dict.fromkeys(given))
    if not words:
        raise ShoalError(ERR_USAGE, "the search has no words: give at least one word of a name, or an id")
    if len(words) > MAX_WORDS:
        raise ShoalError(ERR_USAGE, f"the search has {len(words)} words: give at most {MAX_WORDS}")
    stripped = text.strip()
    return SearchTerms(words, " ".join(given), stripped.lower() if _ID.fullmatch(stripped) else "")


def matches(terms: SearchTerms, content: ContentId, folded_name: str) -> bool:
    """Whether a content is an answer at all; a store's index must find exactly these."""
    if terms.id_prefix and content.startswith(terms.id_prefix):
        return True
    return all(word in folded_name for word in terms.words)


def rank(terms: SearchTerms, candidates: Iterable[Swarm], limit: int) -> list[FoundContent]:
    """The matching candidates, best first, at most `limit`."""
    found = []
    for swarm in candidates:
        name = fold(swarm.name)
        if matches(terms, swarm.content, name):
            found.append((_rank_of(terms, swarm.content, name), -swarm.seeds, name, swarm.content, swarm))
    found.sort(key=lambda row: row[:4])
    return [
        FoundContent(swarm.content, swarm.name, swarm.kind, swarm.size, swarm.seeds, swarm.leechers)
        for *_, swarm in found[:limit]
    ]


def _rank_of(terms: SearchTerms, content: ContentId, name: str) -> int:
    if terms.id_prefix and content.startswith(terms.id_prefix):
        return _ID_MATCH
    if name == terms.phrase:
        return _EXACT
    if name.startswith(terms.phrase):
        return _PREFIX
    if all(_starts_a_word(name, word) for word in terms.words):
        return _WORD_START
    return _SUBSTRING


def _starts_a_word(name: str, word: str) -> bool:
    at = name.find(word)
    while at > 0 and name[at - 1].isalnum():
        at = name.find(word, at + 1)
    return at >= 0
