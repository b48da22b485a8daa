from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from bus.errors import ERR_CHANGED, ERR_LIMIT, ERR_NOT_FOUND, ERR_PATH, ERR_UNREADABLE, ShoalError
from peer import walking
from peer.core.interface import ContentAdded, DataRemoved, KeepDownload, RemoveItem
from peer.files import FileOps
from peer.hashing import Hashing
from tests.kit.faults import fail_always
from tests.kit.storing import Disk, FailedError, record_of

KIB = 1024


@pytest.fixture
def north(tmp_path):
    with Disk(tmp_path, "north") as disk:
        yield disk


def refusal(disk: Disk, path: Path | str, name: str = "") -> ShoalError:
    with pytest.raises(ShoalError) as caught:
        disk.share(path, name)
    assert "\n" not in caught.value.message
    assert disk.storage.load_all() == ([], [])
    return caught.value


def tree_of(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())
    return root


def paths_of(disk: Disk, root: Path) -> list[str]:
    return [entry.path for entry in disk.share(root).layout.entries]


# --- what is shared ---------------------------------------------------------------------------


def test_a_file_is_shared_in_place_under_its_own_name(north, tmp_path):
    path = tmp_path / "some file.txt"
    path.write_bytes(b"hello world\n")
    content = north.share(path)
    assert content.id == "01748c060593f4ffb2df7639f6dc5f46f5c250adda65c6a99bba8d4cf6962555"
    assert (content.name, content.path, content.layout.kind) == ("some file.txt", str(path), "file")
    assert (content.upload, content.downloaded, content.paused) == (False, False, False)
    assert north.answer(ContentAdded) == ContentAdded(content)


def test_the_name_to_show_may_be_given(north, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"a")
    assert north.share(path, "another name").name == "another name"


def test_entries_are_in_the_order_of_their_utf_8_bytes(north, tmp_path):
    names = ["a", "a.b", "a/x", "é", "z", "Z", "\U0001f41f", "\uffee"]
    root = tree_of(tmp_path / "tree", *(name for name in names if name != "a"))
    assert paths_of(north, root) == sorted((n for n in names if n != "a"), key=str.encode)


def test_equal_bytes_have_equal_ids_whatever_the_name_and_however_many_threads(north, tmp_path):
    (tmp_path / "one").write_bytes(bytes(range(256)) * 40_000)
    (tmp_path / "two").write_bytes(bytes(range(256)) * 40_000)
    one, two = north.share(tmp_path / "one"), north.share(tmp_path / "two")
    assert one.id == two.id
    assert north.storage.load_all() == ([], [])  # as it was when it was opened


def test_executable_and_empty_are_kept(north, tmp_path):
    root = tree_of(tmp_path / "tree", "run", "deep/file")
    (root / "run").chmod(0o700)
    (root / "empty dir" / "in it").mkdir(parents=True)
    (root / "empty file").touch()
    entries = {entry.path: entry for entry in north.share(root).layout.entries}
    assert list(entries) == ["deep/file", "empty dir/in it", "empty file", "run"]
    assert [entry.executable for entry in entries.values()] == [False, False, False, True]
    assert [entry.directory for entry in entries.values()] == [False, True, False, False]


def test_odd_names_are_kept(north, tmp_path):
    names = ["-rf", "two\\slashes", "a:b", "con", "end.", "end ", "CASE", "case", "'quote\"", "$(x)", ".hidden"]
    assert paths_of(north, tree_of(tmp_path / "tree", *names)) == sorted(names)


# --- what is left out -------------------------------------------------------------------------


def test_a_link_to_a_file_inside_is_shared_as_that_file(north, tmp_path):
    root = tree_of(tmp_path / "tree", "real/file")
    (root / "link").symlink_to("real/file")
    (root / "real" / "absolute").symlink_to(root / "real" / "file")
    (root / "real" / "twice").symlink_to("../link")
    content = north.share(root)
    entries = content.layout.entries
    assert [entry.path for entry in entries] == ["link", "real/absolute", "real/file", "real/twice"]
    assert len({entry.file_id for entry in entries}) == 1
    assert north.read(content.id, ((0, 0, 9), (1, 0, 9), (3, 0, 9))) == b"real/file" * 3
    (root / "real" / "file").write_bytes(b"REAL/file")
    with pytest.raises(Exception, match="not the file that was hashed"):
        north.read(content.id, ((0, 0, 9),))


