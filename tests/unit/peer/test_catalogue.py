from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from bus.database import Schema
from bus.errors import ERR_DATABASE, ERR_DISK, ERR_FAILURE, ERR_NOT_FOUND, ShoalError
from bus.messages import ScheduledLimits
from peer.catalogue import Catalogue
from peer.catalogue_rows import SCHEMA, Stats, Temporary
from peer.chunkset import ChunkSet
from peer.core.layout import Entry, Layout
from peer.core.limit_record import LimitRecord
from peer.core.records import DownloadRecord, KnownContent
from peer.database import Database
from peer.manifest import EMPTY_FILE_ID, file_id, file_layout, file_manifest, tree_id, tree_manifest

RAW = file_manifest(5, b"d" * 32)
CONTENT = KnownContent(file_id(RAW), "a name", file_layout(file_id(RAW), 5), "/somewhere/a name", False, False, 123.5)
STATS = Stats(b"s" * 32, {0: "elsewhere"})
RECORD = DownloadRecord(
    "ab" * 32,
    "name",
    "/into",
    "/into/name",
    ("x", "y/z"),
    (("tcp://host:1", "cd" * 32),),
    True,
    5.0,
    seconds=1.25,
    sources=(("ef" * 32, 2**40),),
    duplicate_bytes=7,
    rejected_bytes=8,
)
PLACE = Temporary(".x.shoal", 2**64 - 1, 2**63 + 5, "boot", was_visible=False)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "catalogue.db"


def reopened(catalogue: Catalogue, path: Path) -> Catalogue:
    catalogue.close()
    return Catalogue(path)


# --- what is kept -----------------------------------------------------------------------------


def test_a_content_comes_back_as_it_was(path):
    catalogue = Catalogue(path)
    catalogue.keep_content(CONTENT, STATS, RAW, [("12" * 32, b"list")])
    catalogue = reopened(catalogue, path)
    (((content, stats),), downloads) = catalogue.contents, catalogue.load_all()[1]
    assert replace(content, layout=CONTENT.layout) == CONTENT
    assert (content.layout.entries, stats, downloads) == (CONTENT.layout.entries, STATS, [])
    assert catalogue.manifest(CONTENT.id, CONTENT.id) == RAW
    assert catalogue.digest_lists(CONTENT.id) == {"12" * 32: b"list"}
    catalogue.close()


def test_a_tree_comes_back_as_it_was(path):
    entries = (Entry("a", 0, False, EMPTY_FILE_ID), Entry("b", 5, True, CONTENT.id), Entry("c", 0, False, "", True))
    raw = tree_manifest(entries)
    tree = KnownContent(tree_id(raw), "t", Layout("tree", entries), "/t", True, False, 1.0)
    catalogue = Catalogue(path)
    catalogue.keep_content(tree, STATS, raw, [])
    catalogue = reopened(catalogue, path)
    ((content, _),) = catalogue.contents
    assert (content.layout.kind, content.layout.entries, content.upload) == ("tree", entries, True)
    catalogue.close()


def test_a_download_comes_back_as_it_was(path):
    catalogue = Catalogue(path)
    catalogue.keep_download(RECORD)
    bits = ChunkSet(10, 0b1011001).sealed()
    catalogue.keep_temporary(replace(RECORD, path="/into/other"), PLACE, bits)
    catalogue = reopened(catalogue, path)
    assert catalogue.load_all() == ([], [replace(RECORD, path="/into/other")])
    assert catalogue.download(RECORD.id) == (replace(RECORD, path="/into/other"), PLACE, bits)
    assert catalogue.download("00" * 32) is None
    catalogue.close()


def test_a_new_record_leaves_what_the_disk_holds_alone(path):
    catalogue = Catalogue(path)
    bits = ChunkSet(10, 0b1).sealed()
    catalogue.keep_temporary(RECORD, PLACE, bits)
    catalogue.keep_download(replace(RECORD, seconds=99.0))
    assert catalogue.download(RECORD.id) == (replace(RECORD, seconds=99.0), PLACE, bits)
    catalogue.close()


def test_what_the_disk_is_found_to_hold_undoes_nothing_that_was_decided_meanwhile(path):
    catalogue = Catalogue(path)
    decided = replace(RECORD, left_out=((1, 2),), file_priorities=(("film", "high"),), paused=True)
    catalogue.keep_download(decided)
    catalogue.keep_temporary(replace(RECORD, path="/into/it"), PLACE, b"bits")
    kept = catalogue.download(RECORD.id)
    assert kept is not None
    assert kept.record == replace(decided, path="/into/it")
    catalogue.close()


