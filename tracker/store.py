"""The tracker's database: one connection, owned by one thread.

Changes are written as they come into an open transaction,
which searches already see, and committed together every 200 ms: a crash loses at most that,
and peers then register again by themselves (their version is ahead of ours).

    newer schema    refused, nothing touched
    damaged         set aside as NAME.corrupt-TIME, begun empty, said so
    disk full       changes wait in memory and are tried again every second
    damaged later   reported as fatal: a restart sets it aside
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bus.database import DAMAGED, error_code, open_database
from bus.errors import ERR_DATABASE, ShoalError
from tracker import schema
from tracker.core.interface import Change, SavedState, SearchFailed, SearchStore, StoreFound
from tracker.search_index import find_candidates

BATCH_SECONDS: Final = 0.2
RETRY_SECONDS: Final = 1.0
MAX_WAITING: Final = 1_000_000
"""Changes that a failing disk may leave waiting; beyond, the process ends and its peers register again."""

log = logging.getLogger(__name__)


class Store:
    """Saves and searches from its own thread."""

    def __init__(
        self,
        path: Path,
        on_answer: Callable[[StoreFound | SearchFailed], None],
        on_failure: Callable[[ShoalError], None],
        batch_seconds: float = BATCH_SECONDS,
    ) -> None:
        """Both callbacks run on the store's thread; after `on_failure` nothing is saved any more."""
        self._path = path
        self._on_answer = on_answer
        self._on_failure = on_failure
        self._batch_seconds = batch_seconds
        self._jobs: queue.SimpleQueue[tuple[Change, ...] | SearchStore | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tracker-store", daemon=True)
        self._opened: queue.SimpleQueue[SavedState | ShoalError] = queue.SimpleQueue()
        self._waiting: list[Change] = []
        """Not committed yet: kept until then, because a transaction that fails takes them all with it."""
        self._due: float | None = None
        self._failing = False

    def open(self) -> SavedState:
        """Start the thread and read everything.

        Raises:
            ShoalError: ERR_DATABASE, when the database is newer than this program or cannot be opened.
        """
        self._thread.start()
        opened = self._opened.get()
        if isinstance(opened, ShoalError):
            self._thread.join()
            raise opened
        return opened

    def save(self, changes: tuple[Change, ...]) -> None:
        """Write these soon; returns at once."""
        self._jobs.put(changes)

    def search(self, asked: SearchStore) -> None:
        """Answer through `on_answer`; sees everything that was saved before."""
        self._jobs.put(asked)

    def close(self, timeout: float) -> None:
        """Write what is left and end the thread, within `timeout` seconds; nothing, if it was not opened."""
        if self._thread.ident is None:
            return
        self._jobs.put(None)
        self._thread.join(timeout)
        if self._thread.is_alive():
            log.error("the tracker's database did not close in %g s", timeout)

    # --- on the store's thread -------------------------------------------------------------------

    def _run(self) -> None:
        try:
            connection, state, damage = open_database(self._path, schema.SCHEMA, schema.read)
        except ShoalError as error:
            self._opened.put(error)
            return
        if damage:
            log.error("%s; peers register again by themselves", damage)
        self._opened.put(state)
        try:
            self._serve(connection)
        except sqlite3.Error as error:
            self._on_failure(ShoalError(ERR_DATABASE, f"{self._path}: {error}: restart the tracker"))
        finally:
            connection.close()

    def _serve(self, connection: sqlite3.Connection) -> None:
        while True:
            left = None if self._due is None else self._due - time.monotonic()
            if left is not None and left <= 0:  # looked at before the queue, which may never be empty
                self._commit(connection)
                continue
            try:
                job = self._jobs.get(timeout=left)
            except queue.Empty:
                continue
            if job is None:
                self._commit(connection)
                return
            if isinstance(job, SearchStore):
                self._search(connection, job)
            else:
                self._write(connection, job)

    def _write(self, connection: sqlite3.Connection, changes: tuple[Change, ...]) -> None:
        self._waiting += changes
        if self._failing:
            if len(self._waiting) > MAX_WAITING:
                raise sqlite3.OperationalError(f"nothing could be written while {MAX_WAITING} changes came")
            return
        if self._due is None:
            self._due = time.monotonic() + self._batch_seconds
        try:
            if not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")
            for change in changes:
                schema.apply(connection, change)
        except sqlite3.OperationalError as error:
            self._postpone(connection, error)

    def _commit(self, connection: sqlite3.Connection) -> None:
        self._due = None
        if not self._waiting:
            return
        try:
            if self._failing:
                connection.execute("BEGIN IMMEDIATE")
                for change in self._waiting:
                    schema.apply(connection, change)
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._postpone(connection, error)
            return
        self._waiting.clear()
        if self._failing:
            self._failing = False
            log.warning("the tracker's database %s takes changes again; none was lost", self._path)

    def _postpone(self, connection: sqlite3.Connection, error: sqlite3.OperationalError) -> None:
        """Keep the changes and try again later, unless what went wrong will not pass."""
        if error_code(error) in DAMAGED:
            raise error
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if not self._failing:
            self._failing = True
            log.error("the tracker's database %s takes no changes (%s): trying again", self._path, error)
        self._due = time.monotonic() + RETRY_SECONDS

    def _search(self, connection: sqlite3.Connection, asked: SearchStore) -> None:
        try:
            found = find_candidates(connection, asked)
        except sqlite3.Error as error:
            log.error("search failed: %s", error)
            self._on_answer(SearchFailed(asked.token, str(error)))
            return
        self._on_answer(StoreFound(asked.token, found))
