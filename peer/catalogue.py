"""What this peer has and what it is fetching, kept across restarts.

    contents    offered whole, shared in place or downloaded
    downloads   under way, and finished ones (for their figures: sources, seconds)
    manifests   of both, and the digest lists of the files in their trees, by content
    uploaded    bytes of both that were ever uploaded, by content
    limits      rates that were set while running, and their schedule

There is no row for a small file: what is known of a tree's files is one packed blob, and only
files of more than one chunk have a digest list.  A manifest is checked against its id whenever
it is read, and the bits of a download carry a hash, so a damaged row is noticed and dropped
instead of believed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from bus.boundary import ContentId
from bus.errors import ERR_NOT_FOUND, ShoalError
from peer import catalogue_rows as rows
from peer.catalogue_rows import SCHEMA, KeptContent, KeptDownload, Stats, Temporary
from peer.core.limit_record import LimitRecord
from peer.core.records import DownloadRecord, KnownContent
from peer.database import Database

Done = Callable[[object, ShoalError | None], None]


class Catalogue:
    """The peer's own database of contents and downloads.

    Raises:
        ShoalError: ERR_DATABASE if a newer program wrote it, ERR_DISK if it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA)
        self.notices = self._database.notices
        self.contents: list[KeptContent] = []
        """As they were when the catalogue was opened."""
        self._downloads: list[DownloadRecord] = []
        self._database.call(self._load)

    def load_all(self) -> tuple[list[KnownContent], list[DownloadRecord]]:
        """Contents and downloads as they were when the catalogue was opened; finished downloads have `finished` set."""
        return [kept.content for kept in self.contents], list(self._downloads)

    def close(self, timeout: float = 3.0) -> None:
        """Do what waits, then close the file; give up after `timeout` seconds."""
        self._database.close(timeout)

    def when_done(self, done: Done) -> None:
        """Call `done` in the catalogue's thread, once all that was submitted so far is done."""
        self._database.submit(lambda connection: None, done)

    # -- contents --

    def keep_content(self, content: KnownContent, stats: Stats, raw: bytes, lists: Iterable[tuple[str, bytes]]) -> None:
        """Keep a content that was shared: its row, its manifest and its digest lists (file id, bytes), or nothing.

        A download of it that is not finished is not needed any more.
        """

        def keep(connection: sqlite3.Connection) -> None:
            record = rows.get_record(connection, content.id)
            if record is not None and not record.finished:
                connection.execute("DELETE FROM downloads WHERE id = ?", (content.id,))
            rows.forget_manifests(connection, content.id)
            rows.put_manifests(connection, content.id, [(content.id, raw), *lists])
            rows.put_content(connection, content, stats)

        self._database.call(keep)

    def keep_stats(self, content: ContentId, stats: Stats) -> None:
        """Keep what a content's files look like after they were hashed again."""
        row = (msgspec.msgpack.encode(stats), content)
        self._database.call(lambda connection: connection.execute("UPDATE contents SET stats = ? WHERE id = ?", row))

    def keep_paused(self, content: ContentId, paused: bool, done: Done | None = None) -> None:
        self._database.submit(
            lambda connection: connection.execute("UPDATE contents SET paused = ? WHERE id = ?", (paused, content)),
            done,
        )

    def remove(self, content: ContentId) -> None:
        """Forget a content and a download of that id."""

        def forget(connection: sqlite3.Connection) -> None:
            rows.forget_manifests(connection, content)
            connection.execute("DELETE FROM contents WHERE id = ?", (content,))
            connection.execute("DELETE FROM downloads WHERE id = ?", (content,))
            connection.execute("DELETE FROM uploaded WHERE content = ?", (content,))

        self._database.call(forget)

    def keep_uploaded(self, uploaded: Iterable[tuple[ContentId, int]]) -> None:
        """Keep how many bytes were ever uploaded, of those contents that are still here."""
        self._database.submit(lambda connection: rows.put_uploaded(connection, uploaded))

    def uploaded(self) -> dict[ContentId, int]:
        """Bytes that were ever uploaded, by content."""
        query = "SELECT content, bytes FROM uploaded ORDER BY content"
        return self._database.call(lambda connection: dict(connection.execute(query).fetchall()))

    def keep_limits(self, record: LimitRecord, done: Done | None = None) -> None:
        """Keep the limits of a content, or of all together; a record without any is dropped."""
        self._database.submit(lambda connection: rows.put_limits(connection, record), done)

    def limits(self) -> list[LimitRecord]:
        """The limits that are kept."""
        return self._database.call(rows.limit_records)

    # -- manifests --

    def keep_manifest(self, content: ContentId, manifest: str, raw: bytes, done: Done) -> None:
        """Keep a manifest, or the digest list of a file in a tree."""
        self._database.submit(lambda connection: rows.put_manifests(connection, content, [(manifest, raw)]), done)

    def manifest(self, content: ContentId, manifest: str) -> bytes:
        """The bytes of a manifest or digest list.

        Raises:
            ShoalError: ERR_NOT_FOUND.
        """
        raw = self._database.call(lambda connection: rows.get_manifest(connection, content, manifest))
        if raw is None:
            raise rows.no_manifest(content, manifest)
        return raw

    def digest_lists(self, content: ContentId) -> dict[str, bytes]:
        """File id -> digest list, of the files of a tree."""
        query = "SELECT manifest, raw FROM manifests WHERE content = ? AND manifest <> content"
        return self._database.call(lambda connection: dict(connection.execute(query, (content,)).fetchall()))

    def read_manifest(self, content: ContentId, manifest: str, offset: int, length: int, done: Done) -> None:
        """Give `done` a slice of a manifest and its whole length, (bytes, int)."""
        self._database.submit(lambda connection: rows.read_slice(connection, content, manifest, offset, length), done)

    # -- downloads --

    def keep_download(self, record: DownloadRecord, done: Done | None = None) -> None:
        """Keep a download's record.  An unfinished record of what is a content by now is out of date: ignored."""

        def keep(connection: sqlite3.Connection) -> None:
            query = "SELECT 1 FROM contents WHERE id = ?"
            if not record.finished and connection.execute(query, (record.id,)).fetchone():
                return
            rows.put_record(connection, record)

        self._database.submit(keep, done)

    def download(self, content: ContentId) -> KeptDownload | None:
        """What is kept of a download."""

        def get(connection: sqlite3.Connection) -> KeptDownload | None:
            query = "SELECT record, temporary, bits FROM downloads WHERE id = ?"
            row = connection.execute(query, (content,)).fetchone()
            return rows.kept_download(*row) if row else None

        return self._database.call(get)

    def has_temporary(self, directory: str, name: str) -> bool:
        """Whether a download keeps its bytes in a file or folder of that name."""

        def look(connection: sqlite3.Connection) -> bool:
            found = connection.execute("SELECT record, temporary, bits FROM downloads WHERE temporary IS NOT NULL")
            kept = (rows.kept_download(*row) for row in found)
            return any(
                one.temporary and (one.record.directory, one.temporary.name) == (directory, name) for one in kept
            )

        return self._database.call(look)

    def keep_temporary(self, record: DownloadRecord, temporary: Temporary, bits: bytes) -> None:
        """Keep where a download's bytes lie and which of its chunks are there, synced."""

        def keep(connection: sqlite3.Connection) -> None:
            # What its user said meanwhile is newer than the record that this work began with.
            known = rows.get_record(connection, record.id)
            found = {"name": record.name, "directory": record.directory, "path": record.path}
            rows.put_record(connection, replace(known, **found) if known else record)
            connection.execute(
                "UPDATE downloads SET temporary = ?, bits = ? WHERE id = ?",
                (msgspec.msgpack.encode(temporary), bits, record.id),
            )

        self._database.call(keep)

    def keep_bits(self, content: ContentId, bits: bytes) -> None:
        """Record which chunks of a download are there, synced; nothing if it was removed meanwhile."""
        query = "UPDATE downloads SET bits = ? WHERE id = ? AND bits IS NOT NULL"
        self._database.call(lambda connection: connection.execute(query, (bits, content)))

    def keep_placing(self, content: ContentId, temporary: Temporary) -> None:
        """Write down under which name a complete download is about to appear."""
        row = (msgspec.msgpack.encode(temporary), content)
        query = "UPDATE downloads SET temporary = ? WHERE id = ?"
        self._database.call(lambda connection: connection.execute(query, row))

    def finish(self, content: KnownContent, stats: Stats) -> None:
        """Make a download a content; its record stays, marked as finished."""

        def finish(connection: sqlite3.Connection) -> None:
            record = rows.get_record(connection, content.id)
            if record is None:
                raise ShoalError(ERR_NOT_FOUND, f"download {content.id[:16]} was removed")
            rows.put_record(connection, replace(record, path=content.path, finished=record.finished or content.added))
            connection.execute("UPDATE downloads SET temporary = NULL, bits = NULL WHERE id = ?", (content.id,))
            rows.put_content(connection, content, stats)

        self._database.call(finish)

    def reopen(self, record: DownloadRecord, temporary: Temporary, bits: bytes) -> None:
        """Make a finished download one that is under way again: its row as a content is gone."""

        def reopen(connection: sqlite3.Connection) -> None:
            rows.put_record(connection, record)
            connection.execute(
                "UPDATE downloads SET temporary = ?, bits = ? WHERE id = ?",
                (msgspec.msgpack.encode(temporary), bits, record.id),
            )
            connection.execute("DELETE FROM contents WHERE id = ?", (record.id,))

        self._database.call(reopen)

    # -- opening --

    def _load(self, connection: sqlite3.Connection) -> None:
        for row in connection.execute("SELECT * FROM contents ORDER BY added").fetchall():
            try:
                self.contents.append(rows.kept_content(connection, *row))
            except (ShoalError, msgspec.MsgspecError, ValueError) as error:
                self._drop(connection, "contents", row[0], row[2], error)
        for identity, record in connection.execute("SELECT id, record FROM downloads").fetchall():
            try:
                self._downloads.append(msgspec.msgpack.decode(record, type=DownloadRecord))
            except (msgspec.MsgspecError, ValueError) as error:
                self._drop(connection, "downloads", identity, identity[:16], error)
        self._downloads.sort(key=lambda record: record.added)

    def _drop(self, connection: sqlite3.Connection, table: str, identity: str, shown: str, error: Exception) -> None:
        connection.execute(f"DELETE FROM {table} WHERE id = ?", (identity,))
        rows.forget_manifests(connection, identity)
        what = "share it again" if table == "contents" else "fetch it again; what is on the disk is used"
        self.notices.append(f"the entry of {shown} was damaged ({error}) and was dropped; {what}")
