"""One SQLite database, one connection, one thread that owns it.

SQLite before 3.51.3 can lose data in WAL mode when two connections of one database checkpoint at
once (sqlite.org/wal.html, "the WAL-reset bug"), so nobody else opens the file.  Work that waits is
done in one transaction: a thousand small changes cost one sync of the disk.

A database that is damaged is set aside, never deleted; one that a newer program wrote is not touched.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Generic, NamedTuple, TypeVar

from bus.errors import ERR_DATABASE, ERR_DISK, ERR_DISK_FULL, ERR_FAILURE, ShoalError

log = logging.getLogger(__name__)

T = TypeVar("T")

BUSY_TIMEOUT: Final = 5000
"""Milliseconds to wait for somebody who holds the database, a backup perhaps."""
MOST_TOGETHER: Final = 1000
"""Pieces of work in one transaction."""
_VERSION_PLACE: Final = 60
"""Where a database file holds its user version, 4 bytes big-endian (sqlite.org/fileformat.html)."""


class Schema(NamedTuple):
    """What a database holds."""

    version: int
    script: str
    """Makes a new one."""
    upgrades: tuple[str, ...] = ()
    """Statements that bring a database of version 1 to 2, of 2 to 3, and so on."""


class _Work(NamedTuple):
    action: Callable[[sqlite3.Connection], object]
    done: Callable[[object, ShoalError | None], None] | None
    urgent: bool


class Outcome(Generic[T]):
    """What a piece of work came to, for whoever waits for it."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._result: T
        self._error: ShoalError | None = None

    def set(self, result: object, error: ShoalError | None) -> None:
        self._result = result  # type: ignore[assignment]
        self._error = error
        self._ready.set()

    def get(self) -> T:
        self._ready.wait()
        if self._error is not None:
            raise self._error
        return self._result


