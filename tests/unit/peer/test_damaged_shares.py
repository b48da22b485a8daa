"""What an earlier run shared is looked at before it is offered again; what was found wrong stays wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from peer.core.interface import CheckChunk, ChunkChecked, FilesLooked, Verified, VerifyData
from peer.files import FileOps
from peer.shared import mtime_of, record_of
from tests.kit.storing import Disk, FailedError

CHUNK = 128 * 1024


class Counting(FileOps):
    """Counts the bytes that are read."""

    def __init__(self) -> None:
        self.bytes_read = 0

    def read_into(self, descriptor: int, view: memoryview, offset: int) -> int:
        self.bytes_read += len(view)
        return super().read_into(descriptor, view, offset)


class Meddling(FileOps):
    """Changes the beginning of a file whenever some of it was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begun = False

    def read_into(self, descriptor: int, view: memoryview, offset: int) -> int:
        done = super().read_into(descriptor, view, offset)
        if self.begun and os.path.samestat(os.fstat(descriptor), self.path.stat()):
            with self.path.open("r+b") as file:
                file.write(b"EVIL")
            os.utime(self.path, ns=(5, 5))
        return done


def a_tree(folder: Path) -> Path:
    root = folder / "tree"
    root.mkdir()
    for number in range(4):
        (root / f"{number}").write_bytes(bytes([number]) * 3 * CHUNK)
    (root / "empty").touch()
    return root


def looked(disk: Disk) -> FilesLooked:
    disk.storage.look_at_all()
    found = disk.answer(FilesLooked)
    assert isinstance(found, FilesLooked)
    return found


def verified(disk: Disk, content: str) -> Verified:
    disk.perform(VerifyData(content))
    found = disk.answer(Verified)
    assert isinstance(found, Verified)
    return found


def rot(path: Path) -> None:
    """Other bytes in a file that looks as it did."""
    status = path.stat()
    with path.open("r+b") as file:
        file.write(b"????")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_contents_of_an_earlier_run_are_unchecked_and_found_as_they_were(tmp_path: Path) -> None:
    with Disk(tmp_path) as disk:
        content = disk.share(a_tree(tmp_path))
    (tmp_path / "tree" / "empty").unlink()  # there is nothing of it to serve
    with Disk(tmp_path) as disk:
        ((kept,), _) = disk.storage.load_all()
        assert (kept.id, kept.unchecked) == (content.id, True)
        assert looked(disk) == FilesLooked(content.id, "")


@pytest.mark.parametrize("change", ["truncate", "touch", "delete", "replace"])
def test_a_file_that_was_changed_in_between_is_found_without_reading_it(tmp_path: Path, change: str) -> None:
    root = a_tree(tmp_path)
    with Disk(tmp_path) as disk:
        content = disk.share(root)
    path = root / "2"
    if change == "truncate":
        os.truncate(path, 5)
    elif change == "touch":
        os.utime(path, ns=(1, 1))
    elif change == "delete":
        path.unlink()
    else:
        (root / "new").write_bytes(path.read_bytes())
        os.replace(root / "new", path)
    files = Counting()
    with Disk(tmp_path, files=files) as disk:
        found = looked(disk)
        assert found.content == content.id
        assert str(path) in found.message
        assert found.message.endswith("it is offered no longer")
        assert files.bytes_read == 0


