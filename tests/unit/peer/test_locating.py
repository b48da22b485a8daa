"""Where programs on this machine may read, and how much of it is verified."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.errors import ERR_CHANGED, ERR_NOT_FOUND, ERR_STATE, ShoalError
from bus.messages import Locate, Located
from tests.kit.storing import Disk, record_of

CHUNK = 128 * 1024


def a_tree(folder: Path) -> Path:
    (folder / "tree" / "nothing").mkdir(parents=True)
    (folder / "tree" / "big").write_bytes(bytes(4 * CHUNK - 10))
    (folder / "tree" / "zeta").write_bytes(b"last")
    return folder / "tree"


def refused(disk: Disk, message: Locate) -> str:
    with pytest.raises(ShoalError) as refusal:
        disk.storage.locate(message)
    return refusal.value.code


def test_a_share_lies_where_it_was_shared_from_and_is_ready(seed, tmp_path):
    root = a_tree(tmp_path)
    content = seed.share(root)
    status = (root / "zeta").stat()
    expected = Located(0, content.id, "tree", 1, "zeta", 4, str(root), "zeta", 3, status.st_mtime_ns)
    assert seed.storage.locate(Locate(0, content.id, file=1, offset=1)) == expected
    assert seed.storage.locate(Locate(0, content.id[:8], path="zeta", offset=1)) == expected
    assert seed.storage.locate(Locate(0, content.id, file=1, offset=99)).ready == 0


def test_a_single_file_is_its_own_root(seed, tmp_path):
    path = tmp_path / "film"
    path.write_bytes(b"x" * 10)
    located = seed.storage.locate(Locate(0, seed.share(path).id))
    assert (located.root, located.inside, located.name, located.ready) == (str(path), "", "", 10)


def test_of_a_download_what_is_held_without_a_gap_is_ready(seed, south, tmp_path):
    content = seed.share(a_tree(tmp_path))
    south.begin(seed, record_of(content, tmp_path / "got"))
    south.store_all(seed, content.id, 0b0011, content.layout)
    where = south.storage.locate(Locate(0, content.id, offset=10))
    assert (where.ready, where.modified, where.size) == (2 * CHUNK - 10, 0, 4 * CHUNK - 10)
    assert Path(where.root, where.inside).read_bytes()[: 2 * CHUNK] == bytes(2 * CHUNK)
    assert south.storage.locate(Locate(0, content.id, offset=2 * CHUNK)).ready == 0
    south.store_all(seed, content.id, 0b1000, content.layout)
    assert south.storage.locate(Locate(0, content.id, offset=3 * CHUNK)).ready == CHUNK - 10
    assert south.storage.locate(Locate(0, content.id, offset=CHUNK)).ready == CHUNK


def test_what_is_not_fetched_is_no_place_to_wait(seed, south, tmp_path):
    content = seed.share(a_tree(tmp_path))
    south.begin(seed, record_of(content, tmp_path / "got", only=("zeta",)))
    assert refused(south, Locate(0, content.id, path="big")) == ERR_STATE
    south.store_all(seed, content.id, 0b10000, content.layout)
    south.finish(content.id)
    assert refused(south, Locate(0, content.id, path="big")) == ERR_STATE
    assert south.storage.locate(Locate(0, content.id, path="zeta")).ready == 4


def test_what_is_not_there_or_was_found_damaged_is_told(seed, tmp_path):
    content = seed.share(a_tree(tmp_path))
    assert refused(seed, Locate(0, "0" * 64)) == ERR_NOT_FOUND
    assert refused(seed, Locate(0, content.id, file=2)) == ERR_NOT_FOUND
    assert refused(seed, Locate(0, content.id, path="nothing")) == ERR_NOT_FOUND
    source = seed.storage._contents.shared[content.id]
    source.stats = type(source.stats)(source.stats.records, source.stats.links, source.stats.hashed, (0,))
    assert refused(seed, Locate(0, content.id, path="big")) == ERR_CHANGED
