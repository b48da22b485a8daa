from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from bus.errors import ERR_CHANGED, ERR_DISK
from bus.settings import TransferSettings
from peer import files
from peer.core.interface import DataRemoved, KeepDownload, Prepared, RemoveItem, ReopenContent, Reopened, ReopenFailed
from peer.core.selection import with_less
from peer.files import FileOps
from tests.kit.faults import FailingFiles, OtherDevice, fail_always
from tests.kit.storing import Disk, FailedError, record_of

CHUNK = 128 * 1024
NEVER = TransferSettings(sync_interval=3600.0, min_free_disk=0)


@pytest.fixture
def seed(tmp_path):
    with Disk(tmp_path, "north") as disk:
        yield disk


@pytest.fixture
def file(seed, tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(os.urandom(3 * CHUNK))
    return seed.share(path)


@pytest.fixture
def tree(seed, tmp_path):
    root = tmp_path / "v1.2"
    (root / "sub" / "bare").mkdir(parents=True)
    (root / "big").write_bytes(os.urandom(2 * CHUNK))
    (root / "sub" / "file").write_bytes(b"x")
    return seed.share(root)


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["file", "folder", "dangling link"])
def test_nothing_that_has_the_name_is_replaced(seed, tmp_path, file, tree, what):
    got = tmp_path / "got"
    got.mkdir()
    for name in ("file.bin", "v1.2"):
        if what == "file":
            (got / name).write_bytes(b"mine")
        elif what == "folder":
            (got / name).mkdir()
        else:
            (got / name).symlink_to("nowhere")
    with Disk(tmp_path, "south") as south:
        assert south.fetch(seed, file, got) == got / "file (2).bin"
        assert south.fetch(seed, tree, got) == got / "v1.2 (2)"
    assert sorted(os.listdir(got)) == ["file (2).bin", "file.bin", "v1.2", "v1.2 (2)"]
    assert (got / "file.bin").is_file() is (what == "file")


def test_a_name_taken_at_the_last_moment_is_not_replaced(seed, tmp_path, file):
    got = tmp_path / "got"

    class Quick(FileOps):
        def rename(self, name: str, new: str, folder: int) -> None:
            (got / "file.bin").write_bytes(b"mine")
            super().rename(name, new, folder)

    with Disk(tmp_path, "south", Quick()) as south:
        assert south.fetch(seed, file, got) == got / "file (2).bin"
    assert (got / "file.bin").read_bytes() == b"mine"


def test_a_file_system_that_cannot_rename_without_replacing_is_served_too(seed, tmp_path, file, tree, monkeypatch):
    monkeypatch.setattr(files, "_renameat2", None)
    monkeypatch.setattr(files, "_syncfs", None)
    got = tmp_path / "got"
    (got / "v1.2").mkdir(parents=True)
    (got / "file.bin").write_bytes(b"mine")
    with Disk(tmp_path, "south") as south:
        assert south.fetch(seed, file, got).read_bytes() == (tmp_path / "file.bin").read_bytes()
        assert (south.fetch(seed, tree, got) / "big").read_bytes() == (tmp_path / "v1.2" / "big").read_bytes()
    assert sorted(os.listdir(got)) == ["file (2).bin", "file.bin", "v1.2", "v1.2 (2)"]


# --- what is finished -------------------------------------------------------------------------


def test_a_finished_download_is_a_content_and_its_record_says_when(seed, tmp_path, file):
    with Disk(tmp_path, "south") as south:
        south.fetch(seed, file, tmp_path / "got")
        south.perform(KeepDownload(record_of(file, tmp_path / "got")))  # one that was on its way
    with Disk(tmp_path, "south") as again:
        (content,), (record,) = again.storage.load_all()
        assert (content.id, content.name, content.downloaded, content.upload) == (file.id, "file.bin", True, False)
        assert content.path == record.path == str(tmp_path / "got" / "file.bin")
        assert record.finished == content.added > 1e9


def test_nothing_is_visible_under_its_name_before_it_is_complete(seed, tmp_path, file):
    with Disk(tmp_path, "south") as south:
        south.begin(seed, record_of(file, tmp_path / "got"))
        south.store_all(seed, file.id, 0b111, file.layout)
        assert [name for name in os.listdir(tmp_path / "got") if not name.startswith(".")] == []
        south.finish(file.id)
    assert os.listdir(tmp_path / "got") == ["file.bin"]


