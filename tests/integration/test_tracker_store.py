"""The tracker's database on a real disk: what comes back, what is found, and what happens to damaged files."""

from __future__ import annotations

import logging
import queue
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bus.errors import ERR_DATABASE, ERR_DISK, ShoalError
from tests.kit.waiting import eventually
from tests.unit.tracker.core.test_restore import saved_by
from tests.unit.tracker.world import World, entry, identity, register
from tracker.core.interface import (
    Change,
    ContentGone,
    ContentRecord,
    OfferGone,
    OfferRecord,
    PeerGone,
    PeerRecord,
    SavedState,
    SearchFailed,
    SearchStore,
    StoreFound,
)
from tracker.core.ranking import fold, matches, parse_terms
from tracker.schema import SCHEMA
from tracker.store import Store

A_PEER = PeerRecord(
    identity("a"), "north", "192.168.1.7", 4000, True, ["a.example:1"], ["10.0.0.1"], 2**63 - 1, 3, False
)
ITS_OFFER = OfferRecord(identity("a"), identity("x"), "Bücher", "tree", 2**63 - 1, True)
THE_CONTENT = ContentRecord(identity("x"), "Bücher", "tree", 2**63 - 1)


class Opened:
    """A store, what it held, and what it answers."""

    def __init__(self, path: Path) -> None:
        self.answers: queue.Queue[StoreFound | SearchFailed] = queue.Queue()
        self.failures: list[ShoalError] = []
        self.store = Store(path, self.answers.put, self.failures.append, batch_seconds=0.02)
        self.state = self.store.open()

    def find(self, words: str, limit: int = 1000) -> list[str]:
        """Ids of the candidates, in the store's order."""
        terms = parse_terms(words)
        self.store.search(SearchStore(1, terms.words, terms.id_prefix, limit))
        answer = self.answers.get(timeout=60)
        assert isinstance(answer, StoreFound), answer
        return list(answer.contents)


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    one = Opened(path)
    try:
        yield one
    finally:
        one.store.close(10)


def held(path: Path) -> SavedState:
    with opened(path) as one:
        return one.state


