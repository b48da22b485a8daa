from __future__ import annotations

import errno
import itertools
import os
import queue
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from bus.errors import ERR_DISK_FULL, ERR_NOT_FOUND, ERR_PATH, ERR_STATE, ShoalError
from bus.settings import TransferSettings
from peer.core.interface import (
    CheckChunk,
    ChunkChecked,
    ContentAdded,
    DataRemoved,
    Finish,
    Forget,
    KeepDownload,
    KeepPaused,
    ManifestParsed,
    ManifestRejected,
    Part,
    Prepare,
    Read,
    ReadFailed,
    ReadManifest,
    RemoveItem,
    ReopenContent,
    Reopened,
    Store,
    Stored,
    StoreFailed,
    StoreManifest,
    Verified,
    VerifyData,
)
from peer.core.layout import Entry
from peer.core.records import KnownContent
from peer.manifest import EMPTY_FILE_ID, tree_id, tree_manifest
from tests.kit.faults import FailingFiles
from tests.kit.storing import Disk, FailedError, messages, record_of

KIB = 1024
CHUNK = 128 * KIB


def bytes_of(size: int, salt: int = 0) -> bytes:
    return bytes((i * 31 + (i >> 8) * 7 + salt) % 256 for i in range(size))


def a_file(folder: Path, size: int = 5 * CHUNK - 1000, name: str = "file.bin") -> Path:
    path = folder / name
    path.write_bytes(bytes_of(size))
    return path


def a_tree(folder: Path) -> Path:
    root = folder / "tree"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "nothing").mkdir()
    (root / "big").write_bytes(bytes_of(3 * CHUNK + 5))
    (root / "empty").write_bytes(b"")
    for number in range(20):
        (root / "deep" / f"{number:02}").write_bytes(bytes_of(number * 100, number))
    (root / "deep" / "er" / "run").write_bytes(b"#!/bin/sh\n")
    (root / "deep" / "er" / "run").chmod(0o755)
    return root


