"""Opening the tracker's database: newer is refused, damaged is set aside, missing is made."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from bus.errors import ERR_DATABASE, ERR_DISK_FULL, ShoalError
from tracker import schema
from tracker.core.interface import SavedState

BUSY_SECONDS: Final = 5.0
DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Error codes that say the file itself is wrong."""
# What a damaged file can look like while it is opened and read: a missing table, a header that forbids writing.
_DAMAGED_AT_OPEN: Final = (*DAMAGED, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CONSTRAINT)

log = logging.getLogger(__name__)


class _DamagedError(Exception):
    """The database is not one that this program wrote, or no longer is."""


def error_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; SQLITE_ERROR for errors of the Python module itself."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def open_database(path: Path) -> tuple[sqlite3.Connection, SavedState]:
    """Open or make the database, and read what it holds.  The connection belongs to the calling thread.

    Raises:
        ShoalError: ERR_DATABASE, or ERR_DISK_FULL, in one line with the path.
    """
    try:
        try:
            return _open(path)
        except _DamagedError as damage:
            aside = _set_aside(path)
            log.error(
                "the tracker's database %s is damaged (%s): it is set aside as %s and a new one is begun; "
                "peers register again by themselves",
                path, damage, aside.name,
            )  # fmt: skip
            return _open(path)
    except (OSError, sqlite3.Error, _DamagedError) as error:
        full = isinstance(error, sqlite3.Error) and error_code(error) == sqlite3.SQLITE_FULL
        code = ERR_DISK_FULL if full else ERR_DATABASE
        raise ShoalError(code, f"the tracker's database {path} cannot be opened: {error}") from error


def _open(path: Path) -> tuple[sqlite3.Connection, SavedState]:
    # Made with its mode, not changed to it; SQLite gives its other files the same.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection: sqlite3.Connection | None = None
    try:
        _refuse_newer(path)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        return connection, _prepare(connection)
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        if error_code(error) in _DAMAGED_AT_OPEN:
            raise _DamagedError(str(error)) from error
        raise
    except (msgspec.ValidationError, msgspec.DecodeError, _DamagedError) as error:
        if connection is not None:
            connection.close()
        raise _DamagedError(str(error)) from error


def _refuse_newer(path: Path) -> None:
    # Read-only, so that a database of a newer program stays as it is to the byte.
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as connection:
        [(version,)] = connection.execute("PRAGMA user_version").fetchall()
    if version > schema.VERSION:
        raise ShoalError(
            ERR_DATABASE,
            f"the tracker's database {path} has schema {version} and this program knows {schema.VERSION}: "
            "use the newer program; nothing was changed",
        )


def _prepare(connection: sqlite3.Connection) -> SavedState:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    [(verdict,), *_] = connection.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        raise _DamagedError(" ".join(verdict.split()))
    [(version,)] = connection.execute("PRAGMA user_version").fetchall()
    if version == 0:
        schema.create(connection)
    elif version == 1:
        schema.upgrade(connection)
    # Who is present may be a moment old after a power loss: peers whose list is newer register again.
    connection.execute("PRAGMA synchronous = NORMAL")
    state = schema.load(connection)
    schema.make_index(connection)
    return state


def _set_aside(path: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside
