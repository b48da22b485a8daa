"""Opening a SQLite database: newer is refused, older is brought up, damaged is set aside, missing is made.

    newer      written by a newer program: refused, and left as it is
    damaged    set aside as NAME.corrupt-TIME, never deleted, and begun anew; the caller says so

One process, one connection, one thread for each file: SQLite before 3.51.3 can lose data in WAL mode when two
connections checkpoint at once (sqlite.org/wal.html, "the WAL-reset bug").
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec

from bus.errors import ERR_DATABASE, ERR_DISK, ERR_DISK_FULL, ShoalError

OLDEST_SQLITE: Final = (3, 37)
"""The first with strict tables (sqlite.org/stricttables.html)."""
BUSY_SECONDS: Final = 5.0
"""To wait for somebody who holds the database, a backup perhaps."""
LONGEST_JOURNAL: Final = 16 * 2**20
"""Bytes of the write-ahead log that are kept after a checkpoint."""
DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Error codes that say the file itself is wrong."""
# What a damaged file can look like while it is opened and read: a missing table, a header that forbids writing.
_DAMAGED_AT_OPEN: Final = (*DAMAGED, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CONSTRAINT)

T = TypeVar("T")


class Schema(NamedTuple):
    """What a database holds."""

    version: int
    script: str
    """Makes a new one."""
    upgrades: tuple[str, ...] = ()
    """Statements that bring a database of version 1 to 2, of 2 to 3, and so on."""


class _DamagedError(Exception):
    """The database is not one that this program wrote, or no longer is."""


def open_database(
    path: Path, schema: Schema, read: Callable[[sqlite3.Connection], T]
) -> tuple[sqlite3.Connection, T, str]:
    """Open or make a database; the connection belongs to the calling thread, and commits by itself.

    Args:
        path: of the file.
        schema: what it is to hold.
        read: takes out what is wanted at once; what SQLite or msgspec cannot read then counts as damage.

    Returns:
        The connection, what `read` returned, and one line about damage, empty if there was none.

    Raises:
        ShoalError: ERR_DATABASE, ERR_DISK or ERR_DISK_FULL, in one line with the path or Python's own SQLite.
    """
    _check_sqlite()
    notice = ""
    try:
        try:
            connection, found = _open(path, schema, read)
        except _DamagedError as damage:
            aside = _set_aside(path)
            notice = f"{path} was damaged ({damage}) and was set aside as {aside}; a new one was begun"
            connection, found = _open(path, schema, read)
    except OSError as error:
        raise ShoalError(ERR_DISK, f"{path} cannot be opened: {error.strerror}") from None
    except sqlite3.Error as error:
        raise database_error(path, error) from error
    except _DamagedError as damage:
        raise ShoalError(ERR_DATABASE, f"{path} cannot be begun anew: {damage}") from damage
    return connection, found, notice


def error_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; SQLITE_ERROR for errors of the Python module itself."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def database_error(path: Path, error: sqlite3.Error) -> ShoalError:
    """What SQLite reports, as users are told."""
    code = error_code(error)
    if code == sqlite3.SQLITE_FULL:
        return ShoalError(ERR_DISK_FULL, f"disk full: {path} cannot grow; free some space")
    if code in DAMAGED:
        return ShoalError(ERR_DATABASE, f"{path} is damaged ({error}); restart, and it is set aside")
    return ShoalError(ERR_DISK, f"{path} cannot be used: {error}")


def _check_sqlite() -> None:
    # An older one takes strict tables for damage, so it is told before a file is touched.
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise ShoalError(
            ERR_DATABASE, f"this Python has SQLite {sqlite3.sqlite_version}, {oldest} is needed: use another Python"
        )


def _open(path: Path, schema: Schema, read: Callable[[sqlite3.Connection], T]) -> tuple[sqlite3.Connection, T]:
    # Made with its mode, not changed to it, and never through a link; SQLite gives its other files the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    connection = None
    try:
        # Immutable, so that nothing is written beside a file of a newer program either.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as looker:
            _refuse_newer(path, _version_of(looker), schema)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        _prepare(connection, path, schema)
        return connection, read(connection)
    except BaseException as error:
        if connection is not None:
            connection.close()
        unreadable = isinstance(error, msgspec.DecodeError)
        if unreadable or (isinstance(error, sqlite3.Error) and error_code(error) in _DAMAGED_AT_OPEN):
            raise _DamagedError(str(error)) from error
        raise


def _prepare(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    version = _version_of(connection)
    _refuse_newer(path, version, schema)  # the file itself may be older than its write-ahead log
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {LONGEST_JOURNAL}")
    [(verdict,), *_] = connection.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        raise _DamagedError(" ".join(verdict.split()))
    if version < schema.version:
        script = "; ".join(schema.upgrades[version - 1 :]) if version else schema.script
        # All of it or nothing, with the version it makes.
        connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {schema.version}; COMMIT;")


def _version_of(connection: sqlite3.Connection) -> int:
    [(version,)] = connection.execute("PRAGMA user_version").fetchall()
    return int(version)


def _refuse_newer(path: Path, version: int, schema: Schema) -> None:
    if version > schema.version:
        raise ShoalError(
            ERR_DATABASE,
            f"{path} was written by a newer program (version {version}, this one knows {schema.version}); "
            "upgrade, or use another --base-dir",
        )


def _set_aside(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside
