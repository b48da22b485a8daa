from __future__ import annotations

import os
from pathlib import Path

import pytest

from peer.core.interface import DataRemoved, FilesLooked, RemoveItem
from tests.kit.faults import OtherDevice
from tests.kit.storing import Disk


def test_a_disk_that_has_another_number_now_holds_what_was_hashed(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "big").write_bytes(b"b" * 300_000)
    (root / "small").write_bytes(b"small")
    with Disk(tmp_path) as disk:
        content = disk.share(root)
    with Disk(tmp_path, files=OtherDevice()) as disk:
        disk.storage.look_at_all()
        assert disk.answer(FilesLooked) == FilesLooked(content.id, "")
        assert disk.read(content.id, ((0, 0, 1), (content.layout.chunks - 1, 0, 5))) == b"bsmall"


def test_a_download_there_is_still_the_one_that_is_offered_when_a_copy_is_shared(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"file")
    with Disk(tmp_path, "north") as north, Disk(tmp_path, "south") as south:
        got = south.fetch(north, north.share(tmp_path / "mine"), tmp_path / "got")
    with Disk(tmp_path, "south", OtherDevice()) as south:
        assert south.share(tmp_path / "mine").path == str(got)


@pytest.mark.parametrize("kind", ["file", "tree"])
def test_a_download_there_is_deleted_when_that_is_asked_for(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "mine"
    if kind == "tree":
        root.mkdir()
    (root / "file" if kind == "tree" else root).write_bytes(b"file")
    with Disk(tmp_path, "north") as north, Disk(tmp_path, "south") as south:
        content = north.share(root)
        south.fetch(north, content, tmp_path / "got")
    with Disk(tmp_path, "south", OtherDevice()) as south:
        south.perform(RemoveItem(content.id, True))
        assert south.answer(DataRemoved) == DataRemoved(content.id, "")
    assert os.listdir(tmp_path / "got") == []
