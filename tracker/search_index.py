"""Finding candidates for a search in the store's index; the core ranks them (`core/ranking.py`)."""

from __future__ import annotations

import sqlite3
from typing import Final

from tracker.core.interface import SearchStore

TRIGRAM: Final = 3
"""Characters: shorter words are in no index and are looked for in what the longer ones leave, else everywhere."""

# Best first by what SQL can see, so that the limit cuts off the least likely: the exact name, names that begin
# with the words, short names.
_ORDER: Final = "ORDER BY names.folded <> ?, instr(names.folded, ?) <> 1, length(names.folded), names.rowid LIMIT ?"


def find_candidates(connection: sqlite3.Connection, asked: SearchStore) -> tuple[str, ...]:
    """Ids of contents whose folded name holds all the words, or whose id begins as asked; at most `limit` of each."""
    found = dict.fromkeys(_by_id(connection, asked))
    found.update(dict.fromkeys(_by_words(connection, asked)))
    return tuple(found)


def _by_id(connection: sqlite3.Connection, asked: SearchStore) -> list[str]:
    if not asked.id_prefix:
        return []
    rows = connection.execute(
        "SELECT id FROM contents WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
        (asked.id_prefix, asked.id_prefix + "g", asked.limit),  # "g" sorts after every hex digit
    )
    return [identity for (identity,) in rows]


def _by_words(connection: sqlite3.Connection, asked: SearchStore) -> list[str]:
    if any("\0" in word for word in asked.words):  # in no name, and the end of the text for SQLite
        return []
    conditions: list[str] = []
    values: list[object] = []
    indexed = [word for word in asked.words if len(word) >= TRIGRAM]
    if indexed:
        conditions.append("names MATCH ?")
        values.append(" AND ".join('"' + word.replace('"', '""') + '"' for word in indexed))
    for word in asked.words:
        if len(word) < TRIGRAM:
            conditions.append("instr(names.folded, ?) > 0")
            values.append(word)
    phrase = " ".join(asked.words)
    rows = connection.execute(
        "SELECT contents.id FROM search.names JOIN contents ON contents.number = names.rowid "
        f"WHERE {' AND '.join(conditions)} {_ORDER}",
        (*values, phrase, phrase, asked.limit),
    )
    return [identity for (identity,) in rows]