def test_bits_of_a_download_that_was_removed_bring_it_not_back(path):
    catalogue = Catalogue(path)
    catalogue.keep_temporary(RECORD, PLACE, b"bits")
    catalogue.remove(RECORD.id)
    catalogue.keep_bits(RECORD.id, b"more bits")
    catalogue.keep_placing(RECORD.id, PLACE)
    assert catalogue.download(RECORD.id) is None
    catalogue.close()


def test_finishing_makes_a_download_a_content_in_one_step(path):
    catalogue = Catalogue(path)
    catalogue.keep_manifest(CONTENT.id, CONTENT.id, RAW, lambda result, error: None)
    catalogue.keep_temporary(replace(RECORD, id=CONTENT.id), PLACE, b"bits")
    finished = replace(CONTENT, downloaded=True, path="/into/name (2)", added=77.0)
    catalogue.finish(finished, STATS)
    catalogue.keep_download(replace(RECORD, id=CONTENT.id))  # was on its way: too late, and ignored
    catalogue = reopened(catalogue, path)
    (content,), (record,) = catalogue.load_all()
    assert (content.path, content.downloaded) == ("/into/name (2)", True)
    assert record == replace(RECORD, id=CONTENT.id, path="/into/name (2)", finished=77.0)
    assert catalogue.download(CONTENT.id) == (record, None, None)
    catalogue.close()


def test_sharing_what_is_downloaded_ends_the_download_though_a_record_of_it_was_on_its_way(path):
    catalogue = Catalogue(path)
    record = replace(RECORD, id=CONTENT.id)
    catalogue.keep_download(record)
    catalogue.keep_content(CONTENT, STATS, RAW, [])
    catalogue.keep_download(record)  # was on its way: too late, and ignored
    catalogue = reopened(catalogue, path)
    (content,), downloads = catalogue.load_all()
    assert (content.id, content.path, downloads) == (CONTENT.id, CONTENT.path, [])
    catalogue.close()


def test_what_was_removed_cannot_be_finished(path):
    catalogue = Catalogue(path)
    with pytest.raises(ShoalError) as caught:
        catalogue.finish(CONTENT, STATS)
    assert caught.value.code == ERR_NOT_FOUND
    catalogue = reopened(catalogue, path)
    assert catalogue.contents == []
    catalogue.close()


def test_a_slice_of_a_manifest_is_read_without_the_rest(path):
    catalogue = Catalogue(path)
    raw = bytes(range(256)) * 1000
    catalogue.keep_manifest("ab" * 32, "cd" * 32, raw, lambda result, error: None)
    seen: list[Any] = []
    ready = threading.Event()

    def done(result: object, error: ShoalError | None) -> None:
        seen.append(error.code if error else result)
        ready.set()

    for manifest, offset, expected in (
        ("cd" * 32, 1000, (raw[1000:1100], 256_000)),
        ("cd" * 32, 255_990, (raw[255_990:], 256_000)),
        ("cd" * 32, 300_000, (b"", 256_000)),
        ("ee" * 32, 0, ERR_NOT_FOUND),
    ):
        ready.clear()
        catalogue.read_manifest("ab" * 32, manifest, offset, 100, done)
        assert ready.wait(10)
        assert seen[-1] == expected
    catalogue.close()


def test_bits_that_were_tampered_with_are_not_believed():
    sealed = ChunkSet(20, 0b1010).sealed()
    whole = ChunkSet.unsealed(20, sealed)
    assert whole is not None
    assert whole.mask == 0b1010
    assert ChunkSet.unsealed(40, sealed) is None
    for place in range(len(sealed)):
        assert ChunkSet.unsealed(20, sealed[:place] + bytes([sealed[place] ^ 4]) + sealed[place + 1 :]) is None


def test_runs_of_a_set_are_counted_like_those_of_its_mask():
    mask = 0x5A5A_F0F0_1234
    chunks = ChunkSet(48, mask)
    for first in range(48):
        for count in range(49 - first):
            assert chunks.count(range(first, first + count)) == (mask >> first & ((1 << count) - 1)).bit_count()


# --- damage -----------------------------------------------------------------------------------


def kept(path: Path) -> None:
    catalogue = Catalogue(path)
    for number in range(30):
        raw = file_manifest(5, bytes([number]) * 32)
        content = replace(CONTENT, id=file_id(raw), layout=file_layout(file_id(raw), 5))
        catalogue.keep_content(content, STATS, raw, [(f"{n:064x}", os.urandom(300)) for n in range(5)])
        catalogue.keep_temporary(replace(RECORD, id=f"{number:064x}"), PLACE, ChunkSet(1000, 1 << number).sealed())
    catalogue.close()


def test_the_database_is_readable_by_its_owner_alone(path):
    old = os.umask(0)
    try:
        catalogue = Catalogue(path)
        catalogue.keep_download(RECORD)
        catalogue.download(RECORD.id)
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    finally:
        os.umask(old)
    catalogue.close()


