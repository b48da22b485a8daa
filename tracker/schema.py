"""The tracker's tables, and how its saved records become rows and back.

The main database holds what must survive a restart.  The search index is made anew at each
start, in memory: a damaged index cannot then outlive the process, and saving writes less.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from bus.database import Schema
from tracker.core.interface import (
    Change,
    ContentGone,
    ContentRecord,
    OfferGone,
    OfferRecord,
    PeerGone,
    PeerRecord,
    SavedState,
)
from tracker.core.ranking import fold

_TABLES: Final = """
-- One row a registration.  No lease end: after a restart every lease begins anew.
CREATE TABLE peers (
    peer      TEXT PRIMARY KEY,
    name      TEXT NOT NULL,
    address   TEXT NOT NULL,
    port      INTEGER NOT NULL,
    loopback  INTEGER NOT NULL,
    advertise TEXT NOT NULL,    -- JSON array
    addresses TEXT NOT NULL,    -- JSON array
    epoch     INTEGER NOT NULL,
    n         INTEGER NOT NULL,
    encrypted INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;

-- What each peer says of each content on its list; the number keeps the order in which it was first said.
CREATE TABLE offers (
    number    INTEGER PRIMARY KEY,
    peer      TEXT NOT NULL REFERENCES peers ON DELETE CASCADE,
    content   TEXT NOT NULL,
    name      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    size      INTEGER NOT NULL,
    complete  INTEGER NOT NULL,
    UNIQUE (peer, content)
) STRICT;

-- What the tracker says of each content.
CREATE TABLE contents (
    number    INTEGER PRIMARY KEY,
    id        TEXT NOT NULL UNIQUE,
    name      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    size      INTEGER NOT NULL
) STRICT;
"""

SCHEMA: Final = Schema(2, _TABLES, ("ALTER TABLE peers ADD COLUMN encrypted INTEGER NOT NULL DEFAULT 1",))

# Folded by our own function, so the tokenizer must not fold again by its rules.
_INDEX: Final = """
ATTACH ':memory:' AS search;
CREATE VIRTUAL TABLE search.names USING fts5(folded, tokenize = 'trigram case_sensitive 1');
"""

_PUT_PEER: Final = """
INSERT INTO peers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (peer) DO UPDATE SET name = excluded.name, address = excluded.address, port = excluded.port,
    loopback = excluded.loopback, advertise = excluded.advertise, addresses = excluded.addresses,
    epoch = excluded.epoch, n = excluded.n, encrypted = excluded.encrypted
"""
_PUT_OFFER: Final = """
INSERT INTO offers (peer, content, name, kind, size, complete) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (peer, content) DO UPDATE SET name = excluded.name, kind = excluded.kind, size = excluded.size,
    complete = excluded.complete
"""
_PUT_CONTENT: Final = """
INSERT INTO contents (id, name, kind, size) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, kind = excluded.kind, size = excluded.size
RETURNING number
"""


def read(connection: sqlite3.Connection) -> SavedState:
    """Read everything, and get ready for changes and searches.

    Raises:
        sqlite3.Error, msgspec.DecodeError: the database holds what this program did not write.
    """
    # Who is present may be a moment old after a power loss: peers whose list is newer register again.
    connection.execute("PRAGMA synchronous = NORMAL")
    state = load(connection)
    make_index(connection)
    return state


def make_index(connection: sqlite3.Connection) -> None:
    """Make the search index from the contents there are."""
    connection.executescript(_INDEX)
    rows = connection.execute("SELECT number, name FROM contents").fetchall()
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO search.names (rowid, folded) VALUES (?, ?)", ((number, fold(name)) for number, name in rows)
    )
    connection.execute("COMMIT")


def load(connection: sqlite3.Connection) -> SavedState:
    """Read everything.

    Raises:
        msgspec.ValidationError: a row is not what this program writes.
        msgspec.DecodeError: nor is a list in it.
    """
    peers = connection.execute(
        "SELECT peer, name, address, port, loopback, advertise, addresses, epoch, n, encrypted FROM peers ORDER BY peer"
    )
    offers = connection.execute("SELECT peer, content, name, kind, size, complete FROM offers ORDER BY number")
    contents = connection.execute("SELECT id, name, kind, size FROM contents ORDER BY number")
    return SavedState(
        tuple(
            _record(PeerRecord, (*row[:5], msgspec.json.decode(row[5]), msgspec.json.decode(row[6]), *row[7:]))
            for row in peers
        ),
        tuple(_record(OfferRecord, row) for row in offers),
        tuple(_record(ContentRecord, row) for row in contents),
    )


def apply(connection: sqlite3.Connection, change: Change) -> None:
    """Write one change, in the transaction that is open."""
    _WRITERS[type(change)](connection, change)


R = TypeVar("R", bound=Struct)


def _record(kind: type[R], row: tuple[object, ...]) -> R:
    # Not strict, because SQLite's booleans are 0 and 1; everything else is checked.
    return msgspec.convert(dict(zip(kind.__struct_fields__, row, strict=True)), kind, strict=False)


def _put_peer(connection: sqlite3.Connection, one: PeerRecord) -> None:
    lists = [msgspec.json.encode(texts).decode() for texts in (one.advertise, one.addresses)]
    fields = (one.peer, one.name, one.address, one.port, int(one.loopback), *lists, one.epoch, one.n)
    connection.execute(_PUT_PEER, (*fields, int(one.encrypted)))


def _drop_peer(connection: sqlite3.Connection, one: PeerGone) -> None:
    connection.execute("DELETE FROM peers WHERE peer = ?", (one.peer,))


def _put_offer(connection: sqlite3.Connection, one: OfferRecord) -> None:
    connection.execute(_PUT_OFFER, (one.peer, one.content, one.name, one.kind, one.size, int(one.complete)))


def _drop_offer(connection: sqlite3.Connection, one: OfferGone) -> None:
    connection.execute("DELETE FROM offers WHERE peer = ? AND content = ?", (one.peer, one.content))


def _put_content(connection: sqlite3.Connection, one: ContentRecord) -> None:
    [(number,)] = connection.execute(_PUT_CONTENT, (one.id, one.name, one.kind, one.size)).fetchall()
    connection.execute("DELETE FROM search.names WHERE rowid = ?", (number,))
    connection.execute("INSERT INTO search.names (rowid, folded) VALUES (?, ?)", (number, fold(one.name)))


def _drop_content(connection: sqlite3.Connection, one: ContentGone) -> None:
    gone = connection.execute("DELETE FROM contents WHERE id = ? RETURNING number", (one.id,)).fetchall()
    connection.executemany("DELETE FROM search.names WHERE rowid = ?", gone)


_WRITERS: Final[dict[type[Struct], Callable[[sqlite3.Connection, Any], None]]] = {
    PeerRecord: _put_peer,
    PeerGone: _drop_peer,
    OfferRecord: _put_offer,
    OfferGone: _drop_offer,
    ContentRecord: _put_content,
    ContentGone: _drop_content,
}