def test_every_other_link_and_special_thing_is_left_out_and_named(north, tmp_path):
    root = tree_of(tmp_path / "tree", "file", "sub/file")
    outside = tree_of(tmp_path / "outside", "secret")
    (root / "out").symlink_to(outside / "secret")
    (root / "beside").symlink_to(tmp_path / "tree-not" / "x")
    (root / "dangling").symlink_to("nowhere")
    (root / "folder").symlink_to("sub")
    (root / "up").symlink_to("..")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe")
    here = os.getcwd()
    os.chdir(root)  # a socket's path is short
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("socket")
    os.chdir(here)
    content, skipped = north.share_and_see(root)
    listening.close()
    assert [entry.path for entry in content.layout.entries] == ["file", "sub/file"]
    assert sorted(skipped) == [
        "beside: a symbolic link to nothing, left out",
        "dangling: a symbolic link to nothing, left out",
        "folder: a symbolic link to what is not a file, left out",
        "loop: a symbolic link to nothing, left out",
        "out: a symbolic link to a place outside, left out",
        "pipe: neither a file nor a folder, left out",
        "socket: neither a file nor a folder, left out",
        "up: a symbolic link to a place outside, left out",
    ]


def test_a_folder_of_which_all_is_left_out_is_shared_as_empty(north, tmp_path):
    root = tree_of(tmp_path / "tree", "file")
    (root / "sub").mkdir()
    (root / "sub" / "dangling").symlink_to("nowhere")
    assert paths_of(north, root) == ["file", "sub"]


def test_downloads_in_progress_are_left_out(north, tmp_path):
    root = tree_of(tmp_path / "tree", "file", ".file.0123456789abcdef.shoal", ".0123456789abcdef.shoal/part")
    tree_of(root, ".shoal", "x.0123456789abcdef.shoal")
    content, skipped = north.share_and_see(root)
    assert [entry.path for entry in content.layout.entries] == [".shoal", "file", "x.0123456789abcdef.shoal"]
    assert len(skipped) == 2


def test_the_folders_with_private_keys_are_left_out(north, tmp_path):
    root = tree_of(tmp_path / "checkout", "file", "var/tracker/lock", "var/peers/south/downloads/file")
    for folder in ("var/tracker", "var/peers/south"):
        (root / folder / "identity.key").write_bytes(bytes(32))
    (root / "link").symlink_to("var/peers/south/identity.key")
    content, skipped = north.share_and_see(root)
    assert [entry.path for entry in content.layout.entries] == ["file", "var/peers"]
    assert sorted(skipped) == [
        "link: a symbolic link to Shoal's own state, left out",
        "var/peers/south: Shoal's own state, left out",
        "var/tracker: Shoal's own state, left out",
    ]
    (root / "var" / "supervisor.lock").touch()
    _, skipped = north.share_and_see(root)
    assert "var: Shoal's own state, left out" in skipped


def test_private_keys_and_what_lies_beside_them_are_refused(north, tmp_path):
    folder = tree_of(tmp_path / "north", "gateway.token", "downloads/file")
    (folder / "identity.key").write_bytes(bytes(32))
    for path in (folder, folder / "gateway.token", folder / "identity.key"):
        assert (
            refusal(north, path).message == f"{path} is Shoal's own state, private keys too; share what lies elsewhere"
        )
    assert paths_of(north, folder / "downloads") == ["file"]
    (tmp_path / "supervisor.lock").touch()
    assert refusal(north, tmp_path).code == ERR_PATH
    (tmp_path / "file").touch()
    assert north.share(tmp_path / "file").name == "file"


def test_a_link_that_the_user_names_is_followed(north, tmp_path):
    root = tree_of(tmp_path / "tree", "file")
    (tmp_path / "link").symlink_to(root)
    content = north.share(tmp_path / "link")
    assert (content.name, content.path) == ("link", str(root))


# --- what is refused --------------------------------------------------------------------------


def test_what_cannot_be_shared_is_refused_in_one_line(north, tmp_path):
    assert refusal(north, tmp_path / "nowhere").code == ERR_NOT_FOUND
    assert refusal(north, "/dev/null").code == ERR_PATH
    (tmp_path / "file").write_bytes(b"x")
    assert refusal(north, tmp_path / "file", "../up").code == ERR_PATH
    assert refusal(north, tmp_path / "file", "a/b").code == ERR_PATH


@pytest.mark.parametrize("name", [b"bad \xff utf-8", b"new\nline", b"bell\x07", "\u202etxt.exe".encode()])
def test_a_tree_with_a_name_that_no_peer_accepts_is_refused(north, tmp_path, name):
    root = tree_of(tmp_path / "tree", "file")
    (root / os.fsdecode(name)).write_bytes(b"x")
    assert refusal(north, root).code == ERR_PATH


def test_too_many_files_are_refused(north, tmp_path, monkeypatch):
    monkeypatch.setattr(walking, "MAX_ENTRIES", 3)
    root = tree_of(tmp_path / "tree", *"abcd")
    assert refusal(north, root).code == ERR_LIMIT


