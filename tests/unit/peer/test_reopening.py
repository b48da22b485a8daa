from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import msgspec
import pytest

from bus.errors import ERR_CHANGED
from peer.core.interface import (
    DataRemoved,
    KeepDownload,
    RemoveItem,
    ReopenContent,
    Reopened,
    ReopenFailed,
    StoreFailed,
    Verified,
    VerifyData,
)
from peer.core.layout import Layout
from peer.core.records import DownloadRecord
from peer.files import FileOps
from tests.kit.faults import OtherDevice, fail_always
from tests.kit.payload import differences
from tests.kit.storing import Disk

KIB = 1024
CHUNK = 128 * KIB


@pytest.fixture
def north(tmp_path):
    with Disk(tmp_path, "north") as disk:
        yield disk


def a_file(folder: Path) -> Path:
    path = folder / "file.bin"
    path.write_bytes(os.urandom(5 * CHUNK + 100))
    return path


def a_tree(folder: Path) -> Path:
    root = folder / "tree"
    (root / "deep").mkdir(parents=True)
    (root / "big").write_bytes(os.urandom(3 * CHUNK))
    for number in range(5):
        (root / "deep" / f"{number}").write_bytes(b"file %d" % number)
    return root


def damage(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        was = file.read(1)[0]
        file.seek(place)
        file.write(bytes([was ^ 1]))


def verify(disk: Disk, content: str) -> Reopened | Verified:
    disk.perform(VerifyData(content))
    answer: Reopened | Verified = disk.answer(Reopened, Verified, StoreFailed)
    return answer


def mended(disk: Disk, north: Disk, record: DownloadRecord, layout: Layout) -> int:
    """Fetch what is missing; returns how many chunks that were."""
    prepared = disk.prepare(record)
    missing = prepared.wanted & ~prepared.held
    disk.store_all(north, record.id, missing, layout)
    disk.finish(record.id)
    return missing.bit_count()


def widened(disk: Disk, content: str, only: tuple[str, ...] = ()) -> DownloadRecord:
    disk.perform(ReopenContent(content, only))
    reopened = disk.answer(Reopened, ReopenFailed)
    assert isinstance(reopened, Reopened), reopened
    disk.perform(KeepDownload(reopened.record))
    return reopened.record


def test_of_a_damaged_file_only_the_wrong_chunk_is_fetched_again(north, tmp_path):
    path = a_file(tmp_path)
    content = north.share(path)
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got")
        damage(got, 2 * CHUNK + 7)
        reopened = verify(south, content.id)
        assert isinstance(reopened, Reopened)
        assert "1 of 6 chunks" in reopened.message
        assert reopened.message.endswith("; they are fetched again")
        assert "\n" not in reopened.message
        assert (reopened.record.path, reopened.record.finished) == (str(got), 0.0)
        assert mended(south, north, reopened.record, content.layout) == 1
        assert got.read_bytes() == path.read_bytes()
        assert os.listdir(got.parent) == [got.name]
        assert verify(south, content.id).message == ""


def test_while_it_is_mended_it_does_not_lie_under_its_name(north, tmp_path):
    content = north.share(a_file(tmp_path))
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got")
        damage(got, 0)
        reopened = verify(south, content.id)
        assert isinstance(reopened, Reopened)
        south.prepare(reopened.record)
        assert not got.exists()


def test_of_a_damaged_tree_what_is_wrong_or_gone_is_fetched_again_and_what_was_added_stays(north, tmp_path):
    root = a_tree(tmp_path)
    content = north.share(root)
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got")
        damage(got / "big", CHUNK)
        damage(got / "deep" / "3", 2)
        (got / "deep" / "4").unlink()
        (got / "deep" / "mine").write_text("mine")
        reopened = verify(south, content.id)
        assert isinstance(reopened, Reopened)
        assert mended(south, north, reopened.record, content.layout) == 3
        for path in root.rglob("*"):
            assert path.is_dir() or (got / path.relative_to(root)).read_bytes() == path.read_bytes()
        assert (got / "deep" / "mine").read_text() == "mine"


@pytest.mark.parametrize("when", ["before it is prepared", "while chunks are missing"])
@pytest.mark.parametrize(
    ("boot", "files"), [("this boot", FileOps), ("another boot", FileOps), ("another boot", OtherDevice)]
)
def test_a_process_that_ends_in_the_middle_of_it_goes_on_with_the_right_chunks(north, tmp_path, when, boot, files):
    path = a_file(tmp_path)
    content = north.share(path)
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got")
        damage(got, CHUNK)
        reopened = verify(south, content.id)
        assert isinstance(reopened, Reopened)
        if when == "while chunks are missing":
            south.prepare(reopened.record)
    with Disk(tmp_path, "south", files(), boot=boot) as south:
        known, (record,) = south.storage.load_all()
        assert (known, record.finished, record.path) == ([], 0.0, str(got))
        assert mended(south, north, record, content.layout) == 1
        assert got.read_bytes() == path.read_bytes()


def test_what_is_damaged_is_mended_on_a_disk_that_has_another_number_now(north, tmp_path):
    path = a_file(tmp_path)
    content = north.share(path)
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got")
    damage(got, CHUNK)
    with Disk(tmp_path, "south", OtherDevice()) as south:
        reopened = verify(south, content.id)
        assert isinstance(reopened, Reopened)
        assert mended(south, north, reopened.record, content.layout) == 1
    assert got.read_bytes() == path.read_bytes()


def test_a_part_of_a_tree_is_mended_as_that_part(north, tmp_path):
    root = a_tree(tmp_path)
    content = north.share(root)
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got", ("deep",))
        damage(got / "deep" / "3", 2)
        reopened = verify(south, content.id)
        assert isinstance(reopened, Reopened)
        assert mended(south, north, reopened.record, content.layout) == 1
        assert (got / "deep" / "3").read_bytes() == b"file 3"
        assert not (got / "big").exists()


@pytest.mark.parametrize("how", ["replaced", "gone", "linked"])
def test_what_is_not_the_file_that_was_fetched_is_left_alone(north, tmp_path, how):
    content = north.share(a_file(tmp_path))
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got")
        if how == "linked":
            os.link(got, tmp_path / "second name")
            damage(got, 5)
        elif how == "replaced":
            (tmp_path / "mine").write_bytes(b"mine")
            os.replace(tmp_path / "mine", got)
        else:
            got.unlink()
        before = got.read_bytes() if got.exists() else b""
        answer = verify(south, content.id)
        assert isinstance(answer, Verified)
        assert "do not match" in answer.message
        assert "\n" not in answer.message
        assert (got.read_bytes() if got.exists() else b"") == before


def test_what_was_shared_in_place_is_never_written_to(north, tmp_path):
    path = a_file(tmp_path)
    content = north.share(path)
    damage(path, 5)
    assert isinstance(verify(north, content.id), Verified)


def test_what_cannot_be_synced_is_not_called_right(north, tmp_path):
    content = north.share(a_file(tmp_path))
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got")
    damage(got, 5)
    with Disk(tmp_path, "south", fail_always("sync")) as south:
        assert isinstance(verify(south, content.id), Verified)
        assert [kept.id for kept in south.storage.load_all()[0]] == [content.id]


def test_a_finished_part_of_a_tree_becomes_a_download_that_holds_it_and_wants_more(north, tmp_path):
    content = north.share(a_tree(tmp_path))
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got", only=("deep",))
        south.perform(ReopenContent(content.id, ("deep", "big")))
        reopened = south.answer(Reopened, ReopenFailed)
        assert isinstance(reopened, Reopened)
        assert reopened.record.only == ("deep", "big")
        south.perform(KeepDownload(reopened.record))
        prepared = south.prepare(reopened.record)
        assert prepared.held == content.layout.mask_of(["deep"])
        for manifest, _ in prepared.lists:
            south.store_manifest(content.id, manifest, north.read_manifest(content.id, manifest))
        south.store_all(north, content.id, prepared.wanted & ~prepared.held, content.layout)
        south.finish(content.id)
        assert differences(Path(content.path), got) == ""


@pytest.mark.parametrize("looked", ["not verified", "verified before"])
def test_somebody_else_s_file_in_the_way_of_the_rest_is_left_alone_and_named(north, tmp_path, looked):
    content = north.share(a_tree(tmp_path))
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got", only=("deep",))
        (got / "big").write_bytes(b"mine" * CHUNK)
        if looked == "verified before":
            assert verify(south, content.id).message == ""
        south.perform(ReopenContent(content.id, ()))
        failed = south.answer(Reopened, ReopenFailed)
        assert isinstance(failed, ReopenFailed)
        assert "big is another file" in failed.message
        assert (got / "big").read_bytes() == b"mine" * CHUNK


@pytest.mark.parametrize(
    "edit", [b"short", b"12345!", b"longer than it was", b""], ids=["shorter", "same size", "longer", "gone"]
)
def test_more_of_a_tree_is_not_fetched_over_what_its_user_changed(north, tmp_path, edit):
    content = north.share(a_tree(tmp_path))
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got", only=("deep",))
        edited = got / "deep" / "3"
        if edit:
            edited.write_bytes(edit)
            os.utime(edited, ns=(5, 5))
        else:
            edited.unlink()
        south.perform(ReopenContent(content.id, ()))
        failed = south.answer(Reopened, ReopenFailed)
        assert isinstance(failed, ReopenFailed)
        assert (failed.code, f"{edited} is not what was fetched" in failed.message) == (ERR_CHANGED, True)
        assert os.listdir(got.parent) == [got.name]
        assert not edit or edited.read_bytes() == edit
        # What the message says to do: move it away, and verify.
        if edit:
            edited.rename(tmp_path / "mine")
        reopened = verify(south, content.id)
        assert isinstance(reopened, Reopened)
        mended(south, north, reopened.record, content.layout)
        prepared = south.prepare(widened(south, content.id))
        for manifest, _ in prepared.lists:
            south.store_manifest(content.id, manifest, north.read_manifest(content.id, manifest))
        south.store_all(north, content.id, prepared.wanted & ~prepared.held, content.layout)
        south.finish(content.id)
        assert differences(Path(content.path), got) == ""


@pytest.mark.parametrize("only", [("deep",), ("deep", "empty")], ids=["not fetched", "fetched"])
def test_an_empty_file_in_which_somebody_wrote_is_left_alone_and_named(north, tmp_path, only):
    root = a_tree(tmp_path)
    (root / "empty").touch()
    content = north.share(root)
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got", only=only)
        (got / "empty").write_text("mine")
        south.perform(ReopenContent(content.id, ()))
        failed = south.answer(Reopened, ReopenFailed)
        assert isinstance(failed, ReopenFailed)
        assert f"{got / 'empty'} is another file" in failed.message
        damage(got / "deep" / "3", 2)
        assert "empty is another file" in verify(south, content.id).message
        assert (got / "empty").read_text() == "mine"


# --- removed while it is under way again ------------------------------------------------------


def removed(disk: Disk, content: str, *, data: bool) -> str:
    disk.perform(RemoveItem(content, data))
    answer: DataRemoved = disk.answer(DataRemoved)
    return answer.error


@pytest.mark.parametrize("when", ["before it is prepared", "prepared", "after a restart", "kept by an older program"])
def test_a_finished_download_that_is_removed_while_more_of_it_is_fetched_stays_under_its_name(north, tmp_path, when):
    content = north.share(a_tree(tmp_path))
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got", only=("deep",))
        (got / "deep" / "mine").write_text("mine")
        record = widened(south, content.id)
        if when != "before it is prepared":
            south.prepare(record)
            assert not got.exists()
        if when == "kept by an older program":
            forget_that_it_was_visible(south, content.id)
        if when != "after a restart":
            assert f"{got} stays" in removed(south, content.id, data=False)
    if when == "after a restart":
        with Disk(tmp_path, "south", boot="another boot") as again:
            assert f"{got} stays" in removed(again, content.id, data=False)
    assert os.listdir(got.parent) == [got.name]
    assert sorted(os.listdir(got / "deep")) == ["0", "1", "2", "3", "4", "mine"]


def forget_that_it_was_visible(disk: Disk, content: str) -> None:
    def forget(connection: sqlite3.Connection) -> None:
        (row,) = connection.execute("SELECT temporary FROM downloads WHERE id = ?", (content,)).fetchone()
        temporary = msgspec.msgpack.decode(row)
        del temporary["was_visible"]
        connection.execute("UPDATE downloads SET temporary = ?", (msgspec.msgpack.encode(temporary),))

    disk.catalogue._database.call(forget)


def test_its_name_is_not_taken_from_somebody_who_has_it_meanwhile(north, tmp_path):
    content = north.share(a_tree(tmp_path))
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got", only=("deep",))
        south.prepare(widened(south, content.id))
        got.mkdir()
        assert f"{got} (2) stays" in removed(south, content.id, data=False)
    assert sorted(os.listdir(got.parent)) == ["tree", "tree (2)"]
    assert (got.parent / "tree (2)" / "deep" / "3").read_bytes() == b"file 3"


def test_a_damaged_file_that_is_removed_while_it_is_mended_stays_as_it_was(north, tmp_path):
    content = north.share(a_file(tmp_path))
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got")
        damage(got, CHUNK)
        before = got.read_bytes()
        reopened = verify(south, content.id)
        assert isinstance(reopened, Reopened)
        south.prepare(reopened.record)
        removed(south, content.id, data=False)
        assert got.read_bytes() == before


def test_a_copy_that_is_shared_meanwhile_costs_the_user_nothing(north, tmp_path):
    root = a_tree(tmp_path)
    content = north.share(root)
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got", only=("deep",))
        (got / "mine").write_text("mine")
        south.prepare(widened(south, content.id))
        assert south.share(root).id == content.id
    assert (got / "mine").read_text() == "mine"


@pytest.mark.parametrize("when", ["before it is prepared", "prepared"])
def test_with_its_data_only_what_was_fetched_is_deleted(north, tmp_path, when):
    content = north.share(a_tree(tmp_path))
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got", only=("deep",))
        (got / "deep" / "mine").write_text("mine")
        record = widened(south, content.id)
        if when == "prepared":
            south.prepare(record)
        (top,) = got.parent.iterdir()
        with (top / "deep" / "3").open("a") as file:
            file.write(", and more")
        assert f"items in {got} were changed or added since, and stay" in removed(south, content.id, data=True)
    assert sorted(str(path.relative_to(got)) for path in got.rglob("*")) == ["deep", "deep/3", "deep/mine"]
    assert os.listdir(got.parent) == [got.name]


@pytest.mark.parametrize("make", [a_file, a_tree])
def test_with_its_data_nothing_is_left_of_what_nobody_touched(north, tmp_path, make):
    content = north.share(make(tmp_path))
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got")
        damage(got if got.is_file() else got / "big", 5)
        reopened = verify(south, content.id)
        assert isinstance(reopened, Reopened)
        south.prepare(reopened.record)
        assert removed(south, content.id, data=True) == ""
    assert os.listdir(got.parent) == []