def test_limits_come_back_as_they_were_and_none_are_not_kept(path):
    catalogue = Catalogue(path)
    schedule = ScheduledLimits(5, 0, ["mon", "sun"], 480, 0)
    kept = [LimitRecord("", 0, None, schedule), LimitRecord("ab" * 32, 2**40, 7)]
    for record in [*kept, LimitRecord("cd" * 32, 5, 5), LimitRecord("cd" * 32)]:
        catalogue.keep_limits(record)
    catalogue = reopened(catalogue, path)
    assert catalogue.limits() == kept
    catalogue.keep_limits(LimitRecord("", None, None, schedule))
    assert catalogue.limits()[1:] == [LimitRecord("", None, None, schedule)]
    catalogue.keep_limits(LimitRecord(""))
    assert catalogue.limits() == kept[1:]
    catalogue.close()


def test_what_was_uploaded_of_contents_and_downloads_outlives_a_restart_until_they_are_removed(path):
    catalogue = Catalogue(path)
    catalogue.keep_content(CONTENT, STATS, RAW, [])
    catalogue.keep_download(RECORD)
    gone = "99" * 32
    catalogue.keep_uploaded([(CONTENT.id, 5), (RECORD.id, 6), (gone, 7)])
    catalogue.keep_uploaded([(CONTENT.id, 2**40)])
    catalogue = reopened(catalogue, path)
    assert catalogue.uploaded() == {CONTENT.id: 2**40, RECORD.id: 6}
    catalogue.remove(CONTENT.id)
    catalogue.keep_uploaded([(CONTENT.id, 2**41)])
    catalogue = reopened(catalogue, path)
    assert catalogue.uploaded() == {RECORD.id: 6}
    catalogue.close()


def test_what_was_uploaded_stays_when_a_download_becomes_a_content_and_when_it_is_under_way_again(path):
    catalogue = Catalogue(path)
    record = replace(RECORD, id=CONTENT.id)
    catalogue.keep_download(record)
    catalogue.keep_uploaded([(CONTENT.id, 5)])
    catalogue.keep_manifest(CONTENT.id, CONTENT.id, RAW, lambda result, error: None)
    catalogue.finish(replace(CONTENT, downloaded=True), STATS)
    assert catalogue.uploaded() == {CONTENT.id: 5}
    catalogue.reopen(record, PLACE, b"")
    assert catalogue.uploaded() == {CONTENT.id: 5}
    catalogue.close()


def test_a_database_of_the_version_before_uploads_were_counted_is_brought_up_to_date(path):
    catalogue = Catalogue(path)
    catalogue.keep_content(CONTENT, STATS, RAW, [])
    catalogue.close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE uploaded")
        connection.execute("PRAGMA user_version = 3")
    connection.close()
    catalogue = Catalogue(path)
    assert catalogue.uploaded() == {}
    catalogue.keep_uploaded([(CONTENT.id, 5)])
    assert catalogue.uploaded() == {CONTENT.id: 5}
    assert [content.id for content in catalogue.load_all()[0]] == [CONTENT.id]
    catalogue.close()


def test_a_database_of_the_first_version_is_brought_up_to_date(path):
    catalogue = Catalogue(path)
    catalogue.keep_download(RECORD)
    catalogue.close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE limits")
        connection.execute("DROP TABLE schedule")
        connection.execute("DROP TABLE uploaded")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    catalogue = Catalogue(path)
    catalogue.keep_limits(LimitRecord("", 1, 2))
    assert (catalogue.limits(), catalogue.load_all()[1]) == ([LimitRecord("", 1, 2)], [RECORD])
    catalogue.close()


def test_the_priorities_of_a_download_s_files_are_kept(path):
    record = replace(RECORD, file_priorities=(("a/b", "high"), ("c", "low")))
    catalogue = Catalogue(path)
    catalogue.keep_download(record)
    catalogue.close()
    catalogue = Catalogue(path)
    assert catalogue.load_all()[1] == [record]
    catalogue.close()


def test_a_download_that_an_older_version_kept_has_normal_priority(path):
    catalogue = Catalogue(path)
    catalogue.keep_download(replace(RECORD, priority="high", sequential=True))
    catalogue.close()
    with sqlite3.connect(path) as connection:
        (raw,) = connection.execute("SELECT record FROM downloads").fetchone()
        fields = msgspec.msgpack.decode(raw)
        del fields["priority"], fields["sequential"], fields["file_priorities"]
        connection.execute("UPDATE downloads SET record = ?", (msgspec.msgpack.encode(fields),))
    connection.close()
    catalogue = Catalogue(path)
    assert catalogue.load_all()[1] == [RECORD]
    catalogue.close()


