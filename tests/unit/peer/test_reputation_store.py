from __future__ import annotations

import queue
import sqlite3

import pytest

from bus.errors import ERR_DATABASE, ERR_DISK, ShoalError
from bus.messages import ReputationEvent
from peer.core.interface import KeepReputation
from peer.core.reputation import ReputationBook
from peer.core.settings import ReputationSettings
from peer.core.standing import Standing, Verdict
from peer.reputation_store import KEPT_EVENTS, ReputationStore

ANA, BEN = "a" * 64, "b" * 64


@pytest.fixture
def path(tmp_path):
    return tmp_path / "reputation.db"


def explained(store: ReputationStore, peer: str) -> list[ReputationEvent]:
    found: queue.SimpleQueue[list[ReputationEvent]] = queue.SimpleQueue()
    store.explain(peer, found.put)
    return found.get(timeout=60)


def uploads(number: int) -> Standing:
    return Standing(events={"SUCCESSFUL_UPLOAD": number})


class Life:
    """A ReputationBook whose changes are kept, as the core keeps them."""

    def __init__(self, store: ReputationStore) -> None:
        self.store = store
        standings, self.before = store.load()
        self.book = ReputationBook(ReputationSettings(), standings)

    def record(self, peer: str, kind: str, running: float, size: int = 0) -> None:
        for change in self.book.record(peer, kind, running, size):
            self.store.keep(KeepReputation(peer, change.type, "c" * 64, size, change.change, change.standing), running)

    def judge(self, peer: str, verdict: Verdict, running: float) -> None:
        change = self.book.judge(peer, verdict, running)
        assert change is not None
        self.store.keep(KeepReputation(peer, change.type, "", 0, change.change, change.standing), running)


def test_standings_come_back_as_the_book_had_them(path):
    store = ReputationStore(path)
    life = Life(store)
    life.record(ANA, "SUCCESSFUL_UPLOAD", 10.0, 1000)
    life.record(BEN, "CORRUPTED_DATA", 11.0)
    life.record(ANA, "TIMED_OUT", 86400.0)
    life.record(BEN, "CORRUPTED_DATA", 86405.0)
    life.record(BEN, "REFUSED_UPLOAD", 86406.0)
    life.record("d" * 64, "CORRUPTED_DATA", 86407.0)
    store.close()
    again = ReputationStore(path)
    standings, running = again.load()
    for peer in (ANA, BEN, "d" * 64):
        assert standings[peer] == life.book.standing(peer), peer
    assert running == 86407.0
    assert standings[BEN].bans == 1
    assert again.peers() == [ANA, BEN, "d" * 64]
    again.close()


def test_what_the_book_changes_does_not_change_the_store(path):
    store = ReputationStore(path)
    life = Life(store)
    life.record(ANA, "SUCCESSFUL_UPLOAD", 1.0)
    life.book.record(ANA, "SUCCESSFUL_UPLOAD", 2.0, 1000)
    life.book.record(BEN, "CORRUPTED_DATA", 2.0, 0)
    assert {peer: standing.events for peer, standing in store.load()[0].items()} == {ANA: {"SUCCESSFUL_UPLOAD": 1}}
    store.close()


def test_the_kept_events_explain_the_score(path):
    store = ReputationStore(path)
    life = Life(store)
    for number, kind in enumerate(["SUCCESSFUL_UPLOAD", "CORRUPTED_DATA", "SUCCESSFUL_DOWNLOAD", "TIMED_OUT"] * 5):
        life.record(ANA, kind, number * 10_000.0, number)
    events = explained(store, ANA)
    assert {event.type for event in events} >= {"DECAY", "SUCCESSFUL_UPLOAD", "CORRUPTED_DATA"}
    score = 0.5
    for event in events:
        score += event.change
        assert abs(score - event.score) < 1e-9
    assert abs(score - life.book.score(ANA, 190_000.0)) < 1e-9
    assert (events[0].content, events[0].bytes, events[0].time[-1]) == ("c" * 64, 0, "Z")
    assert explained(store, BEN) == []
    store.close()