def test_what_came_of_files_that_were_left_out_is_not_there_when_it_is_finished(seed, tmp_path):
    root = tmp_path / "parts"
    for folder in ("one", "two/deep"):
        (root / folder).mkdir(parents=True)
        (root / folder / "data").write_bytes(os.urandom(3 * CHUNK))
    (root / "two" / "empty").touch()
    content = seed.share(root)
    layout, got = content.layout, tmp_path / "got"
    with Disk(tmp_path, "south") as south:
        record = record_of(content, got)
        south.begin(seed, record)
        held = south.store_all(seed, content.id, layout.mask_of(["one"]) | 1 << layout.chunks - 1, layout)
        record = with_less(record, layout, held, ["two/deep"])
        south.perform(KeepDownload(record))
        assert Path(south.finish(content.id).path) == got / "parts"
        assert sorted(str(path.relative_to(got)) for path in got.rglob("*")) == [
            "parts", "parts/one", "parts/one/data", "parts/two", "parts/two/empty"
        ]  # fmt: skip
    with Disk(tmp_path, "south") as again:
        ((known,), (kept,)) = again.storage.load_all()
        assert kept.left_out == record.left_out
        again.perform(ReopenContent(known.id, ()))
        reopened = again.answer(Reopened, ReopenFailed)
        assert isinstance(reopened, Reopened)
        prepared = again.prepare(reopened.record)
        assert (prepared.held, prepared.wanted) == (layout.mask_of(["one"]), layout.all_chunks)


@pytest.mark.parametrize("change", ["delete", "cut", "replace by a folder"])
def test_a_temporary_file_that_is_not_whole_any_more_is_no_finished_download(seed, tmp_path, tree, change):
    with Disk(tmp_path, "south") as south:
        prepared = south.begin(seed, record_of(tree, tmp_path / "got"))
        south.store_all(seed, tree.id, prepared.wanted, tree.layout)
        (temporary,) = (tmp_path / "got").iterdir()
        if change == "cut":
            os.truncate(temporary / "big", 5)
        else:
            (temporary / "big").unlink()
        if change == "replace by a folder":
            (temporary / "big").mkdir()
        with pytest.raises(FailedError) as caught:
            south.finish(tree.id)
        assert caught.value.event.code == ERR_CHANGED
        if change != "replace by a folder":
            prepared = south.prepare(record_of(tree, tmp_path / "got"))
            south.store_all(seed, tree.id, prepared.wanted & ~prepared.held, tree.layout)
            got = Path(south.finish(tree.id).path)
            assert (got / "big").read_bytes() == (tmp_path / "v1.2" / "big").read_bytes()


def test_the_file_that_is_gone_is_named(seed, tmp_path):
    root = tmp_path / "many"
    root.mkdir()
    for number in range(20):  # so many that the whole file system is synced, not each file
        (root / f"{number:02}").write_bytes(b"x")
    tree = seed.share(root)
    with Disk(tmp_path, "south") as south:
        prepared = south.begin(seed, record_of(tree, tmp_path / "got"))
        south.store_all(seed, tree.id, prepared.wanted, tree.layout)
        (temporary,) = (tmp_path / "got").iterdir()
        (temporary / "07").unlink()
        with pytest.raises(FailedError, match="/07 was removed or changed"):
            south.finish(tree.id)


# --- order, and going on ----------------------------------------------------------------------


class Recording(FailingFiles):
    """Remembers the order of what matters for crash safety."""

    def __init__(self) -> None:
        super().__init__(lambda name, count: 0)
        self.order: list[str] = []

    def check(self, name: str) -> None:
        if name in ("write", "sync", "sync_folder", "sync_file_system", "rename"):
            self.order.append(name)
        super().check(name)


@pytest.mark.parametrize("kind", ["file", "tree"])
def test_bytes_are_synced_before_the_rename_and_the_name_after_it(seed, tmp_path, kind, request):
    content = request.getfixturevalue(kind)
    recording = Recording()
    with Disk(tmp_path, "south", recording) as south:
        south.fetch(seed, content, tmp_path / "got")
    order = recording.order
    rename = order.index("rename")
    last_write = max(place for place, name in enumerate(order) if name == "write")
    assert last_write < rename
    assert {"sync", "sync_file_system"} & set(order[last_write:rename])
    assert "sync_folder" in order[rename:]


def test_without_a_sync_of_everything_each_file_and_folder_is_synced_before_the_rename(
    seed, tmp_path, tree, monkeypatch
):
    monkeypatch.setattr(files, "_syncfs", None)
    recording = Recording()
    with Disk(tmp_path, "south", recording, NEVER) as south:
        south.fetch(seed, tree, tmp_path / "got")
    before = recording.order[: recording.order.index("rename")]
    assert before[-5:] == ["sync", "sync", "sync_folder", "sync_folder", "sync_folder"]


@pytest.mark.parametrize("files", [FileOps, OtherDevice])
@pytest.mark.parametrize("kind", ["file", "tree"])
def test_a_process_that_ends_between_rename_and_record_goes_on_from_there(seed, tmp_path, kind, files, request):
    content = request.getfixturevalue(kind)
    with Disk(tmp_path, "south", fail_always("sync_folder")) as south:
        with pytest.raises(FailedError) as caught:
            south.fetch(seed, content, tmp_path / "got")
        assert caught.value.event.code == ERR_DISK
    with Disk(tmp_path, "south", files(), boot="another boot") as again:
        (_, (record,)) = again.storage.load_all()
        assert record.finished == 0
        prepared = again.prepare(record)
        assert prepared.held == prepared.wanted == content.layout.all_chunks
        path = again.finish(content.id).path
        assert path == prepared.path == str(tmp_path / "got" / content.name)
        assert len(again.read(content.id, ((0, 0, 1000),))) == 1000
    assert os.listdir(tmp_path / "got") == [content.name]


