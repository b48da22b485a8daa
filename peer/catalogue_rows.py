"""The tables of the catalogue and what their rows mean."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bus.boundary import ContentId
from bus.database import Schema
from bus.errors import ERR_NOT_FOUND, ShoalError
from bus.messages import ScheduledLimits
from peer.core.limit_record import LimitRecord
from peer.core.records import DownloadRecord, KnownContent
from peer.manifest import Manifest, parse

_LIMITS: Final = "CREATE TABLE limits (content TEXT PRIMARY KEY, up INTEGER, down INTEGER) STRICT"
"""Rate limits set while running, by content (empty: all together); NULL is not set."""

_SCHEDULE: Final = "CREATE TABLE schedule (content TEXT PRIMARY KEY, limits BLOB NOT NULL) STRICT"
"""Limits that hold at certain times of the week; content is empty."""

_UPLOADED: Final = "CREATE TABLE uploaded (content TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT"
"""What was ever uploaded of a content or download, which may be both in turn."""

SCHEMA: Final = Schema(
    4,
    f"""
    CREATE TABLE contents (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, path TEXT NOT NULL, upload INTEGER NOT NULL,
        downloaded INTEGER NOT NULL, added REAL NOT NULL, paused INTEGER NOT NULL, stats BLOB NOT NULL
    ) STRICT;
    CREATE TABLE downloads (
        id TEXT PRIMARY KEY, record BLOB NOT NULL, temporary BLOB, bits BLOB
    ) STRICT;
    CREATE TABLE manifests (
        content TEXT NOT NULL, manifest TEXT NOT NULL, raw BLOB NOT NULL, UNIQUE (content, manifest)
    ) STRICT;
    {_LIMITS};
    {_SCHEDULE};
    {_UPLOADED}
    """,
    upgrades=(_LIMITS, _SCHEDULE, _UPLOADED),
)


class Stats(Struct, frozen=True):
    """What the files of a content looked like when they were hashed."""

    records: bytes
    """One packed record for each entry of the layout (see peer/shared.py)."""
    links: dict[int, str] = {}
    """Entry -> path below the root, for those that are symbolic links to another file of the tree."""
    hashed: int = 0
    """When the hashing began, nanoseconds of the wall clock; 0 if it was not of these files as they lie there."""
    wrong: tuple[int, ...] = ()
    """Entries that look as they did but were found to have other bytes since."""


class Temporary(Struct, frozen=True):
    """Where a download's bytes lie."""

    name: str
    """Of the temporary file or folder, in the record's directory."""
    inode: int
    device: int
    boot: str
    """Boot of the machine in which it was last written to."""
    placing: str = ""
    """Final path, written down just before the rename to it."""
    was_visible: bool | None = None
    """It lay under its final name before, or was about to: what is in it may be its user's.  None: kept by a program
    that did not say."""


class KeptContent(NamedTuple):
    content: KnownContent
    stats: Stats


class KeptDownload(NamedTuple):
    record: DownloadRecord
    temporary: Temporary | None
    bits: bytes | None
    """As sealed by ChunkSet."""


def kept_content(
    connection: sqlite3.Connection,
    identity: str,
    name: str,
    path: str,
    upload: int,
    downloaded: int,
    added: float,
    paused: int,
    stats: bytes,
) -> KeptContent:
    raw = get_manifest(connection, identity, identity)
    if raw is None:
        raise no_manifest(identity, identity)
    manifest: Manifest = parse(raw, identity, checked=True)
    content = KnownContent(
        identity, name, manifest.layout, path, bool(upload), bool(downloaded), added, paused=bool(paused)
    )
    return KeptContent(content, msgspec.msgpack.decode(stats, type=Stats))


def kept_download(record: bytes, temporary: bytes | None, bits: bytes | None) -> KeptDownload:
    known = msgspec.msgpack.decode(record, type=DownloadRecord)
    where = msgspec.msgpack.decode(temporary, type=Temporary) if temporary else None
    if where is not None and where.was_visible is None:
        # What was reopened has all digits of its id in its name (peer/reopening.py).
        where = replace(where, was_visible=bool(where.placing) or known.id in where.name)
    return KeptDownload(known, where, bits)


