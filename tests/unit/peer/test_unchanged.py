from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from peer.core.interface import Verified, VerifyData
from peer.hashing import Hashing
from tests.kit.storing import Disk

KIB = 1024
LONG_AGO = time.time_ns() - 10**12


@pytest.fixture
def north(tmp_path):
    with Disk(tmp_path, "north") as disk:
        yield disk


def write(path: Path, data: bytes, when: int = LONG_AGO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(when, when))
    return path


def a_tree(root: Path) -> Path:
    for number in range(20):
        write(root / "small" / f"{number:02}", bytes([number]) * 100)
    write(root / "empty", b"")
    write(root / "large", bytes(range(256)) * 4 * KIB)
    return root


def test_of_a_tree_shared_again_only_the_file_that_changed_is_hashed(north, tmp_path):
    root = a_tree(tmp_path / "tree")
    first = north.share_and_count(root)
    assert (first.hashed_files, first.hashed_bytes) == (21, 2000 + KIB * KIB)
    again = north.share_and_count(root)
    assert (again.hashed_files, again.hashed_bytes, again.content.id) == (0, 0, first.content.id)
    write(root / "small" / "07", b"changed", LONG_AGO + 1)
    changed = north.share_and_count(root)
    assert (changed.hashed_files, changed.hashed_bytes) == (1, 7)
    with Disk(tmp_path, "other") as other:
        assert other.share(root).id == changed.content.id != first.content.id


@pytest.mark.parametrize("how", ["size", "time", "inode"])
def test_a_file_that_looks_different_in_any_way_is_hashed(north, tmp_path, how):
    path = write(tmp_path / "file", b"before")
    before = north.share(path)
    if how == "inode":
        os.replace(write(tmp_path / "new", b"after!"), path)
    else:
        write(path, b"after" if how == "size" else b"after!", LONG_AGO + (how == "time"))
    assert north.share(path).id != before.id


def test_a_file_is_known_after_a_restart_and_under_another_name(tmp_path):
    root = a_tree(tmp_path / "tree")
    with Disk(tmp_path, "north") as disk:
        first = disk.share(root)
    (root / "large").rename(root / "larger")
    root.rename(tmp_path / "moved")
    with Disk(tmp_path, "north") as disk:
        again = disk.share_and_count(tmp_path / "moved")
        assert again.hashed_files == 0
        assert again.content.id != first.id
        with Disk(tmp_path, "south") as south:
            got = south.fetch(disk, again.content, tmp_path / "got")
            assert (got / "larger").read_bytes() == (tmp_path / "moved" / "larger").read_bytes()


def test_a_large_file_is_known_from_a_tree_and_a_tree_knows_a_file(north, tmp_path):
    root = a_tree(tmp_path / "tree")
    north.share(root)
    alone = north.share_and_count(root / "large")
    assert alone.hashed_files == 0
    assert north.read(alone.content.id, ((1, 0, 256),)) == bytes(range(256))
    with Disk(tmp_path, "south") as south:
        assert south.share(root / "large").id == alone.content.id
        assert south.share_and_count(root).hashed_files == 20


def test_a_small_file_of_a_tree_is_hashed_when_it_is_shared_alone(north, tmp_path):
    root = a_tree(tmp_path / "tree")
    north.share(root)
    alone = north.share_and_count(root / "small" / "03")
    assert alone.hashed_files == 1
    assert north.read(alone.content.id, ((0, 0, 100),)) == bytes([3]) * 100


@pytest.mark.parametrize("age", ["now", "in the future", "whole seconds"])
def test_a_file_that_could_have_changed_unseen_is_hashed_again(north, tmp_path, age):
    when = time.time_ns()
    if age == "in the future":
        when += 10**12
    elif age == "whole seconds":
        when -= when % 10**9  # the next change may get the same time
    path = write(tmp_path / "file", b"x", when)
    assert north.share_and_count(path).hashed_files == 1
    assert north.share_and_count(path).hashed_files == 1


def test_what_was_fetched_is_hashed_once_before_it_is_known(north, tmp_path):
    content = north.share(a_tree(tmp_path / "tree"))
    with Disk(tmp_path, "south") as south:
        got = south.fetch(north, content, tmp_path / "got")
        for path in got.rglob("*"):
            os.utime(path, ns=(LONG_AGO, LONG_AGO))
        assert south.share_and_count(got).hashed_files == 21
        assert south.share_and_count(got).hashed_files == 0


def test_verifying_does_not_believe_what_is_known(north, tmp_path):
    path = write(tmp_path / "file", b"before")
    content = north.share(path)
    write(path, b"after!")  # same size, time and inode
    assert north.share_and_count(path).hashed_files == 0
    north.perform(VerifyData(content.id))
    assert "do not match" in north.answer(Verified).message


def test_progress_begins_with_what_is_known(north, tmp_path):
    root = a_tree(tmp_path / "tree")
    north.share(root)
    write(root / "small" / "07", b"changed", LONG_AGO + 1)
    seen: list[Hashing] = []
    results: list[object] = []
    north.storage.share(str(root), "", False, seen.append, results.append)
    north.share(root)  # the one after it: the first is done
    assert len(results) == 1
    assert (seen[-1].files_done, seen[-1].files) == (22, 22)
    assert seen[-1].bytes_done == seen[-1].size