class Database:
    """A database file and its thread.

    Raises:
        ShoalError: ERR_DATABASE if a newer program wrote it, ERR_DISK if it cannot be opened.
    """

    def __init__(self, path: Path, schema: Schema, gather: float = 0.0) -> None:
        """`gather`: seconds for which work waits for more, to be done together with it."""
        self.path = path
        self.notices: list[str] = []
        """One line for each thing that was found damaged."""
        self._schema = schema
        self._gather = gather
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()  # so that nothing is queued behind the end
        opened: Outcome[None] = Outcome()
        self._thread = threading.Thread(target=self._run, args=(opened,), name=f"db-{path.stem}", daemon=True)
        self._thread.start()
        opened.get()

    def submit(
        self,
        action: Callable[[sqlite3.Connection], T],
        done: Callable[[object, ShoalError | None], None] | None = None,
        urgent: bool = False,
    ) -> None:
        """Do work in a transaction, later; `urgent` work does not wait for more.

        `done(result, error)` is called in the database's thread, once it is kept.
        """
        self._put(_Work(action, done, urgent))

    def call(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Do work in a transaction, and wait until it is kept.

        Raises:
            ShoalError: it could not be done; nothing of it was kept.
        """
        outcome: Outcome[T] = Outcome()
        self._put(_Work(action, outcome.set, True))
        return outcome.get()

    def close(self, timeout: float = 3.0) -> None:
        """Do what waits, then close the file."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join(timeout)

    def _put(self, work: _Work) -> None:
        with self._lock:
            if not self._closed:
                self._queue.put(work)
                return
        if work.done is not None:
            work.done(None, ShoalError(ERR_DATABASE, f"{self.path} is closed; this process is stopping"))

    # -- the thread --

    def _run(self, opened: Outcome[None]) -> None:
        try:
            connection = self._open()
        except ShoalError as error:
            opened.set(None, error)
            return
        opened.set(None, None)
        going = True
        while going:
            batch, going = self._next_batch()
            self._do(connection, batch)
        connection.close()

    def _next_batch(self) -> tuple[list[_Work], bool]:
        first = self._queue.get()
        if first is None:
            return [], False
        batch = [first]
        until = time.monotonic() + self._gather
        while len(batch) < MOST_TOGETHER:
            rest = 0.0 if batch[-1].urgent or self._closed else until - time.monotonic()
            try:
                work = self._queue.get(timeout=rest) if rest > 0 else self._queue.get_nowait()
            except Empty:
                break
            if work is None:
                return batch, False
            batch.append(work)
        return batch, True

    def _do(self, connection: sqlite3.Connection, batch: list[_Work]) -> None:
        """All work of a batch in one transaction; if that fails, each in its own, so that only the culprit fails."""
        try:
            results = self._transact(connection, batch)
        except ShoalError as error:
            if len(batch) > 1:
                for work in batch:
                    self._do(connection, [work])
                return
            if batch[0].done is None:
                log.error("%s: %s", self.path, error.message)
                return
            batch[0].done(None, error)
            return
        for work, result in zip(batch, results, strict=True):
            if work.done is not None:
                work.done(result, None)

    def _transact(self, connection: sqlite3.Connection, batch: list[_Work]) -> list[object]:
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                results = [work.action(connection) for work in batch]
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except ShoalError:
            raise
        except sqlite3.Error as error:
            raise self._error(error) from error
        except Exception as error:  # a bug in the work: said in the log, and answered like any other failure
            log.exception("%s: a piece of work failed", self.path)
            raise ShoalError(ERR_FAILURE, f"internal error with {self.path}; the log has the details") from error
        return results

    def _error(self, error: sqlite3.Error) -> ShoalError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return ShoalError(ERR_DISK_FULL, f"disk full: {self.path} cannot grow; free some space")
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return ShoalError(ERR_DATABASE, f"{self.path} is damaged ({error}); restart, and it is set aside")
        return ShoalError(ERR_DISK, f"{self.path} cannot be used: {error}")

    # -- opening --

    def _open(self) -> sqlite3.Connection:
        try:
            self._refuse_newer()
            # Made by us, so that it is never readable by others, not even for a moment.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        except OSError as error:
            raise ShoalError(ERR_DISK, f"{self.path} cannot be opened: {error.strerror}") from None
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
            if code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise self._error(error) from error
            self._set_aside(error)
        try:
            return self._connect()
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _refuse_newer(self) -> None:
        """Read the version from the file itself: opening the database would already write beside it."""
        try:
            with self.path.open("rb") as file:
                head = file.read(_VERSION_PLACE + 4)
        except FileNotFoundError:
            return
        self._check_version(int.from_bytes(head[_VERSION_PLACE:], "big") if head.startswith(b"SQLite format 3") else 0)

    def _check_version(self, version: int) -> None:
        if version > self._schema.version:
            raise ShoalError(
                ERR_DATABASE,
                f"{self.path} was written by a newer program (version {version}, this one knows "
                f"{self._schema.version}); upgrade, or use another --base-dir",
            )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT / 1000, isolation_level=None)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            self._check_version(version)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA journal_size_limit = 16777216")
            (health,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if health != "ok":
                raise sqlite3.DatabaseError(health.splitlines()[-1])
            if version == 0:
                self._write_schema(connection, self._schema.script)
            elif version < self._schema.version:
                self._write_schema(connection, "; ".join(self._schema.upgrades[version - 1 :]))
        except BaseException:
            connection.close()
            raise
        return connection

    def _write_schema(self, connection: sqlite3.Connection, script: str) -> None:
        """All of it or nothing, with the version it makes."""
        connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {self._schema.version}; COMMIT;")

    def _set_aside(self, reason: Exception) -> None:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        names = (f"{self.path}.corrupt-{stamp}{suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 1000))))
        aside = next(name for name in names if not os.path.exists(name))
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(f"{self.path}{suffix}"):
                os.rename(f"{self.path}{suffix}", f"{aside}{suffix}")
        self.notices.append(f"{self.path} was damaged ({reason}) and was set aside as {aside}; a new one was begun")
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