def test_a_database_of_a_newer_program_is_refused_and_not_touched(path):
    kept(path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA.version + 1}")
    connection.close()
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    with pytest.raises(ShoalError) as caught:
        Catalogue(path)
    assert (caught.value.code, f"version {SCHEMA.version + 1}" in caught.value.message) == (ERR_DATABASE, True)
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


@pytest.mark.parametrize("damage", ["no database at all", "cut", "overwritten"])
def test_a_damaged_database_is_set_aside_and_said_so(path, damage):
    kept(path)
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "overwritten":
        path.write_bytes(data[:4096] + os.urandom(len(data) - 4096))
    else:
        path.write_bytes(b"this is no database, whatever it is called " * 1000)
    spoilt = path.read_bytes()
    catalogue = Catalogue(path)
    assert catalogue.load_all() == ([], [])
    (notice,) = catalogue.notices
    (aside,) = path.parent.glob("catalogue.db.corrupt-*")
    assert (str(aside) in notice, "\n" in notice, aside.read_bytes()) == (True, False, spoilt)
    catalogue.keep_download(RECORD)
    catalogue = reopened(catalogue, path)
    assert (catalogue.load_all(), catalogue.notices) == (([], [RECORD]), [])
    catalogue.close()


def test_a_flipped_bit_in_any_page_never_crashes_and_never_lies(path):
    kept(path)
    good = path.read_bytes()
    catalogue = Catalogue(path)
    truth = {one.id: one for one in catalogue.load_all()[0]}
    catalogue.close()
    opened, tried = 0, 0
    for page in range(0, len(good), 4096):
        for place in (page + 17, page + 100, page + 2000, page + 4000):
            tried += 1
            path.write_bytes(good[:place] + bytes([good[place] ^ 16]) + good[place + 1 :])
            with contextlib.suppress(ShoalError):  # refused: the flipped bit makes it a newer program's, say
                catalogue = Catalogue(path)
                for content in catalogue.load_all()[0]:
                    if content.id in truth:
                        assert content.layout.entries == truth[content.id].layout.entries
                for number in range(30):
                    download = catalogue.download(f"{number:064x}")
                    bits = ChunkSet.unsealed(1000, (download and download.bits) or b"")
                    assert bits is None or bits.mask == 1 << number
                opened += 1
                catalogue.close()
            for file in path.parent.iterdir():
                file.unlink()
    assert opened >= tried - 2


def test_one_damaged_row_is_dropped_and_named_and_the_others_stay(path):
    kept(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE manifests SET raw = x'00' WHERE rowid = 1")
    connection.execute("UPDATE downloads SET record = x'00' WHERE id = ?", ("0" * 64,))
    connection.commit()
    connection.close()
    catalogue = Catalogue(path)
    contents, downloads = catalogue.load_all()
    assert (len(contents), len(downloads), len(catalogue.notices)) == (29, 29, 2)
    catalogue = reopened(catalogue, path)
    assert (len(catalogue.contents), catalogue.notices) == (29, [])
    catalogue.close()


# --- the thread -------------------------------------------------------------------------------


def test_work_that_fails_fails_alone(tmp_path):
    database = Database(tmp_path / "x.db", Schema(1, "CREATE TABLE t (n INTEGER UNIQUE) STRICT"), gather=0.2)
    results: list[object] = []

    def insert(number: object) -> None:
        database.submit(
            lambda connection: connection.execute("INSERT INTO t VALUES (?)", (number,)),
            lambda result, error: results.append(error.code if error else number),
        )

    for number in (1, 2, 1, "three", 4):
        insert(number)
    assert database.call(lambda connection: connection.execute("SELECT n FROM t").fetchall()) == [(1,), (2,), (4,)]
    assert results == [1, 2, ERR_DISK, ERR_DISK, 4]
    with pytest.raises(ShoalError) as caught:
        database.call(lambda connection: 1 // 0)
    assert caught.value.code == ERR_FAILURE
    database.close()
    with pytest.raises(ShoalError, match="is closed"):
        database.call(lambda connection: 1)


def test_closing_does_what_waits(tmp_path):
    database = Database(tmp_path / "x.db", Schema(1, "CREATE TABLE t (n INTEGER) STRICT"), gather=60)
    for number in range(100):
        database.submit(lambda connection, number=number: connection.execute("INSERT INTO t VALUES (?)", (number,)))  # type: ignore[misc]
    database.close()
    connection = sqlite3.connect(tmp_path / "x.db")
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (100,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_database_that_cannot_be_made_is_one_line(tmp_path):
    for path in (tmp_path / "no" / "folder" / "x.db", tmp_path):
        with pytest.raises(ShoalError) as caught:
            Database(path, SCHEMA)
        assert (caught.value.code, "\n" in caught.value.message) == (ERR_DISK, False)
    (tmp_path / "link.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(ShoalError):
        Database(tmp_path / "link.db", SCHEMA)
    assert not (tmp_path / "elsewhere.db").exists()