def named(names: list[str]) -> list[Change]:
    return [ContentRecord(identity(f"c{n}"), name, "file", 1) for n, name in enumerate(names)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tracker.db"


# --- what comes back ------------------------------------------------------------------------------


def test_a_new_database_is_empty_and_readable_by_its_owner_only(path: Path):
    with opened(path) as one:
        assert one.state == SavedState()
        one.store.save((A_PEER,))
        modes = eventually(lambda: [part.stat().st_mode & 0o777 for part in path.parent.glob("tracker.db*")], within=5)
        assert modes == [0o600] * len(modes)


def test_what_was_saved_comes_back(path: Path):
    with opened(path) as one:
        one.store.save((A_PEER, ITS_OFFER))
        one.store.save((THE_CONTENT,))
    assert held(path) == SavedState((A_PEER,), (ITS_OFFER,), (THE_CONTENT,))


def test_a_database_of_before_there_was_clear_text_opens_with_every_peer_encrypted(path: Path):
    with opened(path) as one:
        one.store.save((A_PEER, ITS_OFFER, THE_CONTENT))
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("ALTER TABLE peers DROP COLUMN encrypted; PRAGMA user_version = 1")
    before = replace(A_PEER, encrypted=True)
    assert held(path) == SavedState((before,), (ITS_OFFER,), (THE_CONTENT,))
    with opened(path) as one:
        one.store.save((A_PEER,))
    assert held(path).peers == (A_PEER,)


def test_later_changes_replace_earlier_ones_and_keep_their_place(path: Path):
    offers = [OfferRecord(identity("a"), identity(one), one, "file", 1, False) for one in "zyx"]
    changed = OfferRecord(identity("a"), identity("z"), "new", "tree", 2, True)
    moved = PeerRecord(identity("a"), "south", "10.0.0.9", 4001, False, [], [], 8, 4)
    with opened(path) as one:
        one.store.save((A_PEER, *offers))
        one.store.save((moved, changed))
    assert held(path) == SavedState((moved,), (changed, *offers[1:]), ())


def test_what_is_gone_stays_gone_and_a_peer_takes_its_offers_with_it(path: Path):
    other = OfferRecord(identity("a"), identity("y"), "y", "file", 1, True)
    with opened(path) as one:
        one.store.save((A_PEER, ITS_OFFER, other, THE_CONTENT))
        one.store.save((OfferGone(identity("a"), identity("y")), ContentGone(identity("x"))))
    assert held(path) == SavedState((A_PEER,), (ITS_OFFER,), ())
    with opened(path) as one:
        one.store.save((PeerGone(identity("a")),))
    assert held(path) == SavedState()


def test_what_a_core_saves_in_a_busy_minute_comes_back_as_the_naive_store_has_it(path: Path):
    world, dice = World(register_burst=10**6, network_register_burst=10**6), Random(4)
    changes: list[Change] = []
    links = [world.up(f"p{n}") for n in range(10)]
    with opened(path) as one:
        for step in range(300):
            link = dice.choice(links)
            if dice.random() < 0.1:
                world.leave(link)
            else:
                chosen = dice.sample(range(8), dice.randrange(5))
                entries = [entry(f"c{n}", name=f"n{dice.randrange(3)}", complete=dice.random() < 0.5) for n in chosen]
                world.say(link, register(*entries, n=step))
            changes += world.saved()
            one.store.save(tuple(world.saved()))
    expected, found = saved_by(changes), held(path)
    assert sorted(found.peers, key=repr) == sorted(expected.peers, key=repr)
    assert sorted(found.offers, key=repr) == sorted(expected.offers, key=repr)
    assert sorted(found.contents, key=repr) == sorted(expected.contents, key=repr)


def test_changes_are_on_disk_soon_without_a_close(path: Path):
    with opened(path) as one, closing(sqlite3.connect(path)) as reader:
        one.store.save((A_PEER,))
        eventually(lambda: reader.execute("SELECT peer FROM peers").fetchall() == [(identity("a"),)], within=5)


def test_changes_are_on_disk_soon_while_one_search_follows_another(path: Path):
    asked = SearchStore(1, ("a",), "", 10)
    store = Store(path, lambda _: store.search(asked), print, batch_seconds=0.02)
    store.open()
    with closing(sqlite3.connect(path)) as reader:
        store.search(asked)
        store.save((A_PEER,))
        try:
            eventually(lambda: reader.execute("SELECT peer FROM peers").fetchall() == [(identity("a"),)], within=5)
        finally:
            store.close(10)


# --- what is found --------------------------------------------------------------------------------


def test_a_search_sees_what_was_saved_just_before(path: Path):
    with opened(path) as one:
        one.store.save((THE_CONTENT,))
        assert one.find("bücher") == [identity("x")]
        one.store.save((ContentRecord(identity("x"), "Filme", "tree", 1),))
        assert (one.find("bücher"), one.find("film")) == ([], [identity("x")])
        one.store.save((ContentGone(identity("x")),))
        assert one.find("film") == []


def test_the_index_is_made_anew_at_the_next_start(path: Path):
    with opened(path) as one:
        one.store.save((THE_CONTENT,))
    with opened(path) as one:
        assert one.find("BÜCHER") == [identity("x")]
        one.store.save((ContentRecord(identity("x"), "Filme", "tree", 1),))
        assert one.find("bücher") == []


HARD_NAMES = [
    "a", "ab", "abc", "abc abc", "a-b_c.tar.gz", 'say "hi"', "it's", "100%", "a_b", "NEAR(x y)", "x OR y", "col:umn",
    "*", "日本語の本", "日", "Straße", "CAFE\u0301", "ﬁle", "İstanbul", "🐟🐟🐟", "-minus", "^top", "x" * 255,
]  # fmt: skip


@pytest.mark.parametrize(
    "words", [*HARD_NAMES, "b", "bc a", "本", "日本", "🐟", '"', "''", "ab cd ef", "x\0y", "OR", "AND"]
)
def test_the_index_finds_exactly_what_matches(path: Path, words: str):
    with opened(path) as one:
        one.store.save(tuple(named(HARD_NAMES)))
        terms = parse_terms(words)
        expected = [identity(f"c{n}") for n, name in enumerate(HARD_NAMES) if matches(terms, identity("z"), fold(name))]
        assert sorted(one.find(words)) == sorted(expected)


ALPHABET = st.sampled_from("aAbß é日*\"'%_\\-")


@settings(max_examples=60)
@given(st.lists(st.text(ALPHABET, min_size=1, max_size=8), max_size=12), st.text(ALPHABET, min_size=1, max_size=6))
def test_the_index_finds_exactly_what_matches_whatever_the_text(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], words: str
):
    if not words.split():
        return
    with opened(tmp_path_factory.mktemp("store") / "tracker.db") as one:
        one.store.save(tuple(named(names)))
        terms = parse_terms(words)
        expected = [identity(f"c{n}") for n, name in enumerate(names) if matches(terms, identity("z"), fold(name))]
        assert sorted(one.find(words)) == sorted(expected)


def test_an_id_is_found_by_eight_digits_or_all(path: Path):
    content = identity("some content")
    with opened(path) as one:
        one.store.save((ContentRecord(content, "name", "file", 1), ContentRecord("f" * 64, "other", "file", 1)))
        found = [one.find(words) for words in (content, content[:8], content[:8].upper(), "f" * 64, "e" * 8)]
        assert found == [[content], [content], [content], ["f" * 64], []]


def test_a_limit_leaves_out_the_least_likely(path: Path):
    with opened(path) as one:
        one.store.save(tuple(named(["a long name with book in it", "booklet", "book", "my book"])))
        assert one.find("book", limit=2) == [identity("c2"), identity("c1")]