@pytest.mark.parametrize("operation", ["list_folder", "open", "read_into"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, operation):
    root = tree_of(tmp_path / "tree", "file")
    with Disk(tmp_path, "north", fail_always(operation)) as north:
        error = refusal(north, root)
    assert (error.code, str(root) in error.message) == (ERR_UNREADABLE, True)


class Meddling(FileOps):
    """Does something to a file just before it is read."""

    def __init__(self, meddle: object) -> None:
        self.meddle = meddle

    def read_into(self, descriptor: int, view: memoryview, offset: int) -> int:
        if callable(self.meddle):
            self.meddle()
        return super().read_into(descriptor, view, offset)


@pytest.mark.parametrize("how", ["grow", "shrink", "rewrite"])
def test_a_file_that_changes_while_it_is_hashed_is_refused(tmp_path, how):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")

    def change() -> None:
        path.write_bytes({"grow": b"0123456789a", "shrink": b"012345678", "rewrite": b"012345678x"}[how])
        os.utime(path, ns=(5, 5))

    with Disk(tmp_path, "north", Meddling(change)) as north:
        assert refusal(north, path).code == ERR_CHANGED


def test_a_file_that_vanishes_while_it_is_hashed_is_refused(tmp_path):
    root = tree_of(tmp_path / "tree", "a", "b")

    def vanish() -> None:
        (root / "b").unlink(missing_ok=True)

    with Disk(tmp_path, "north", Meddling(vanish)) as north:
        assert refusal(north, root).code == ERR_UNREADABLE


# --- progress, and the same again -------------------------------------------------------------


def test_progress_is_reported_up_to_the_end(north, tmp_path):
    root = tree_of(tmp_path / "tree", *(f"{number:03}" for number in range(50)))
    (root / "big").write_bytes(bytes(5_000_000))
    seen: list[Hashing] = []
    done = threading.Event()
    north.storage.share(str(root), "", False, seen.append, lambda hashed: done.set())
    assert done.wait(10)
    assert seen[-1] == Hashing("tree", 5_000_150, 5_000_150, 51, 51)
    assert [one.bytes_done for one in seen] == sorted(one.bytes_done for one in seen)
    assert len(seen) < 20


def test_sharing_again_finds_what_changed_meanwhile(north, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    first = north.share(path)
    path.write_bytes(b"two")
    second = north.share(path)
    os.utime(path, ns=(5, 5))
    assert north.share(path).id == second.id != first.id
    assert north.read(second.id, ((0, 0, 3),)) == b"two"


def test_a_copy_shared_later_is_the_one_that_is_offered(north, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(b"same")
    north.share(tmp_path / "one")
    content = north.share(tmp_path / "two")
    assert content.path == str(tmp_path / "two")
    (tmp_path / "one").unlink()
    assert north.read(content.id, ((0, 0, 4),)) == b"same"


def test_a_download_stays_shoal_s_own_when_a_copy_is_shared(north, tmp_path):
    (tmp_path / "mine").write_bytes(b"same")
    content = north.share(tmp_path / "mine")
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got")
        again = south.share(tmp_path / "mine")
        assert (again.path, again.downloaded) == (str(got), True)
        refetched = south.share(got)
        assert (refetched.path, refetched.downloaded) == (str(got), True)
        got.unlink()
        assert south.share(tmp_path / "mine").path == str(tmp_path / "mine")


def test_sharing_what_is_being_downloaded_ends_the_download(north, tmp_path):
    (tmp_path / "mine").write_bytes(bytes(300 * KIB))
    content = north.share(tmp_path / "mine")
    with Disk(tmp_path, "south") as south:
        south.begin(north, record_of(content, tmp_path / "got"))
        south.store_all(north, content.id, 0b1, content.layout)
        south.share(tmp_path / "mine")
        assert os.listdir(tmp_path / "got") == []
    with Disk(tmp_path, "south") as again:
        ((kept,), downloads) = again.storage.load_all()
        assert (kept.path, downloads) == (str(tmp_path / "mine"), [])


def test_what_a_download_still_asks_for_when_it_was_shared_brings_it_not_back(north, tmp_path):
    (tmp_path / "mine").write_bytes(bytes(300 * KIB))
    content = north.share(tmp_path / "mine")
    record = record_of(content, tmp_path / "got")
    with Disk(tmp_path, "south") as south:
        south.begin(north, record)
        south.share(tmp_path / "mine")
        with pytest.raises(FailedError, match="was shared meanwhile"):
            south.prepare(record)
        south.perform(KeepDownload(record))
    assert os.listdir(tmp_path / "got") == []
    with Disk(tmp_path, "south") as again:
        ((kept,), downloads) = again.storage.load_all()
        assert (kept.path, downloads) == (str(tmp_path / "mine"), [])


def test_an_upload_belongs_to_shoal_and_a_second_one_is_deleted(north, tmp_path):
    uploads = north.places.uploads_dir
    for place in ("1", "2"):
        tree_of(uploads / place, "name/file")
    content = north.share(uploads / "1" / "name", upload=True)
    assert (content.upload, north.share(uploads / "2" / "name", upload=True).path) == (True, content.path)
    assert sorted(os.listdir(uploads)) == ["1"]
    north.perform(RemoveItem(content.id, True))
    assert north.answer(DataRemoved).error == ""
    assert os.listdir(uploads) == []


def test_the_root_folder_has_no_name_to_be_shared_by(north):
    assert refusal(north, "/").message == "/ has no name of its own; give one with --name"