def test_the_newest_thousand_events_of_each_peer_are_kept(path):
    store = ReputationStore(path)
    for number in range(1, 1701):
        store.keep(KeepReputation(ANA, "SUCCESSFUL_UPLOAD", "", number, 0.0, uploads(number)), float(number))
    store.keep(KeepReputation(BEN, "TIMED_OUT", "", 0, 0.0, Standing()), 1701.0)
    events = explained(store, ANA)
    assert KEPT_EVENTS <= len(events) < KEPT_EVENTS + 200
    assert [event.bytes for event in events] == list(range(1701 - len(events), 1701))
    assert len(explained(store, BEN)) == 1
    assert store.load()[0][ANA].events == {"SUCCESSFUL_UPLOAD": 1700}
    store.close()
    again = ReputationStore(path)
    again.keep(KeepReputation(ANA, "SUCCESSFUL_UPLOAD", "", 5000, 0.0, Standing()), 1702.0)
    assert explained(again, ANA)[-1].bytes == 5000
    assert len(explained(again, ANA)) == len(events) + 1
    again.close()


def test_a_burst_is_one_transaction(path):
    store = ReputationStore(path)
    for number in range(300):
        store.keep(KeepReputation(ANA, "SUCCESSFUL_UPLOAD", "", number, 0.0, uploads(number)), 1.0)
    store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (300,)
    connection.close()


def test_running_time_goes_on_from_where_it_was(path):
    store = ReputationStore(path)
    assert store.load() == ({}, 0.0)
    store.keep_running_time(5.0)
    store.keep_running_time(42.5)
    store.close()
    again = ReputationStore(path)
    assert again.load() == ({}, 42.5)
    again.close()


def kept(store: ReputationStore) -> ShoalError | None:
    """Wait until all is kept, or could not be."""
    found: queue.SimpleQueue[ShoalError | None] = queue.SimpleQueue()
    store.when_kept(found.put)
    return found.get(timeout=60)


def test_a_verdict_is_kept_with_its_event_and_a_forgotten_peer_leaves_nothing(path):
    store = ReputationStore(path)
    life = Life(store)
    for peer in (ANA, BEN):
        life.record(peer, "CORRUPTED_DATA", 1.0)
        life.judge(peer, "blocked", 2.0)
    assert store.verdict(ANA) == "blocked"
    life.book.forget(BEN)
    store.forget(BEN)
    assert kept(store) is None
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM events WHERE peer = ?", (BEN,)).fetchone() == (0,)
    connection.close()
    store.close()
    again = ReputationStore(path)
    standings, _ = again.load()
    assert standings == {ANA: life.book.standing(ANA)}
    assert (standings[ANA].verdict, standings[ANA].events) == ("blocked", {"CORRUPTED_DATA": 1})
    assert [(event.type, event.change) for event in explained(again, ANA)][-1] == ("BLOCKED", 0.0)
    assert again.verdict(BEN) == ""
    Life(again).record(BEN, "TIMED_OUT", 3.0)
    assert [event.type for event in explained(again, BEN)] == ["TIMED_OUT"]
    again.close()


def test_what_an_earlier_program_kept_is_read_and_such_a_program_does_not_open_what_this_one_wrote(path):
    store = ReputationStore(path)
    store.keep(KeepReputation(ANA, "TIMED_OUT", "", 0, -0.05, Standing(0.45, 1.0)), 1.0)
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    again = ReputationStore(path)
    assert again.load()[0] == {ANA: Standing(0.45, 1.0)}
    again.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()


def test_whoever_waits_hears_that_a_verdict_could_not_be_kept(path):
    store = ReputationStore(path)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE events")
    connection.commit()
    Life(store).judge(ANA, "blocked", 1.0)
    error = kept(store)
    assert error is not None
    assert error.code == ERR_DISK
    connection.close()
    store.close()


def test_damage_is_said_and_a_newer_program_s_file_is_refused(path):
    store = ReputationStore(path)
    for peer in (ANA, BEN):
        store.keep(KeepReputation(peer, "TIMED_OUT", "", 0, -0.05, Standing(0.45, 1.0)), 1.0)
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE standings SET standing = x'C1' WHERE peer = ?", (ANA,))
    connection.commit()
    connection.close()
    damaged = ReputationStore(path)
    assert damaged.load()[0] == {BEN: Standing(0.45, 1.0)}
    assert len(damaged.notices) == 1
    damaged.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.commit()
    connection.close()
    with pytest.raises(ShoalError) as caught:
        ReputationStore(path)
    assert caught.value.code == ERR_DATABASE
