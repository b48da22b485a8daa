from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bus.errors import ERR_DISK, ERR_DISK_FULL, ERR_PATH, ERR_STATE, ERR_SYMLINK
from bus.settings import TransferSettings
from peer.catalogue_rows import Temporary
from peer.core.interface import CheckSpace, DataRemoved, KeepDownload, RemoveItem, SpaceChecked
from peer.core.records import DownloadRecord, KnownContent
from peer.files import FileOps
from peer.naming import next_name
from tests.kit.faults import FailingFiles, OtherDevice, fail_always
from tests.kit.storing import QUICK, Disk, FailedError, record_of
from tests.kit.waiting import eventually

KIB = 1024
CHUNK = 128 * KIB
NEVER = TransferSettings(sync_interval=3600.0, min_free_disk=0)
"""Nothing is recorded unless it is asked for."""


@pytest.fixture
def seed(tmp_path):
    with Disk(tmp_path, "north") as disk:
        yield disk


@pytest.fixture
def file(seed, tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(os.urandom(5 * CHUNK - 1000))
    return seed.share(path)


@pytest.fixture
def tree(seed, tmp_path):
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    (root / "big").write_bytes(os.urandom(3 * CHUNK))
    for number in range(5):
        (root / "sub" / str(number)).write_bytes(os.urandom(100))
    return seed.share(root)


class DeadFiles(FailingFiles):
    """A disk that, once dead, does nothing more: what a process that is killed leaves behind."""

    def __init__(self) -> None:
        super().__init__(lambda name, count: errno.EIO if self.dead else 0)
        self.dead = False


def killed(tmp_path: Path, run: Callable[[Disk], object], boot: str = "this boot") -> None:
    """Do something with south's disk, and kill it without a sync."""
    files = DeadFiles()
    disk = Disk(tmp_path, "south", files, NEVER, boot)
    run(disk)
    files.dead = True
    disk.storage.close()


def fetch(seed: Disk, content: KnownContent, mask: int, directory: Path, sync: int = 0) -> Callable[[Disk], object]:
    """Fetch chunks, those in `sync` first and synced."""

    def run(disk: Disk) -> None:
        disk.begin(seed, record_of(content, directory))
        disk.store_all(seed, content.id, sync, content.layout)
        disk.storage._sync.sync_now(disk.storage._contents.downloads[content.id])
        disk.store_all(seed, content.id, mask & ~sync, content.layout)

    return run


def failure(disk: Disk, record: DownloadRecord) -> Any:
    with pytest.raises(FailedError) as caught:
        disk.prepare(record)
    assert "\n" not in caught.value.event.message
    return caught.value.event


# --- a restart --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "tree"])
def test_what_was_stored_is_held_after_an_orderly_restart(seed, tmp_path, kind, request):
    content = request.getfixturevalue(kind)
    with Disk(tmp_path, "south", settings=NEVER) as south:
        fetch(seed, content, 0b1011, tmp_path / "got")(south)
    with Disk(tmp_path, "south", boot="another boot") as again:
        (_, (record,)) = again.storage.load_all()
        prepared = again.prepare(record)
        assert (prepared.held, prepared.lists) == (0b1011, ())
        again.store_all(seed, content.id, prepared.wanted & ~prepared.held, content.layout)
        again.finish(content.id)


@pytest.mark.parametrize("kind", ["file", "tree"])
def test_after_a_kill_what_was_written_is_hashed_and_not_fetched_again(seed, tmp_path, kind, request):
    content = request.getfixturevalue(kind)
    killed(tmp_path, fetch(seed, content, 0b1111, tmp_path / "got", sync=0b0101))
    with Disk(tmp_path, "south", boot="this boot") as again:
        assert again.prepare(record_of(content, tmp_path / "got")).held == 0b1111


@pytest.mark.parametrize("kind", ["file", "tree"])
def test_after_a_reboot_only_what_was_recorded_is_held(seed, tmp_path, kind, request):
    content = request.getfixturevalue(kind)
    killed(tmp_path, fetch(seed, content, 0b1111, tmp_path / "got", sync=0b0101))
    with Disk(tmp_path, "south", boot="another boot") as again:
        assert again.prepare(record_of(content, tmp_path / "got")).held == 0b0101


def test_half_a_chunk_is_not_held_after_a_kill(seed, tmp_path, file):
    def run(disk: Disk) -> None:
        fetch(seed, file, 0b1, tmp_path / "got")(disk)
        disk.store(file.id, ((2, 0, 1000),), seed.read(file.id, ((2, 0, 1000),)))

    killed(tmp_path, run)
    with Disk(tmp_path, "south") as again:
        assert again.prepare(record_of(file, tmp_path / "got")).held == 0b1


def test_hashed_again_means_synced_and_recorded_again(seed, tmp_path, file):
    killed(tmp_path, fetch(seed, file, 0b111, tmp_path / "got"))
    with Disk(tmp_path, "south") as again:
        again.prepare(record_of(file, tmp_path / "got"))
    with Disk(tmp_path, "south", boot="another boot") as rebooted:
        assert rebooted.prepare(record_of(file, tmp_path / "got")).held == 0b111


def test_a_catalogue_that_was_lost_is_made_up_for_by_hashing(seed, tmp_path, file):
    with Disk(tmp_path, "south") as south:
        fetch(seed, file, 0b11011, tmp_path / "got")(south)
    for path in south.places.data_dir.glob("catalogue.db*"):
        path.unlink()
    with Disk(tmp_path, "south", boot="another boot") as again:
        assert again.begin(seed, record_of(file, tmp_path / "got")).held == 0b11011


def test_bytes_that_changed_on_the_disk_and_were_not_recorded_are_not_held(seed, tmp_path, file):
    killed(tmp_path, fetch(seed, file, 0b111, tmp_path / "got"))
    (temporary,) = (tmp_path / "got").iterdir()
    with temporary.open("r+b") as opened:
        opened.seek(CHUNK)
        opened.write(b"????")
    with Disk(tmp_path, "south") as again:
        assert again.prepare(record_of(file, tmp_path / "got")).held == 0b101


@pytest.mark.parametrize("how", ["deleted", "replaced", "cut"])
def test_a_record_is_not_believed_about_another_file(seed, tmp_path, file, how):
    with Disk(tmp_path, "south") as south:
        fetch(seed, file, 0b11111, tmp_path / "got")(south)
    (temporary,) = (tmp_path / "got").iterdir()
    data = temporary.read_bytes()
    if how == "cut":
        os.truncate(temporary, CHUNK + 5)
        expected = 0b00001
    else:
        temporary.rename(tmp_path / "moved")
        expected = 0
    if how == "replaced":
        temporary.write_bytes(data[:CHUNK] + b"?" + data[CHUNK + 1 :])
        expected = 0b11101
    with Disk(tmp_path, "south") as again:
        assert again.prepare(record_of(file, tmp_path / "got")).held == expected


def test_a_file_of_a_tree_that_vanished_or_was_cut_is_fetched_again(seed, tmp_path, tree):
    with Disk(tmp_path, "south") as south:
        fetch(seed, tree, tree.layout.all_chunks, tmp_path / "got")(south)
    (temporary,) = (tmp_path / "got").iterdir()
    (temporary / "sub" / "2").unlink()
    os.truncate(temporary / "big", CHUNK)
    with Disk(tmp_path, "south") as again:
        prepared = again.prepare(record_of(tree, tmp_path / "got"))
        assert prepared.held == tree.layout.mask_of(["sub"]) & ~tree.layout.mask_of(["sub/2"]) | 0b1
        again.store_all(seed, tree.id, prepared.wanted & ~prepared.held, tree.layout)
        got = Path(again.finish(tree.id).path)
        assert (got / "big").read_bytes() == (tmp_path / "tree" / "big").read_bytes()


def test_preparing_again_without_a_restart_loses_nothing(seed, tmp_path, file):
    with Disk(tmp_path, "south", settings=NEVER) as south:
        fetch(seed, file, 0b101, tmp_path / "got")(south)
        assert south.prepare(record_of(file, tmp_path / "got")).held == 0b101
        south.store_all(seed, file.id, 0b11010, file.layout)
        assert Path(south.finish(file.id).path).read_bytes() == (tmp_path / "file.bin").read_bytes()


def test_digest_lists_still_missing_are_named(seed, tmp_path, tree):
    with Disk(tmp_path, "south") as south:
        south.store_manifest(tree.id, tree.id, seed.read_manifest(tree.id, tree.id))
        big = next(entry for entry in tree.layout.entries if entry.path == "big")
        assert south.prepare(record_of(tree, tmp_path / "got")).lists == ((big.file_id, ((0, 3),)),)
        with pytest.raises(FailedError) as caught:
            south.store_all(seed, tree.id, 0b1, tree.layout)
        assert caught.value.event.code == ERR_STATE
        assert south.prepare(record_of(tree, tmp_path / "got", only=("sub",))).lists == ()


# --- where it goes ----------------------------------------------------------------------------


def test_a_missing_folder_is_made(seed, tmp_path, file):
    with Disk(tmp_path, "south") as south:
        assert south.fetch(seed, file, tmp_path / "not" / "there" / "yet").exists()


def test_temporary_names_tell_the_content_and_fit_any_name(seed, tmp_path, file, tree):
    long = "é" * 127
    with Disk(tmp_path, "south") as south:
        for content, expected in ((file, f".{'é' * 100}.{file.id[:16]}.shoal"), (tree, f".{tree.id[:16]}.shoal")):
            record = DownloadRecord(content.id, long, str(tmp_path / "got"), "", (), (), False, 1.0)
            prepared = south.begin(seed, record)
            assert (prepared.name, prepared.path) == (long, str(tmp_path / "got" / long))
            assert (tmp_path / "got" / expected).exists()


def test_a_name_is_only_needed_at_the_end_and_must_be_safe(seed, tmp_path, file):
    with Disk(tmp_path, "south") as south:
        nameless = DownloadRecord(file.id, "", str(tmp_path / "got"), "", (), (), False, 1.0)
        assert south.begin(seed, nameless).name == file.id[:16]
        hostile = DownloadRecord(file.id, "../up", str(tmp_path / "got"), "", (), (), False, 1.0)
        assert failure(south, hostile).code == ERR_PATH


def test_a_folder_that_is_a_file_or_cannot_be_written_is_refused(seed, tmp_path, file):
    (tmp_path / "occupied").write_bytes(b"")
    with Disk(tmp_path, "south") as south:
        south.store_manifest(file.id, file.id, seed.read_manifest(file.id, file.id))
        assert failure(south, record_of(file, tmp_path / "occupied")).code == ERR_DISK
    for operation, error in (("open", errno.EROFS), ("make_folders", errno.EACCES)):
        with Disk(tmp_path, "south", fail_always(operation, error=error)) as south:
            event = failure(south, record_of(file, tmp_path / operation))
            assert (event.code, "make it writable or choose another folder" in event.message) == (ERR_DISK, True)


def test_nothing_is_written_where_another_disk_is_to_be_mounted(seed, tmp_path, file):
    with Disk(tmp_path, "south") as south:
        fetch(seed, file, 0b1, tmp_path / "got")(south)
    (temporary,) = (tmp_path / "got").iterdir()
    temporary.rename(tmp_path / "elsewhere")
    with Disk(tmp_path, "south", OtherDevice()) as south:
        event = failure(south, record_of(file, tmp_path / "got"))
    assert (event.code, "another disk than before" in event.message) == (ERR_DISK, True)
    assert os.listdir(tmp_path / "got") == []


def test_a_disk_that_has_another_number_now_is_the_same_disk(seed, tmp_path, file):
    with Disk(tmp_path, "south") as south:
        fetch(seed, file, 0b11, tmp_path / "got")(south)
    with Disk(tmp_path, "south", OtherDevice(), boot="another boot") as south:
        record = record_of(file, tmp_path / "got")
        assert south.prepare(record).held == 0b11
        south.store_all(seed, file.id, 0b11100, file.layout)
        assert south.finish(file.id).path == str(tmp_path / "got" / "file.bin")


def test_two_peers_never_write_to_the_same_temporary_file(seed, tmp_path, file, tree):
    with Disk(tmp_path, "south") as south, Disk(tmp_path, "third") as third:
        for content in (file, tree):
            south.begin(seed, record_of(content, tmp_path / "got"))
            with pytest.raises(FailedError) as caught:
                third.begin(seed, record_of(content, tmp_path / "got"))
            assert (caught.value.event.code, "another peer" in caught.value.event.message) == (ERR_STATE, True)
            south.store_all(seed, content.id, content.layout.all_chunks, content.layout)
            south.finish(content.id)
            assert third.prepare(record_of(content, tmp_path / "got")).held == 0


def test_removing_what_never_got_its_files_leaves_those_of_another_peer(seed, tmp_path, file, tree):
    got = tmp_path / "got"
    with Disk(tmp_path, "third") as third:
        for content in (file, tree):
            with Disk(tmp_path, "south") as south:
                fetch(seed, content, 0b11, got)(south)
                with pytest.raises(FailedError):
                    third.begin(seed, record_of(content, got))
                assert "another peer writes to it" in removed(third, content)
                south.store_all(seed, content.id, 0b100, content.layout)
                with pytest.raises(FailedError):
                    third.begin(seed, record_of(content, got))
            assert removed(third, content) == ""  # south does not run: nobody has it locked
            with Disk(tmp_path, "south") as south:
                assert south.prepare(record_of(content, got)).held == 0b111
                south.store_all(seed, content.id, content.layout.all_chunks & ~0b111, content.layout)
                south.finish(content.id)


def test_removing_what_another_peer_took_over_leaves_it(seed, tmp_path, file, tree):
    got = tmp_path / "got"
    for content in (file, tree):
        with Disk(tmp_path, "south") as south:
            fetch(seed, content, 0b11, got)(south)
        with Disk(tmp_path, "third") as third:
            third.begin(seed, record_of(content, got))
            assert third.prepare(record_of(content, got)).held == 0b11
            with Disk(tmp_path, "south") as south:
                with pytest.raises(FailedError):
                    south.prepare(record_of(content, got))
                assert "another peer writes to it" in removed(south, content)
            third.store_all(seed, content.id, content.layout.all_chunks & ~0b11, content.layout)
            third.finish(content.id)


@pytest.mark.parametrize("kind", ["file", "tree"])
def test_what_was_made_and_not_recorded_is_removed_too(seed, tmp_path, kind, request):
    content = request.getfixturevalue(kind)
    with Disk(tmp_path, "south", fail_always("lock")) as south:
        with pytest.raises(FailedError):
            south.begin(seed, record_of(content, tmp_path / "got"))
        assert len(os.listdir(tmp_path / "got")) == 1
    with Disk(tmp_path, "south") as south:
        assert removed(south, content) == ""
    assert os.listdir(tmp_path / "got") == []


def removed(disk: Disk, content: KnownContent) -> str:
    disk.perform(RemoveItem(content.id, False))
    answer: DataRemoved = disk.answer(DataRemoved)
    return answer.error


def test_two_contents_whose_ids_begin_alike_have_files_of_their_own(seed, tmp_path, file):
    alike = replace(record_of(file, tmp_path / "got"), id=file.id[:16] + "0" * 48)
    with Disk(tmp_path, "south") as south:
        south.catalogue.keep_temporary(alike, Temporary(f".file.bin.{file.id[:16]}.shoal", 1, 2, ""), b"")
        south.begin(seed, record_of(file, tmp_path / "got"))
        assert os.listdir(tmp_path / "got") == [f".file.bin.{file.id}.shoal"]


# --- room -------------------------------------------------------------------------------------


class LittleRoom(FileOps):
    """A disk with so many bytes free."""

    def __init__(self, free: int) -> None:
        self.free = free

    def free_space(self, path: str) -> int:
        return self.free


def test_what_does_not_fit_is_refused_before_anything_is_made(seed, tmp_path, file):
    keep = TransferSettings(min_free_disk=1000)
    with Disk(tmp_path, "south", LittleRoom(file.layout.size + 999), keep) as south:
        south.store_manifest(file.id, file.id, seed.read_manifest(file.id, file.id))
        event = failure(south, record_of(file, tmp_path / "got"))
        assert (event.code, "needs 639 KiB" in event.message) == (ERR_DISK_FULL, True), event
        assert (event.kind, event.size) == ("file", file.layout.size), "what the manifest says is told all the same"
        assert os.listdir(tmp_path / "got") == []
        south.files.free += 1  # type: ignore[attr-defined]
        assert south.prepare(record_of(file, tmp_path / "got")).held == 0


def test_what_is_held_needs_no_room(seed, tmp_path, file):
    with Disk(tmp_path, "south") as south:
        fetch(seed, file, 0b01111, tmp_path / "got")(south)
    with Disk(tmp_path, "south", LittleRoom(CHUNK - 1000)) as again:
        assert again.prepare(record_of(file, tmp_path / "got")).held == 0b01111


def test_whether_the_rest_fits_is_told_on_demand(seed, tmp_path, file):
    record = record_of(file, tmp_path / "got")
    room = LittleRoom(10 * file.layout.size)
    with Disk(tmp_path, "south", room) as south:
        fetch(seed, file, 0b01111, tmp_path / "got")(south)

    def fits(south: Disk, free: int) -> bool:
        room.free = free
        south.perform(CheckSpace(record))
        checked: SpaceChecked = south.answer(SpaceChecked)
        return checked.enough

    with Disk(tmp_path, "south", room) as south:
        rest = file.layout.bytes_in(file.layout.all_chunks & ~0b01111)
        assert [fits(south, rest - 1), fits(south, rest)] == [False, True]
        south.perform(CheckSpace(replace(record, id="e" * 64)))
        assert not south.answer(SpaceChecked).enough


def test_a_disk_that_fills_up_says_so_and_goes_on_when_there_is_room(seed, tmp_path, file):
    full = True
    files = FailingFiles(lambda name, count: errno.ENOSPC if full and name == "write" else 0)
    with Disk(tmp_path, "south", files, QUICK) as south:
        south.begin(seed, record_of(file, tmp_path / "got"))
        full = False
        south.store_all(seed, file.id, 0b11, file.layout)
        eventually(lambda: not south.storage._contents.downloads[file.id].unsynced_bytes, within=5)
        full = True
        with pytest.raises(FailedError) as caught:
            south.store_all(seed, file.id, 0b100, file.layout)
        event = caught.value.event
        assert (event.code, "needs" in event.message, "\n" in event.message) == (ERR_DISK_FULL, True, False)
        with pytest.raises(FailedError):
            south.store_all(seed, file.id, 0b1000, file.layout)
        full = False
        assert south.prepare(record_of(file, tmp_path / "got")).held == 0b11
        south.store_all(seed, file.id, 0b11100, file.layout)
        assert Path(south.finish(file.id).path).read_bytes() == (tmp_path / "file.bin").read_bytes()


# --- planted links ----------------------------------------------------------------------------


@pytest.fixture
def victim(tmp_path):
    path = tmp_path / "victim"
    path.write_bytes(b"precious")
    os.utime(path, ns=(7, 7))
    yield path
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (b"precious", 7)


def test_a_link_in_place_of_the_temporary_file_is_not_followed(seed, tmp_path, file, tree, victim):
    with Disk(tmp_path, "south") as south:
        (tmp_path / "got").mkdir()
        for content, name in ((file, f".file.bin.{file.id[:16]}.shoal"), (tree, f".{tree.id[:16]}.shoal")):
            (tmp_path / "got" / name).symlink_to(victim)
            south.perform(KeepDownload(record_of(content, tmp_path / "got")))
            south.store_manifest(content.id, content.id, seed.read_manifest(content.id, content.id))
            assert failure(south, record_of(content, tmp_path / "got")).code == ERR_SYMLINK


def test_a_second_name_of_a_file_is_not_written_through(seed, tmp_path, file, victim):
    (tmp_path / "got").mkdir()
    os.link(victim, tmp_path / "got" / f".file.bin.{file.id[:16]}.shoal")
    with Disk(tmp_path, "south") as south:
        south.fetch(seed, file, tmp_path / "got")


@pytest.mark.parametrize("place", ["big", "sub/2"])
def test_a_link_planted_for_a_file_of_the_tree_is_not_followed(seed, tmp_path, tree, victim, place):
    with Disk(tmp_path, "south") as south:
        prepared = south.begin(seed, record_of(tree, tmp_path / "got"))
        (temporary,) = (tmp_path / "got").iterdir()
        (temporary / "sub").mkdir(exist_ok=True)
        (temporary / place).symlink_to(victim)
        with pytest.raises(FailedError) as caught:
            south.store_all(seed, tree.id, prepared.wanted, tree.layout)
        assert caught.value.event.code == ERR_SYMLINK
        assert failure(south, record_of(tree, tmp_path / "got")).code == ERR_SYMLINK


def test_a_link_planted_for_a_folder_of_the_tree_is_not_followed(seed, tmp_path, tree):
    (tmp_path / "outside").mkdir()
    with Disk(tmp_path, "south") as south:
        prepared = south.begin(seed, record_of(tree, tmp_path / "got"))
        (temporary,) = (tmp_path / "got").iterdir()
        (temporary / "sub").symlink_to(tmp_path / "outside")
        with pytest.raises(FailedError) as caught:
            south.store_all(seed, tree.id, prepared.wanted, tree.layout)
        assert caught.value.event.code == ERR_SYMLINK
    assert os.listdir(tmp_path / "outside") == []


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "number", "folder", "expected"),
    [
        ("a.txt", 1, False, "a.txt"),
        ("a.txt", 2, False, "a (2).txt"),
        ("a.tar.gz", 12, False, "a.tar (12).gz"),
        (".hidden", 2, False, ".hidden (2)"),
        ("v1.2", 2, True, "v1.2 (2)"),
        ("x" * 255, 2, True, "x" * 251 + " (2)"),
        ("é" * 127, 2, False, "é" * 125 + " (2)"),
    ],
)
def test_a_taken_name_gets_a_number(name, number, folder, expected):
    assert next_name(name, number, folder) == expected
