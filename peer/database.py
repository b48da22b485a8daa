"""One SQLite database, one connection, one thread that owns it.

Work that waits is done in one transaction: a thousand small changes cost one sync of the disk.  How
the file is opened, and what becomes of a damaged one, is in `bus/database.py`.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Generic, NamedTuple, TypeVar

from bus.database import Schema, database_error, open_database
from bus.errors import ERR_DATABASE, ERR_FAILURE, ShoalError

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_TOGETHER: Final = 1000
"""Pieces of work in one transaction."""


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
            connection, _, damage = open_database(self.path, self._schema, lambda _: None)
        except ShoalError as error:
            opened.set(None, error)
            return
        if damage:
            self.notices.append(damage)
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
            raise database_error(self.path, error) from error
        except Exception as error:  # a bug in the work: said in the log, and answered like any other failure
            log.exception("%s: a piece of work failed", self.path)
            raise ShoalError(ERR_FAILURE, f"internal error with {self.path}; the log has the details") from error
        return results