def put_content(connection: sqlite3.Connection, content: KnownContent, stats: Stats) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            content.id,
            content.name,
            content.path,
            content.upload,
            content.downloaded,
            content.added,
            content.paused,
            msgspec.msgpack.encode(stats),
        ),
    )


def get_record(connection: sqlite3.Connection, content: ContentId) -> DownloadRecord | None:
    row = connection.execute("SELECT record FROM downloads WHERE id = ?", (content,)).fetchone()
    return msgspec.msgpack.decode(row[0], type=DownloadRecord) if row else None


def put_record(connection: sqlite3.Connection, record: DownloadRecord) -> None:
    connection.execute(
        "INSERT INTO downloads (id, record) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",
        (record.id, msgspec.msgpack.encode(record)),
    )


def put_limits(connection: sqlite3.Connection, record: LimitRecord) -> None:
    connection.execute("DELETE FROM limits WHERE content = ?", (record.content,))
    if record.up is not None or record.down is not None:
        connection.execute("INSERT INTO limits VALUES (?, ?, ?)", (record.content, record.up, record.down))
    connection.execute("DELETE FROM schedule WHERE content = ?", (record.content,))
    if record.schedule is not None:
        kept = msgspec.msgpack.encode(record.schedule)
        connection.execute("INSERT INTO schedule VALUES (?, ?)", (record.content, kept))


def limit_records(connection: sqlite3.Connection) -> list[LimitRecord]:
    """Every limit that is kept."""
    found = {row[0]: LimitRecord(*row) for row in connection.execute("SELECT * FROM limits ORDER BY content")}
    for content, kept in connection.execute("SELECT * FROM schedule"):
        with contextlib.suppress(msgspec.MsgspecError):  # damaged: none holds
            schedule = msgspec.msgpack.decode(kept, type=ScheduledLimits)
            found[content] = replace(found.get(content, LimitRecord(content)), schedule=schedule)
    return list(found.values())


def put_uploaded(connection: sqlite3.Connection, uploaded: Iterable[tuple[ContentId, int]]) -> None:
    # What was being sent while its content was removed is counted of nothing.
    connection.executemany(
        "INSERT OR REPLACE INTO uploaded SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM contents WHERE id = ?1)"
        " OR EXISTS (SELECT 1 FROM downloads WHERE id = ?1)",
        uploaded,
    )


def put_manifests(connection: sqlite3.Connection, content: ContentId, manifests: Iterable[tuple[str, bytes]]) -> None:
    rows = ((content, manifest, raw) for manifest, raw in manifests)
    connection.executemany("INSERT OR REPLACE INTO manifests VALUES (?, ?, ?)", rows)


def forget_manifests(connection: sqlite3.Connection, content: ContentId) -> None:
    connection.execute("DELETE FROM manifests WHERE content = ?", (content,))


def get_manifest(connection: sqlite3.Connection, content: ContentId, manifest: str) -> bytes | None:
    query = "SELECT raw FROM manifests WHERE content = ? AND manifest = ?"
    row = connection.execute(query, (content, manifest)).fetchone()
    return bytes(row[0]) if row else None


def read_slice(
    connection: sqlite3.Connection, content: ContentId, manifest: str, offset: int, length: int
) -> tuple[bytes, int]:
    """Part of a manifest without reading the rest of it."""
    query = "SELECT rowid FROM manifests WHERE content = ? AND manifest = ?"
    row = connection.execute(query, (content, manifest)).fetchone()
    if row is None:
        raise no_manifest(content, manifest)
    with connection.blobopen("manifests", "raw", row[0], readonly=True) as blob:
        blob.seek(min(offset, len(blob)))
        return blob.read(length), len(blob)


def no_manifest(content: ContentId, manifest: str) -> ShoalError:
    return ShoalError(ERR_NOT_FOUND, f"manifest {manifest[:16]} of content {content[:16]} is not here")