def same(one: Path, other: Path) -> None:
    done = subprocess.run(["diff", "-r", str(one), str(other)], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


def begun(seed: Disk, south: Disk, tmp_path: Path, path: Path | None = None) -> KnownContent:
    """A content that south has prepared and of which it has nothing."""
    content = seed.share(path or a_file(tmp_path))
    south.begin(seed, record_of(content, tmp_path / "got"))
    return content


def part(content: KnownContent, chunk: int, offset: int = 0, length: int | None = None) -> Part:
    return (chunk, offset, content.layout.length_of(chunk) - offset if length is None else length)


# --- whole downloads --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 5 * CHUNK - 1000, 3_000_000])
def test_a_file_of_any_size_arrives_as_it_was(seed, south, tmp_path, size):
    path = a_file(tmp_path, size)
    got = south.fetch(seed, seed.share(path), tmp_path / "got")
    assert (got.name, got.read_bytes() == path.read_bytes()) == ("file.bin", True)
    assert os.listdir(got.parent) == ["file.bin"]


def test_a_tree_arrives_as_it_was(seed, south, tmp_path):
    root = a_tree(tmp_path)
    got = south.fetch(seed, seed.share(root), tmp_path / "got")
    same(root, got)
    assert os.access(got / "deep" / "er" / "run", os.X_OK)
    assert not os.access(got / "deep" / "01", os.X_OK)
    assert os.listdir(got.parent) == ["tree"]


def test_an_empty_tree_arrives(seed, south, tmp_path):
    (tmp_path / "bare").mkdir()
    got = south.fetch(seed, seed.share(tmp_path / "bare"), tmp_path / "got")
    assert (got.name, os.listdir(got)) == ("bare", [])


def test_only_what_is_wanted_of_a_tree_arrives(seed, south, tmp_path):
    content = seed.share(a_tree(tmp_path))
    got = south.fetch(seed, content, tmp_path / "got", only=("deep/er", "big", "empty"))
    found = {str(path.relative_to(got)) for path in got.rglob("*") if path.is_file()}
    assert found == {"big", "empty", "deep/er/run"}
    south.perform(VerifyData(content.id))
    verified = south.answer(Verified)
    assert (verified.held, verified.message) == (content.layout.mask_of(("deep/er", "big")), "")


def test_a_path_that_is_not_in_the_content_is_not_found(seed, south, tmp_path):
    content = seed.share(a_tree(tmp_path))
    with pytest.raises(FailedError) as caught:
        south.begin(seed, record_of(content, tmp_path / "got", only=("deep", "nowhere")))
    assert (caught.value.event.code, "nowhere" in caught.value.event.message) == (ERR_NOT_FOUND, True)


def test_what_was_downloaded_is_served_on(seed, south, tmp_path):
    content = seed.share(a_tree(tmp_path))
    south.fetch(seed, content, tmp_path / "got")
    with Disk(tmp_path, "third") as third:
        same(tmp_path / "tree", third.fetch(south, content, tmp_path / "again"))


def test_a_running_download_serves_what_it_holds_and_no_more(seed, south, tmp_path):
    content = begun(seed, south, tmp_path)
    south.store_all(seed, content.id, 0b01001, content.layout)
    parts = (part(content, 0, 10), part(content, 3, 0, 50))
    assert south.read(content.id, parts) == seed.read(content.id, parts)
    with pytest.raises(FailedError) as caught:
        south.read(content.id, (part(content, 1),))
    assert (caught.value.event.changed, "not held" in caught.value.event.message) == (False, True)


def test_a_manifest_and_its_lists_are_served_in_slices(seed, tmp_path):
    content = seed.share(a_tree(tmp_path))
    raw = seed.read_manifest(content.id, content.id)
    assert seed.storage.manifest_of(content.id) == raw
    seed.perform(ReadManifest(9, content.id, content.id, 10, 20))
    event = seed.answer(object, to=lambda event: getattr(event, "job", 0) == 9)
    assert (bytes(event.payload), event.size, event.total) == (raw[10:30], 20, len(raw))
    big = next(entry for entry in content.layout.entries if entry.path == "big")
    assert len(seed.read_manifest(content.id, big.file_id)) == 13 + 4 * 32


# --- storing ----------------------------------------------------------------------------------


def test_parts_of_a_chunk_are_held_when_the_last_one_came(seed, south, tmp_path):
    content = begun(seed, south, tmp_path)
    whole = seed.read(content.id, (part(content, 1),))
    assert south.store(content.id, ((1, 0, 1000),), whole[:1000]) == Stored(south.last_job, (), ())
    assert south.store(content.id, ((1, 1000, 70_000),), whole[1000:71_000]).held == ()
    assert south.store(content.id, (part(content, 1, 71_000),), whole[71_000:]).held == (1,)


def test_one_message_may_end_one_chunk_and_begin_another(seed, south, tmp_path):
    content = begun(seed, south, tmp_path)
    held = [
        south.store(content.id, parts, seed.read(content.id, parts)).held
        for parts in messages(content.layout, 0b11111, size=100_000)
    ]
    assert held == [(), (0,), (1,), (2,), (), (3,), (4,)]
    assert Path(south.finish(content.id).path).read_bytes() == (tmp_path / "file.bin").read_bytes()


def test_a_part_at_the_beginning_begins_the_chunk_anew(seed, south, tmp_path):
    content = begun(seed, south, tmp_path)
    whole = seed.read(content.id, (part(content, 0),))
    south.store(content.id, ((0, 0, 500),), b"x" * 500)
    south.store(content.id, ((0, 0, 600),), whole[:600])
    assert south.store(content.id, (part(content, 0, 600),), whole[600:]).held == (0,)


def test_a_part_that_does_not_continue_its_chunk_is_dropped(seed, south, tmp_path):
    content = begun(seed, south, tmp_path)
    whole = seed.read(content.id, (part(content, 0),))
    assert south.store(content.id, (part(content, 0, 600),), whole[600:]) == Stored(south.last_job, (), ())
    south.store(content.id, ((0, 0, 600),), whole[:600])
    south.store(content.id, ((0, 700, 100),), whole[700:800])
    assert south.store(content.id, (part(content, 0, 600),), whole[600:]).held == (0,)


def test_what_nobody_asked_for_is_passed_over(seed, south, tmp_path):
    content = begun(seed, south, tmp_path)
    whole = seed.read(content.id, (part(content, 2),))
    parts = ((-1, 0, 77), part(content, 2), (-1, 0, 5))
    assert south.store(content.id, parts, b"y" * 77 + whole + b"z" * 5).held == (2,)
    assert south.store(content.id, ((-1, 0, 10),), b"y" * 10).held == ()


def test_a_wrong_chunk_is_rejected_and_not_held(seed, south, tmp_path):
    content = begun(seed, south, tmp_path)
    right = seed.read(content.id, (part(content, 0), part(content, 1)))
    wrong = right[:CHUNK] + bytes([right[CHUNK] ^ 1]) + right[CHUNK + 1 :]
    stored = south.store(content.id, (part(content, 0), part(content, 1)), wrong)
    assert (stored.held, stored.rejected) == ((0,), (1,))
    assert south.store(content.id, (part(content, 1),), right[CHUNK:]).held == (1,)


def test_nothing_is_ever_written_over_a_held_chunk(seed, south, tmp_path):
    content = begun(seed, south, tmp_path)
    south.store_all(seed, content.id, 0b11111, content.layout)
    for parts in ((part(content, 3),), ((3, 0, 100),)):
        stored = south.store(content.id, parts, b"w" * parts[0][2])
        assert (stored.held, stored.rejected) == ((), ())
    assert Path(south.finish(content.id).path).read_bytes() == (tmp_path / "file.bin").read_bytes()


def test_forgotten_parts_do_not_count(seed, south, tmp_path):
    content = begun(seed, south, tmp_path)
    whole = seed.read(content.id, (part(content, 0),))
    south.store(content.id, ((0, 0, 1000),), whole[:1000])
    south.perform(Forget(content.id, (0, 1)))
    assert south.store(content.id, (part(content, 0, 1000),), whole[1000:]) == Stored(south.last_job, (), ())


def test_many_small_files_come_in_one_message_and_one_answer(seed, south, tmp_path):
    root = tmp_path / "many"
    root.mkdir()
    for number in range(300):
        (root / f"{number:03}").write_bytes(bytes_of(100, number))
    content = seed.share(root)
    prepared = south.begin(seed, record_of(content, tmp_path / "got"))
    (parts,) = messages(content.layout, prepared.wanted)
    assert len(parts) == 300
    stored = south.store(content.id, parts, seed.read(content.id, parts))
    assert sorted(stored.held) == list(range(300))
    same(root, Path(south.finish(content.id).path))


def test_of_many_small_files_each_is_opened_and_written_once_and_each_folder_entered_once(seed, tmp_path):
    root = tmp_path / "many"
    for number in range(300):
        (root / f"{number // 100}").mkdir(parents=True, exist_ok=True)
        (root / f"{number // 100}" / f"{number:03}").write_bytes(b"%d" % number)
    content = seed.share(root)
    used: Counter[str] = Counter()

    def count(name: str, _: int) -> int:
        used[name] += 1
        return 0

    files = FailingFiles(count)
    with Disk(tmp_path, "south", files) as south:
        prepared = south.begin(seed, record_of(content, tmp_path / "got"))
        payload = seed.read(content.id, ((0, 0, 1), (1, 0, 1)))
        assert payload == b"01"
        used.clear()
        south.store_all(seed, content.id, prepared.wanted, content.layout)
        assert used["open"] <= 300 + 3 + 3  # the files, the folders, which were not there when first looked for
        assert used["write"] == 300
        assert used["sync"] + used["sync_file_system"] < 30
        got = south.finish(content.id)
    same(root, Path(got.path))


def test_of_a_message_of_small_files_only_the_right_ones_are_held(seed, south, tmp_path):
    root = tmp_path / "many"
    root.mkdir()
    for number in range(5):
        (root / f"{number}").write_bytes(b"%d" % number)
    content = begun(seed, south, tmp_path, root)
    parts: tuple[Part, ...] = tuple((chunk, 0, 1) for chunk in range(5))
    stored = south.store(content.id, parts, b"01x34")
    assert (stored.held, stored.rejected) == ((0, 1, 3, 4), (2,))
    again = south.store(content.id, parts, b"xx2xx")  # what is held is not written over
    assert (again.held, again.rejected) == ((2,), ())
    same(root, Path(south.finish(content.id).path))


def test_when_a_small_file_cannot_be_written_the_download_stops_and_names_it(seed, tmp_path):
    root = tmp_path / "many"
    root.mkdir()
    for number in range(5):
        (root / f"{number}").write_bytes(b"%d" % number)
    content = seed.share(root)
    writes = itertools.count(1)
    files = FailingFiles(lambda name, count: errno.ENOSPC if name == "write" and next(writes) == 3 else 0)
    with Disk(tmp_path, "south", files) as south:
        prepared = south.begin(seed, record_of(content, tmp_path / "got"))
        parts: tuple[Part, ...] = tuple((chunk, 0, 1) for chunk in range(5))
        with pytest.raises(FailedError) as caught:
            south.store(content.id, parts, b"01234")
        assert (caught.value.event.code, caught.value.event.message.count("/2 needs")) == (ERR_DISK_FULL, 1)
        again = south.prepare(record_of(content, tmp_path / "got"))
        assert again.held & ~prepared.wanted == 0
        south.store_all(seed, content.id, prepared.wanted & ~again.held, content.layout)
        same(root, Path(south.finish(content.id).path))


def test_several_workers_share_the_chunks_of_one_message(seed, tmp_path):
    content = seed.share(a_file(tmp_path))
    with Disk(tmp_path, "wide", settings=TransferSettings(workers=4, min_free_disk=0)) as wide:
        got = wide.fetch(seed, content, tmp_path / "got")
        assert got.read_bytes() == (tmp_path / "file.bin").read_bytes()


# --- manifests --------------------------------------------------------------------------------


def test_a_manifest_that_does_not_match_its_id_is_rejected(seed, south, tmp_path):
    content = seed.share(a_tree(tmp_path))
    raw = seed.read_manifest(content.id, content.id)
    wrong = raw[:-1] + b"x"
    south.perform(StoreManifest(7, content.id, content.id, 0, len(wrong), len(wrong), wrong))
    assert south.answer(Stored).job == 7
    rejected = south.answer(ManifestRejected)
    assert (rejected.manifest, "does not match" in rejected.message) == (content.id, True)
    south.store_manifest(content.id, content.id, raw)


def test_a_manifest_that_is_only_read_is_checked_like_any_other_and_not_kept(seed, south, tmp_path):
    content = seed.share(a_tree(tmp_path))
    raw = seed.read_manifest(content.id, content.id)
    south.perform(StoreManifest(7, content.id, content.id, 0, len(raw), len(raw), raw, keep=False))
    layout = south.answer(ManifestParsed).layout
    assert layout is not None
    assert layout.entries == content.layout.entries
    with pytest.raises(ShoalError):
        south.storage.manifest_of(content.id)
    hostile = tree_manifest([Entry("../up", 0, False, EMPTY_FILE_ID)])
    name = tree_id(hostile)
    south.perform(StoreManifest(8, name, name, 0, len(hostile), len(hostile), hostile, keep=False))
    assert south.answer(StoreFailed).code == ERR_PATH


@pytest.mark.parametrize("total", [0, -1, 2**40])
def test_a_manifest_of_an_impossible_length_is_rejected_at_once(south, total):
    south.perform(StoreManifest(7, "ab" * 32, "ab" * 32, 0, 10, total, b"0123456789"))
    assert south.answer(Stored).job == 7
    assert "the limit is" in south.answer(ManifestRejected).message


def test_a_digest_list_of_no_file_in_the_tree_is_rejected(seed, south, tmp_path):
    content = begun(seed, south, tmp_path, a_tree(tmp_path))
    other = seed.share(a_file(tmp_path, 4 * CHUNK))
    raw = seed.read_manifest(other.id, other.id)
    south.perform(StoreManifest(7, content.id, other.id, 0, len(raw), len(raw), raw))
    assert south.answer(ManifestRejected).manifest == other.id


# --- serving what the user may change ---------------------------------------------------------


@pytest.mark.parametrize("big", [True, False], ids=["kept open", "opened for each read"])
@pytest.mark.parametrize("change", ["write", "truncate", "replace", "delete", "touch", "link"])
def test_a_changed_file_is_not_served(seed, tmp_path, change, big):
    root = a_tree(tmp_path)
    content = seed.share(root)
    path = root / ("big" if big else "deep/05")
    chunk = content.layout.mask_of([str(path.relative_to(root))]).bit_length() - 1
    seed.read(content.id, (part(content, chunk),))
    _change(path, change)
    with pytest.raises(FailedError) as caught:
        seed.read(content.id, (part(content, chunk),))
    assert (caught.value.event.changed, str(path) in caught.value.event.message) == (True, True)
    assert "\n" not in caught.value.event.message


def _change(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "write":
        path.write_bytes(data[:-1] + b"!")
    elif how == "truncate":
        os.truncate(path, len(data) - 1)
    elif how == "replace":
        path.with_name("new").write_bytes(data)
        os.replace(path.with_name("new"), path)
    elif how == "touch":
        os.utime(path, ns=(1, 1))
    else:
        path.unlink()
        if how == "link":
            path.symlink_to("/etc/passwd")


def test_a_touched_file_is_served_again_once_it_was_verified(seed, tmp_path):
    path = a_file(tmp_path)
    content = seed.share(path)
    os.utime(path, ns=(1, 1))
    seed.perform(VerifyData(content.id))
    assert seed.answer(Verified) == Verified(content.id, content.layout.all_chunks, "")
    assert seed.read(content.id, (part(content, 0),)) == path.read_bytes()[:CHUNK]
    seed.close()
    with Disk(tmp_path, "north") as again:
        assert again.read(content.id, (part(content, 0),)) == path.read_bytes()[:CHUNK]


def test_verifying_tells_which_chunks_are_wrong(seed, tmp_path):
    root = a_tree(tmp_path)
    content = seed.share(root)
    with (root / "big").open("r+b") as file:
        file.seek(CHUNK)
        file.write(b"????")
    (root / "deep" / "05").unlink()
    seed.perform(VerifyData(content.id))
    verified = seed.answer(Verified)
    wrong = content.layout.mask_of(["deep/05"]) | content.layout.mask_of(["big"]) & 0b10
    assert verified.held == content.layout.all_chunks & ~wrong
    assert "2 of 24 chunks of tree do not match" in verified.message


def test_a_single_chunk_is_checked_on_demand(seed, tmp_path):
    root = a_tree(tmp_path)
    content = seed.share(root)
    small = content.layout.mask_of(["deep/05"]).bit_length() - 1
    for chunk in (0, 3, small):
        seed.perform(CheckChunk(content.id, chunk))
        assert seed.answer(ChunkChecked) == ChunkChecked(content.id, chunk, True)
    status = (root / "big").stat()
    with (root / "big").open("r+b") as file:
        file.write(b"????")
    os.utime(root / "big", ns=(status.st_atime_ns, status.st_mtime_ns))
    (root / "deep" / "05").unlink()
    for chunk, good in ((0, False), (3, True), (small, False)):
        seed.perform(CheckChunk(content.id, chunk))
        assert seed.answer(ChunkChecked) == ChunkChecked(content.id, chunk, good)


def test_verifying_a_download_takes_back_what_is_wrong(seed, south, tmp_path):
    content = begun(seed, south, tmp_path)
    south.store_all(seed, content.id, 0b01111, content.layout)
    (temporary,) = (tmp_path / "got").iterdir()
    with temporary.open("r+b") as file:
        file.seek(CHUNK + 7)
        file.write(b"????")
    south.perform(VerifyData(content.id))
    verified = south.answer(Verified)
    assert (verified.held, "1 of 4 chunks do not match" in verified.message) == (0b01101, True)
    south.store_all(seed, content.id, 0b10010, content.layout)
    assert Path(south.finish(content.id).path).read_bytes() == (tmp_path / "file.bin").read_bytes()


# --- removing ---------------------------------------------------------------------------------


def test_removing_never_deletes_what_was_shared_in_place(seed, tmp_path):
    path = a_file(tmp_path)
    content = seed.share(path)
    seed.perform(RemoveItem(content.id, True))
    assert "stays" in seed.answer(DataRemoved).error
    assert path.exists()
    assert seed.storage.find(content.id) is None
    with pytest.raises(FailedError):
        seed.read(content.id, (part(content, 0),))


@pytest.mark.parametrize("data", [True, False])
def test_removing_a_download_deletes_its_data_only_if_told_to(seed, south, tmp_path, data):
    content = seed.share(a_tree(tmp_path))
    got = south.fetch(seed, content, tmp_path / "got")
    south.perform(RemoveItem(content.id, data))
    assert south.answer(DataRemoved) == DataRemoved(content.id, "")
    assert got.exists() is not data
    south.close()
    with Disk(tmp_path, "south") as again:
        assert again.storage.load_all() == ([], [])


def test_what_the_user_changed_or_added_stays(seed, south, tmp_path):
    content = seed.share(a_tree(tmp_path))
    got = south.fetch(seed, content, tmp_path / "got")
    (got / "deep" / "03").write_bytes(b"mine now")
    (got / "deep" / "er" / "notes").write_bytes(b"mine too")
    (got / "deep" / "04").unlink()
    (got / "deep" / "04").symlink_to(tmp_path / "tree" / "big")
    south.perform(RemoveItem(content.id, True))
    assert "stay" in south.answer(DataRemoved).error
    left = {str(path.relative_to(got)) for path in got.rglob("*")}
    assert left == {"deep", "deep/03", "deep/04", "deep/er", "deep/er/notes"}
    assert (tmp_path / "tree" / "big").exists()


@pytest.mark.parametrize("make", [a_file, a_tree])
@pytest.mark.parametrize("restarted", [True, False])
def test_removing_a_running_download_deletes_its_temporary_files(tmp_path, seed, make, restarted):
    content = seed.share(make(tmp_path))
    with Disk(tmp_path, "south") as south:
        south.begin(seed, record_of(content, tmp_path / "got"))
        south.store_all(seed, content.id, 0b11, content.layout)
        if not restarted:
            south.perform(RemoveItem(content.id, False))
            assert south.answer(DataRemoved).error == ""
    if restarted:
        assert os.listdir(tmp_path / "got") != []
        with Disk(tmp_path, "south") as again:
            again.perform(RemoveItem(content.id, False))
            assert again.answer(DataRemoved).error == ""
    assert os.listdir(tmp_path / "got") == []


# --- every effect is answered -----------------------------------------------------------------


def test_effects_about_unknown_contents_are_answered(south):
    unknown = "ab" * 32
    south.perform(Read(1, unknown, ((0, 0, 1),)))
    assert south.answer(ReadFailed).job == 1
    south.perform(ReadManifest(2, unknown, unknown, 0, 10))
    assert south.answer(ReadFailed).job == 2
    south.perform(Store(3, unknown, ((0, 0, 1),), b"x"))
    assert south.answer(StoreFailed) == StoreFailed(
        unknown, 3, ERR_STATE, f"download {unknown[:16]} is not open; resume it"
    )
    south.perform(Forget(unknown, (1,)))
    south.perform(KeepPaused(unknown, True))
    south.perform(Finish(unknown))
    assert south.answer(StoreFailed).code == ERR_STATE
    south.perform(VerifyData(unknown))
    assert south.answer(Verified).held == 0
    south.perform(CheckChunk(unknown, 0))
    assert south.answer(ChunkChecked) == ChunkChecked(unknown, 0, False)
    south.perform(RemoveItem(unknown, True))
    assert south.answer(DataRemoved) == DataRemoved(unknown, "")


def test_a_download_whose_manifest_is_missing_cannot_be_prepared(south, tmp_path):
    unknown = KnownContent("ab" * 32, "x", None, "", False, False, 0.0)  # type: ignore[arg-type]
    south.perform(Prepare(record_of(unknown, tmp_path / "got")))
    assert south.answer(StoreFailed).code == ERR_NOT_FOUND


def test_a_download_that_is_not_complete_cannot_be_finished(seed, south, tmp_path):
    content = begun(seed, south, tmp_path)
    south.store_all(seed, content.id, 0b01111, content.layout)
    with pytest.raises(FailedError) as caught:
        south.finish(content.id)
    assert "not complete" in caught.value.event.message


def test_contents_are_found_by_the_first_digits_of_their_id(seed, tmp_path):
    content = seed.share(a_tree(tmp_path))
    for name in (content.id, content.id[:8], f"shoal:{content.id}?name=x"):
        assert seed.storage.find(name) == (content.id, content.name, content.layout)
    assert seed.storage.find(content.id[:7]) is None
    assert seed.storage.find("0" * 64) is None
    with pytest.raises(ShoalError):
        seed.storage.manifest_of("0" * 64)


def test_what_is_shared_and_paused_is_there_after_a_restart(seed, tmp_path):
    content = seed.share(a_tree(tmp_path))
    assert seed.answer(ContentAdded) == ContentAdded(content)
    seed.perform(KeepPaused(content.id, True))
    seed.close()
    with Disk(tmp_path, "north") as again:
        ((kept,), downloads) = again.storage.load_all()
        assert (kept.id, kept.path, kept.paused, downloads) == (content.id, content.path, True, [])
        assert kept.layout.entries == content.layout.entries
        assert len(again.read(content.id, (part(content, 0),))) == CHUNK
    assert again.storage.disk_free() > 0


def test_who_waits_for_what_is_to_be_kept_hears_of_it_when_it_is_kept_or_cannot_be(seed, tmp_path):
    content = seed.share(a_file(tmp_path))
    heard: queue.SimpleQueue[tuple[bool, ShoalError | None]] = queue.SimpleQueue()
    reader = sqlite3.connect(seed.places.catalogue_file, check_same_thread=False)

    def paused() -> bool:
        return bool(reader.execute("SELECT paused FROM contents").fetchone()[0])

    seed.perform(KeepPaused(content.id, True))
    seed.storage.when_kept(lambda error: heard.put((paused(), error)))
    assert heard.get(timeout=20) == (True, None)
    reader.execute("CREATE TRIGGER refuse BEFORE UPDATE ON contents BEGIN SELECT RAISE(ABORT, 'no'); END")
    seed.perform(KeepPaused(content.id, False))
    seed.storage.when_kept(lambda error: heard.put((paused(), error)))
    still, error = heard.get(timeout=20)
    assert still
    assert error is not None
    reader.close()


def test_a_pause_while_files_are_being_prepared_is_kept(seed, south, tmp_path):
    content = seed.share(a_file(tmp_path))
    record = record_of(content, tmp_path)
    south.store_manifest(content.id, content.id, seed.catalogue.manifest(content.id, content.id))
    south.perform(KeepDownload(replace(record, paused=True)))
    south.prepare(record)
    assert south.catalogue.download(content.id).record.paused


def test_an_empty_file_is_made_when_a_finished_part_is_widened_by_it(seed, south, tmp_path):
    content = seed.share(a_tree(tmp_path))
    got = south.fetch(seed, content, tmp_path / "got", only=("big",))
    assert not (got / "empty").exists()
    south.perform(ReopenContent(content.id, ("big", "empty")))
    prepared = south.prepare(south.answer(Reopened).record)
    assert prepared.held == prepared.wanted
    assert (Path(south.finish(content.id).path) / "empty").read_bytes() == b""