@pytest.fixture
def placed(seed, tmp_path, tree):
    """A part of a tree that lies under its final name and is not recorded as finished; where, and how to go on."""
    with Disk(tmp_path, "south", fail_always("sync_folder")) as south, pytest.raises(FailedError):
        south.fetch(seed, tree, tmp_path / "got", only=("sub",))
    return tmp_path / "got" / tree.name


def goes_on(seed, south: Disk, tree, more: tuple[str, ...]) -> Prepared:
    """Want more of it, as `get --only` does; the digest lists are fetched."""
    (_, (record,)) = south.storage.load_all()
    prepared = south.prepare(replace(record, only=(*record.only, *more)))
    for manifest, _ in prepared.lists:
        south.store_manifest(tree.id, manifest, seed.read_manifest(tree.id, manifest))
    return prepared


def test_more_can_be_wanted_of_a_download_that_ended_there(seed, tmp_path, tree, placed):
    (placed / "mine").write_text("mine")
    with Disk(tmp_path, "south", boot="another boot") as again:
        prepared = goes_on(seed, again, tree, ("big",))
        assert (prepared.held, prepared.path) == (tree.layout.mask_of(["sub"]), str(placed))
        assert not placed.exists()
        again.store_all(seed, tree.id, tree.layout.mask_of(["big"]), tree.layout)
        assert again.finish(tree.id).path == str(placed)
    assert (placed / "big").read_bytes() == (tmp_path / "v1.2" / "big").read_bytes()
    assert sorted(os.listdir(placed)) == ["big", "mine", "sub"]


def test_an_empty_file_can_be_wanted_of_a_download_that_ended_there(seed, tmp_path):
    root = tmp_path / "parts"
    root.mkdir()
    (root / "file").write_bytes(b"x")
    (root / "empty").touch()
    tree = seed.share(root)
    with Disk(tmp_path, "south", fail_always("sync_folder")) as south, pytest.raises(FailedError):
        south.fetch(seed, tree, tmp_path / "got", only=("file",))
    with Disk(tmp_path, "south") as again:
        goes_on(seed, again, tree, ("empty",))
        assert sorted(os.listdir(again.finish(tree.id).path)) == ["empty", "file"]


def test_what_was_taken_away_there_is_fetched_again(seed, tmp_path, tree, placed):
    (placed / "sub" / "file").unlink()
    with Disk(tmp_path, "south") as again:
        prepared = goes_on(seed, again, tree, ())
        assert (prepared.held, prepared.wanted) == (0, tree.layout.mask_of(["sub"]))
        again.store_all(seed, tree.id, prepared.wanted, tree.layout)
        again.finish(tree.id)
    assert (placed / "sub" / "file").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["sub/file", "big"], ids=["changed", "put there"])
def test_what_its_user_wrote_there_is_left_alone_and_named(seed, tmp_path, tree, placed, name):
    (placed / name).write_text("mine")
    with Disk(tmp_path, "south") as again:
        with pytest.raises(FailedError, match=f"{name} is not the file that was fetched; move it away, then resume"):
            goes_on(seed, again, tree, ("big",))
        assert (placed / name).read_text() == "mine"
        (placed / name).unlink()
        prepared = goes_on(seed, again, tree, ("big",))
        again.store_all(seed, tree.id, prepared.wanted & ~prepared.held, tree.layout)
        again.finish(tree.id)
    assert (placed / "big").read_bytes() == (tmp_path / "v1.2" / "big").read_bytes()


@pytest.mark.parametrize("data", [False, True])
def test_of_a_download_that_ended_there_only_what_was_fetched_is_removed(seed, tmp_path, tree, placed, data):
    (placed / "mine").write_text("mine")
    with Disk(tmp_path, "south") as again:
        again.perform(RemoveItem(tree.id, data))
        assert "stay" in again.answer(DataRemoved).error
    assert sorted(os.listdir(placed)) == (["mine"] if data else ["mine", "sub"])


def test_a_download_that_ended_there_can_still_be_removed(seed, tmp_path, file):
    with Disk(tmp_path, "south", fail_always("sync_folder")) as south, pytest.raises(FailedError):
        south.fetch(seed, file, tmp_path / "got")
    with Disk(tmp_path, "south") as again:
        again.perform(RemoveItem(file.id, True))
        assert again.answer(DataRemoved) == DataRemoved(file.id, "")
    assert os.listdir(tmp_path / "got") == []