def test_twenty_thousand_names_are_searched(path: Path):
    with opened(path) as one:
        one.store.save(tuple(named([f"data set {n} of laboratory {n % 97}" for n in range(20_000)])))
        assert len(one.find("laboratory 96", limit=10_000)) >= 20_000 // 97
        assert one.find("set 19999 of") == [identity("c19999")]


# --- what goes wrong ------------------------------------------------------------------------------


def full_database(path: Path) -> bytes:
    """A database of some pages, in one file."""
    with opened(path) as one:
        for n in range(40):
            peer, content = identity(f"p{n}"), identity(f"c{n}")
            record = PeerRecord(peer, f"n{n}", f"10.0.0.{n}", 4000, False, [], [], 1, n)
            one.store.save((record, OfferRecord(peer, content, "x" * 50, "file", 1, True)))
            one.store.save((ContentRecord(content, "x" * 50, "file", 1),))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def test_a_newer_schema_is_refused_and_nothing_is_touched(path: Path):
    held(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA.version + 1}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    with pytest.raises(ShoalError) as error:
        Opened(path)
    assert (error.value.code, "\n" in error.value.message, str(path) in error.value.message) == (
        ERR_DATABASE, False, True,
    )  # fmt: skip
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.corrupt-*"))


@pytest.mark.parametrize("content", [b"no database at all" * 400, b"SQLite format 3\0" + b"\xff" * 4096])
def test_what_is_no_database_is_set_aside_and_said(path: Path, content: bytes, caplog: pytest.LogCaptureFixture):
    path.write_bytes(content)
    with caplog.at_level(logging.ERROR), opened(path) as one:
        assert one.state == SavedState()
        one.store.save((A_PEER,))
    [aside] = path.parent.glob("tracker.db.corrupt-*")
    assert aside.read_bytes() == content
    assert ["set aside" in record.getMessage() for record in caplog.records] == [True]
    assert held(path).peers == (A_PEER,)


def open_damaged(path: Path) -> str:
    """`whole`, `aside` or `refused`: what became of a damaged file; it must be usable again after the first two."""
    try:
        one = Opened(path)
    except ShoalError as error:
        return "refused" if error.code == ERR_DATABASE else error.code
    one.store.save((A_PEER, ITS_OFFER))
    one.store.close(10)
    assert one.failures == []
    assert A_PEER in held(path).peers
    return "aside" if list(path.parent.glob("*.corrupt-*")) else "whole"


def test_a_bit_flipped_in_any_page_is_survived(tmp_path: Path):
    dice = Random(11)
    good = full_database(tmp_path / "good.db")
    outcomes: dict[str, int] = {}
    for number, page in enumerate(range(0, len(good), 4096)):
        for turn in range(6):
            folder = tmp_path / f"{number}-{turn}"
            folder.mkdir()
            # The first bytes of a page are its header; a flip further on mostly hits text or free space.
            at = page + (dice.randrange(100) if turn < 4 else dice.randrange(4096))
            damaged = bytearray(good)
            damaged[at] ^= 1 << dice.randrange(8)
            (folder / "tracker.db").write_bytes(damaged)
            outcome = open_damaged(folder / "tracker.db")
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            shutil.rmtree(folder)
    assert outcomes.get("aside", 0) > 10
    # Only a flip in the version field may look like a newer program's database.
    assert outcomes.get("refused", 0) <= 2


def test_a_file_cut_at_any_page_is_survived(tmp_path: Path):
    good = full_database(tmp_path / "good.db")
    for length in range(0, len(good), 4096):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / "tracker.db").write_bytes(good[:length])
        assert open_damaged(folder / "tracker.db") == ("whole" if length == 0 else "aside")


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path):
    with pytest.raises(ShoalError) as error:
        Opened(tmp_path / "missing" / "tracker.db")
    assert (error.value.code, "\n" in error.value.message) == (ERR_DISK, False)


DISK_FULL = """
import resource, sys, threading
from pathlib import Path
from tracker.core.interface import ContentRecord
from tracker.store import Store

store = Store(Path(sys.argv[1]), print, print, batch_seconds=0.01)
store.open()
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
for n in range(2000):
    store.save((ContentRecord(f"{n:064x}", f"name {n}", "file", 1),))
    if n % 100 == 0:
        threading.Event().wait(0.02)
sys.stdin.readline()  # the test saw the complaint
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
store.save((ContentRecord("f" * 64, "last", "file", 1),))
sys.stdin.readline()
store.close(10)
"""


def test_changes_wait_while_the_disk_takes_nothing_and_none_is_lost(path: Path):
    child = subprocess.Popen(
        [sys.executable, "-c", DISK_FULL, str(path)],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stderr is not None
    try:
        assert "takes no changes" in child.stderr.readline()
        child.stdin.write("\n")
        child.stdin.flush()
        assert "none was lost" in child.stderr.readline()
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.wait()
    assert len(held(path).contents) == 2001