def test_verifying_what_was_found_changed_hashes_only_that(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    with Disk(tmp_path) as disk:
        content = disk.share(root)
    was = (root / "2").read_bytes()
    (root / "2").write_bytes(b"short")
    files = Counting()
    with Disk(tmp_path, files=files) as disk:
        assert looked(disk).message
        assert "3 of 12 chunks of tree do not match" in verified(disk, content.id).message
        (root / "2").write_bytes(was)
        files.bytes_read = 0
        assert verified(disk, content.id) == Verified(content.id, content.layout.all_chunks, "")
        assert files.bytes_read == 3 * CHUNK
        # What is right again is verified whole when it is asked for once more.
        assert verified(disk, content.id).message == ""
        assert files.bytes_read == 15 * CHUNK
    with Disk(tmp_path) as disk:
        assert looked(disk) == FilesLooked(content.id, "")


@pytest.mark.parametrize("how", ["verify", "check of a chunk"])
def test_what_rotted_without_looking_different_is_still_wrong_after_a_restart(tmp_path: Path, how: str) -> None:
    root = a_tree(tmp_path)
    with Disk(tmp_path) as disk:
        content = disk.share(root)
        rot(root / "0")
        if how == "verify":
            assert "1 of 12 chunks" in verified(disk, content.id).message
        else:
            disk.perform(CheckChunk(content.id, 0))
            assert not disk.answer(ChunkChecked).good
    with Disk(tmp_path) as disk:
        assert str(root / "0") in looked(disk).message
        assert "1 of 12 chunks" in verified(disk, content.id).message
        (root / "0").write_bytes(bytes(3 * CHUNK))
        assert verified(disk, content.id).message == ""


def test_of_a_part_of_a_tree_only_what_was_fetched_is_looked_at(tmp_path: Path) -> None:
    with Disk(tmp_path, "north") as north:
        content = north.share(a_tree(tmp_path))
        with Disk(tmp_path, "south") as south:
            got = south.fetch(north, content, tmp_path / "got", only=("1", "3"))
    with Disk(tmp_path, "south") as south:
        assert looked(south) == FilesLooked(content.id, "")
    os.utime(got / "3", ns=(1, 1))
    with Disk(tmp_path, "south") as south:
        assert str(got / "3") in looked(south).message
        assert verified(south, content.id) == Verified(content.id, content.layout.mask_of(("1", "3")), "")


def test_what_is_changed_after_it_was_read_is_not_called_good(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    path = root / "2"
    files = Meddling(path)
    with Disk(tmp_path, files=files) as disk:
        content = disk.share(root)
        files.begun = True
        assert f"{path} changed while it was hashed; verify it again" in verified(disk, content.id).message
        with pytest.raises(FailedError):
            disk.read(content.id, ((6, 0, 4),))
    with Disk(tmp_path) as disk:
        assert str(path) in looked(disk).message


def test_a_file_that_goes_on_after_its_end_does_not_match(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    with Disk(tmp_path) as disk:
        content = disk.share(root)
        with (root / "3").open("ab") as file:
            file.write(b"more")
        found = verified(disk, content.id)
        assert "1 of 12 chunks of tree do not match" in found.message
        assert found.held == content.layout.all_chunks & ~(1 << 11)


def test_a_file_dated_far_in_the_future_is_like_any_other(tmp_path: Path) -> None:
    root, time = a_tree(tmp_path), 330 * 365 * 24 * 3600 * 10**9
    path, other = root / "2", tmp_path / "other"
    os.utime(path, ns=(time, time))
    if path.stat().st_mtime_ns != time:
        pytest.skip(f"the file system of {tmp_path} does not hold dates after 2262")
    other.write_bytes(b"other")
    with Disk(tmp_path) as disk:
        content = disk.share(root)
        disk.share(other)
        assert disk.read(content.id, ((6, 0, 4),)) == b"\2\2\2\2"
    with Disk(tmp_path) as disk:
        disk.storage.look_at_all()
        assert {disk.answer(FilesLooked).message for _ in range(2)} == {""}
        assert disk.share(other).name == "other"
        assert verified(disk, content.id).message == ""
    os.utime(path, ns=(time + 1, time + 1))
    with Disk(tmp_path) as disk:
        disk.storage.look_at_all()
        assert str(path) in disk.answer(FilesLooked, to=lambda found: found.content == content.id).message


class Broken(FileOps):
    """Nothing can be looked at, for a reason that nobody thought of."""

    def look(self, name: str, folder: int | None = None) -> os.stat_result:
        raise RuntimeError


def test_a_look_that_fails_as_nobody_expected_has_an_answer(tmp_path: Path) -> None:
    with Disk(tmp_path) as disk:
        content = disk.share(a_tree(tmp_path))
    with Disk(tmp_path, files=Broken()) as disk:
        found = looked(disk)
        assert (found.content, "internal error with" in found.message) == (content.id, True)


def test_the_time_in_a_record_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    for time in (-5, 0, 2**62):
        os.utime(path, ns=(time, time))
        assert mtime_of(record_of(path.stat())) == time
