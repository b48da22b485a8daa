from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest
from blake3 import blake3

from bus.errors import ERR_CHANGED, ShoalError
from peer import hashing
from peer.descriptors import OpenFiles
from peer.files import FileOps
from peer.hashing import Hasher
from peer.manifest import CHUNK_CONTEXT
from peer.mapping import Mapper
from peer.sharing import hash_path
from tests.kit.waiting import eventually

MIB = 2**20


def expected(data: bytes, size: int) -> bytes:
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(blake3(part, derive_key_context=CHUNK_CONTEXT).digest() for part in parts)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(3 * MIB + 5))
    return path


def test_a_child_answers_with_the_digests_of_every_chunk_and_is_gone_in_the_end(file):
    data, number = file.read_bytes(), os.open(file, os.O_RDONLY)
    with Mapper(wanted=True) as mapper:
        eventually(lambda: mapper.digests(number, 0, len(data), MIB) == expected(data, MIB), within=10)
        assert mapper.digests(number, MIB, 2 * MIB, 2**18) == expected(data[MIB : 3 * MIB], 2**18)
        child = mapper._process
    assert child is not None
    assert child.returncode == 0
    os.close(number)


def test_a_child_answers_when_more_files_are_open_than_select_can_watch(file):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
    number = os.open(file, os.O_RDONLY)
    opened = [os.dup(number) for _ in range(1100)]
    try:
        with Mapper(wanted=True) as mapper:
            digests = eventually(lambda: mapper.digests(number, 0, MIB, MIB), within=10)
    finally:
        for one in (number, *opened):
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert digests == expected(file.read_bytes()[:MIB], MIB)


def test_a_file_that_is_shorter_than_it_was_has_no_digests_and_ends_the_child_alone(file):
    number = os.open(file, os.O_RDONLY)
    with Mapper(wanted=True) as mapper:
        eventually(lambda: mapper.digests(number, 0, MIB, MIB), within=10)
        assert mapper.digests(number, 0, 4 * MIB, MIB) is None
        assert mapper.digests(number, 0, MIB, MIB) is None
    os.close(number)


def test_without_a_child_there_are_no_digests(file):
    with Mapper(wanted=False) as mapper:
        assert mapper.digests(0, 0, MIB, MIB) is None


class Shrinking(Mapper):
    """A child that dies as the kernel kills one whose mapped file was cut short, and the file is."""

    path: Path

    def digests(self, number: int, offset: int, length: int, size: int) -> bytes | None:
        assert self._process is not None
        eventually(lambda: Mapper.digests(self, number, 0, MIB, MIB), within=10)
        os.truncate(self.path, MIB)
        self._process.send_signal(signal.SIGBUS)
        self._process.wait()
        return super().digests(number, offset, length, size)


def test_a_file_that_shrinks_while_it_is_mapped_is_reported_in_one_line(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(bytes(16 * MIB))
    Shrinking.path = path
    monkeypatch.setattr(hashing, "MAP_FROM", MIB)
    monkeypatch.setattr(hashing, "Mapper", Shrinking)
    files = FileOps()
    with pytest.raises(ShoalError) as caught:
        hash_path(files, OpenFiles(files), Hasher(1, files), str(path), "", False, lambda hashing: None)
    assert (caught.value.code, "changed while it was hashed" in caught.value.message) == (ERR_CHANGED, True)


def test_what_children_hashed_is_what_reading_hashes(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(os.urandom(24 * MIB + 7))
    files = FileOps()

    def share() -> str:
        return hash_path(
            files, OpenFiles(files), Hasher(2, files), str(path), "", False, lambda hashing: None
        ).content.id

    read = share()
    asked = []

    class Asked(Mapper):
        def digests(self, number: int, offset: int, length: int, size: int) -> bytes | None:
            asked.append(eventually(lambda: Mapper.digests(self, number, offset, length, size), within=10))
            return asked[-1]

    monkeypatch.setattr(hashing, "MAP_FROM", MIB)
    monkeypatch.setattr(hashing, "Mapper", Asked)
    assert share() == read
    assert len(asked) == 3  # the last chunk is too short to ask for
