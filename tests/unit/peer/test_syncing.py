from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
from pathlib import Path

import pytest

from bus.errors import ERR_DISK
from bus.settings import TransferSettings
from peer.chunkset import ChunkSet
from peer.core.interface import StoreFailed
from peer.files import FileOps
from tests.kit.faults import FailingFiles
from tests.kit.storing import QUICK, Disk, FailedError, record_of
from tests.kit.waiting import eventually

CHUNK = 128 * 1024


@pytest.fixture
def seed(tmp_path):
    with Disk(tmp_path, "north") as disk:
        yield disk


@pytest.fixture
def file(seed, tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(os.urandom(20 * CHUNK))
    return seed.share(path)


def recorded(disk: Disk, content: str, chunks: int) -> int:
    kept = disk.catalogue.download(content)
    assert kept is not None
    bits = ChunkSet.unsealed(chunks, kept.bits or b"")
    assert bits is not None
    return bits.mask


class Slow(FileOps):
    """Syncs only when told to."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def sync(self, descriptor: int) -> None:
        self.begun.set()
        assert self.go_on.wait(20)
        super().sync(descriptor)


def test_a_record_never_runs_ahead_of_the_sync(seed, tmp_path, file):
    slow = Slow()
    with Disk(tmp_path, "south", slow) as south:
        south.begin(seed, record_of(file, tmp_path / "got"))
        south.store_all(seed, file.id, 0b11, file.layout)
        assert slow.begun.wait(20)
        south.store_all(seed, file.id, 0b1100, file.layout)  # held and written while the sync runs
        assert recorded(south, file.id, 20) == 0
        slow.go_on.set()
        eventually(lambda: recorded(south, file.id, 20) == 0b1111, within=20)


def test_enough_bytes_are_synced_before_the_interval_is_over(seed, tmp_path, file):
    settings = TransferSettings(sync_interval=3600.0, sync_bytes=2**20, min_free_disk=0)
    with Disk(tmp_path, "south", settings=settings) as south:
        south.begin(seed, record_of(file, tmp_path / "got"))
        south.store_all(seed, file.id, 0b1111111, file.layout)
        assert recorded(south, file.id, 20) == 0
        south.store_all(seed, file.id, 0b10000000, file.layout)
        eventually(lambda: recorded(south, file.id, 20) == 0b11111111, within=20)


def test_many_files_are_synced_at_once_and_few_one_by_one(seed, tmp_path):
    calls: list[str] = []

    class Counting(FailingFiles):
        def check(self, name: str) -> None:
            if name.startswith("sync"):
                calls.append(name)

    root = tmp_path / "tree"
    root.mkdir()
    for number in range(40):
        (root / f"{number:02}").write_bytes(bytes([number]))
    content = seed.share(root)
    with Disk(tmp_path, "south", Counting(lambda name, count: 0)) as south:
        south.begin(seed, record_of(content, tmp_path / "got"))
        south.store_all(seed, content.id, (1 << 30) - 1, content.layout)
        eventually(lambda: recorded(south, content.id, 40) == (1 << 30) - 1, within=20)
        assert set(calls) <= {"sync_file_system", "sync"}
        assert "sync_file_system" in calls
        calls.clear()
        south.store_all(seed, content.id, 0b111 << 30, content.layout)
        eventually(lambda: recorded(south, content.id, 40) == (1 << 33) - 1, within=20)
        assert calls.count("sync") == 3


def test_after_a_failed_sync_nothing_of_its_batch_is_believed(seed, tmp_path, file):
    broken = False
    files = FailingFiles(lambda name, count: errno.EIO if broken and name == "sync" else 0)
    with Disk(tmp_path, "south", files, QUICK) as south:
        record = record_of(file, tmp_path / "got")
        south.begin(seed, record)
        south.store_all(seed, file.id, 0b11, file.layout)
        eventually(lambda: recorded(south, file.id, 20) == 0b11, within=20)
        broken = True
        south.store_all(seed, file.id, 0b1100, file.layout)
        failed = south.answer(StoreFailed)
        assert (failed.content, failed.job, failed.code) == (file.id, 0, ERR_DISK)
        with pytest.raises(FailedError):
            south.read(file.id, ((2, 0, 10),))
        with pytest.raises(FailedError):
            south.store_all(seed, file.id, 0b10000, file.layout)
        broken = False
        writes = files.count
        assert south.prepare(record).held == 0b1111  # hashed again, and written again so that a sync means something
        assert files.count > writes
        eventually(lambda: recorded(south, file.id, 20) == 0b1111, within=20)


def test_what_is_hashed_again_after_a_failed_sync_is_written_again(seed, tmp_path, file):
    offsets: list[int] = []
    broken = True

    class Watching(FailingFiles):
        def write(self, descriptor: int, data: memoryview, offset: int) -> None:
            offsets.append(offset)
            super().write(descriptor, data, offset)

    files = Watching(lambda name, count: errno.EIO if broken and name == "sync" else 0)
    with Disk(tmp_path, "south", files, QUICK) as south:
        south.begin(seed, record_of(file, tmp_path / "got"))
        south.store_all(seed, file.id, 0b110, file.layout)
        south.answer(StoreFailed)
        broken = False
        offsets.clear()
        south.prepare(record_of(file, tmp_path / "got"))
        assert offsets == [CHUNK, 2 * CHUNK]


@pytest.mark.parametrize("kind", ["file", "tree"])
def test_temporary_files_that_are_removed_meanwhile_are_noticed(seed, tmp_path, kind, file):
    content = file
    if kind == "tree":
        root = tmp_path / "tree"
        root.mkdir()
        (root / "big").write_bytes(os.urandom(5 * CHUNK))
        content = seed.share(root)
    with Disk(tmp_path, "south") as south:
        south.begin(seed, record_of(content, tmp_path / "got"))
        south.store_all(seed, content.id, 0b1, content.layout)
        shutil.rmtree(tmp_path / "got")
        with contextlib.suppress(FailedError):  # the sync of the first chunk may have noticed already
            south.store_all(seed, content.id, 0b10, content.layout)
        failed = south.answer(StoreFailed)
        assert (failed.code, "removed while it was written to" in failed.message) == (ERR_DISK, True)
        assert not (tmp_path / "got").exists()
        prepared = south.prepare(record_of(content, tmp_path / "got"))
        assert prepared.held == 0
        south.store_all(seed, content.id, prepared.wanted, content.layout)
        assert Path(south.finish(content.id).path).exists()


def test_a_file_of_a_tree_that_vanished_is_not_made_again_without_its_bytes(seed, tmp_path):
    root = tmp_path / "tree"
    root.mkdir()
    for name in "ab":
        (root / name).write_bytes(os.urandom(3 * CHUNK))
    content = seed.share(root)
    # A sync under way would notice it first.
    settings = TransferSettings(sync_interval=3600.0, min_free_disk=0)
    with Disk(tmp_path, "south", settings=settings) as south:
        south.begin(seed, record_of(content, tmp_path / "got"))
        south.storage._open_files._limit = 0  # what is opened next closes what was open
        south.store_all(seed, content.id, 0b1, content.layout)
        (temporary,) = (tmp_path / "got").iterdir()
        (temporary / "a").unlink()
        south.store_all(seed, content.id, 0b1000, content.layout)
        with pytest.raises(FailedError) as caught:
            south.store_all(seed, content.id, 0b10, content.layout)
        assert (caught.value.event.code, "vanished" in caught.value.event.message) == (ERR_DISK, True)
        assert not (temporary / "a").exists()


def test_closing_syncs_and_records_what_is_held(seed, tmp_path, file):
    settings = TransferSettings(sync_interval=3600.0, min_free_disk=0)
    with Disk(tmp_path, "south", settings=settings) as south:
        south.begin(seed, record_of(file, tmp_path / "got"))
        south.store_all(seed, file.id, 0b111, file.layout)
        south.close()
    with Disk(tmp_path, "south", boot="another boot") as again:
        assert again.prepare(record_of(file, tmp_path / "got")).held == 0b111
