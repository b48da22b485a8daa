"""What this peer thinks of others, kept: the events behind every score, and the standings they made.

The core does the arithmetic; here its results are written down.  A standing is kept whole, so
that nothing has to be computed at start; the newest events of each peer are kept to explain it:
each carries the change it made, and added to the score before the first of them they give the
score.

Writes are gathered for 200 ms: a burst of events is one transaction.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from bus.boundary import PeerId
from bus.database import Schema
from bus.errors import ShoalError
from bus.messages import ReputationEvent
from peer.core.interface import KeepReputation
from peer.core.standing import Standing, Verdict
from peer.database import Database

log = logging.getLogger(__name__)

KEPT_EVENTS: Final = 1000
"""Newest events of each peer that are kept at least."""
_SLACK: Final = 200
"""Events beyond that before the oldest are deleted, so that this is not done for every event."""
GATHER_SECONDS: Final = 0.2
RUNNING_EVERY: Final = 10.0
"""Seconds of running time between writes of it: a kill loses at most so much."""

_SCHEMA: Final = Schema(
    2,  # whose standings may hold a verdict, which a program that knows 1 would drop unseen
    """
    CREATE TABLE standings (peer TEXT PRIMARY KEY, standing BLOB NOT NULL) STRICT;
    CREATE TABLE events (
        peer TEXT NOT NULL, number INTEGER NOT NULL, time REAL NOT NULL, running REAL NOT NULL, type TEXT NOT NULL,
        content TEXT NOT NULL, bytes INTEGER NOT NULL, change REAL NOT NULL, score REAL NOT NULL,
        PRIMARY KEY (peer, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE running (id INTEGER PRIMARY KEY CHECK (id = 0), seconds REAL NOT NULL) STRICT;
    INSERT INTO running VALUES (0, 0)
    """,
    upgrades=("",),
)


class ReputationStore:
    """The peer's own database of reputation.  Its methods are called by one thread.

    Raises:
        ShoalError: ERR_DATABASE if a newer program wrote it, ERR_DISK if it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _SCHEMA, GATHER_SECONDS)
        self.notices = self._database.notices
        self._standings, self._numbers, self._running = self._database.call(self._load)
        self._written = self._running
        self._unkept: ShoalError | None = None
        for notice in self.notices:
            log.warning("%s", notice)

    def load(self) -> tuple[dict[PeerId, Standing], float]:
        """Standings, in a map that the caller may change, and the running time of all earlier runs, seconds."""
        return dict(self._standings), self._running

    def peers(self) -> list[PeerId]:
        """Every peer with a standing."""
        return list(self._standings)

    def verdict(self, peer: PeerId) -> Verdict:
        """Our user's, about a peer."""
        return self._standings.get(peer, Standing()).verdict

    def keep(self, effect: KeepReputation, running: float) -> None:
        """Write one event and the standing after it; `running` is the running time now."""
        number = self._numbers.get(effect.peer, 0) + 1
        self._numbers[effect.peer] = number
        self._standings[effect.peer] = effect.standing
        event = (
            *(effect.peer, number, time.time(), running, effect.type),
            *(effect.content, effect.bytes, effect.change, effect.standing.score),
        )
        kept = msgspec.msgpack.encode(effect.standing)
        self._database.submit(lambda connection: _write(connection, event, kept), self._noted)
        self.keep_running_time(running)

    def forget(self, peer: PeerId) -> None:
        """Drop the standing of a peer and every event kept of it."""
        self._standings.pop(peer, None)
        self._database.submit(lambda connection: _forget(connection, peer), self._noted)

    def when_kept(self, done: Callable[[ShoalError | None], None]) -> None:
        """Call `done`, in the store's thread, once all that is to be kept so far is kept; as Storage.when_kept."""
        self._database.submit(lambda connection: None, lambda _, error: done(error or self._unkept), urgent=True)

    def _noted(self, result: object, error: ShoalError | None) -> None:
        self._unkept = error
        if error is not None:
            log.error("%s: %s", self._database.path, error.message)

    def keep_running_time(self, running: float) -> None:
        """Note the running time of all runs, seconds; written now and then, and at the end."""
        self._running = running
        if running - self._written >= RUNNING_EVERY:
            self._write_running_time()

    def explain(self, peer: PeerId, done: Callable[[list[ReputationEvent]], None]) -> None:
        """Give `done` the kept events of a peer, oldest first, in the store's thread; none if they cannot be read."""

        def answer(result: object, error: ShoalError | None) -> None:
            done(result if isinstance(result, list) else [])

        self._database.submit(lambda connection: _events(connection, peer), answer, urgent=True)

    def close(self) -> None:
        """Write what waits, then close the file."""
        self._write_running_time()
        self._database.close()

    def _load(self, connection: sqlite3.Connection) -> tuple[dict[PeerId, Standing], dict[PeerId, int], float]:
        """Standings, number of the newest event of each peer, running time."""
        standings = {}
        for peer, kept in connection.execute("SELECT peer, standing FROM standings ORDER BY peer").fetchall():
            try:
                standings[peer] = msgspec.msgpack.decode(kept, type=Standing)
            except (msgspec.MsgspecError, ValueError) as error:
                self.notices.append(f"what was kept of peer {peer[:16]} was damaged ({error}); it begins anew")
        numbers = dict(connection.execute("SELECT peer, max(number) FROM events GROUP BY peer").fetchall())
        row = connection.execute("SELECT seconds FROM running").fetchone()
        return standings, numbers, row[0] if row else 0.0

    def _write_running_time(self) -> None:
        self._written = seconds = self._running
        self._database.submit(
            lambda connection: connection.execute("INSERT OR REPLACE INTO running VALUES (0, ?)", (seconds,))
        )


def _write(connection: sqlite3.Connection, event: tuple[object, ...], standing: bytes) -> None:
    peer, number = event[0], int(str(event[1]))
    connection.execute("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", event)
    connection.execute("INSERT OR REPLACE INTO standings VALUES (?, ?)", (peer, standing))
    if number % _SLACK == 0:
        connection.execute("DELETE FROM events WHERE peer = ? AND number <= ?", (peer, number - KEPT_EVENTS))


def _forget(connection: sqlite3.Connection, peer: PeerId) -> None:
    connection.execute("DELETE FROM events WHERE peer = ?", (peer,))
    connection.execute("DELETE FROM standings WHERE peer = ?", (peer,))


def _events(connection: sqlite3.Connection, peer: PeerId) -> list[ReputationEvent]:
    query = "SELECT time, type, content, bytes, change, score FROM events WHERE peer = ? ORDER BY number"
    return [ReputationEvent(_moment(row[0]), *row[1:]) for row in connection.execute(query, (peer,))]


def _moment(seconds: float) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
