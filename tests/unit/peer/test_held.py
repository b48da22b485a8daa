"""How much of each file of a content is here."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from bus.errors import ERR_NOT_FOUND, ShoalError
from bus.messages import FilePriority, Held, HeldFile, ListHeld
from peer import held
from peer.core.interface import KeepDownload
from peer.core.selection import with_less
from tests.kit.storing import Disk, record_of

CHUNK = 128 * 1024


def a_tree(folder: Path) -> Path:
    (folder / "tree" / "nothing").mkdir(parents=True)
    (folder / "tree" / "big").write_bytes(bytes(4 * CHUNK - 10))
    (folder / "tree" / "empty").touch()
    (folder / "tree" / "zeta").write_bytes(b"last")
    return folder / "tree"


def rows(disk: Disk, content: str, first: int = 0) -> list[tuple[bool, int]]:
    answer = disk.storage.held(ListHeld(0, content, first))
    return [(row.wanted, row.bytes_done) for row in answer.files]


def test_of_a_share_every_file_is_here(seed, tmp_path):
    content = seed.share(a_tree(tmp_path))
    assert rows(seed, content.id) == rows(seed, content.id[:8]) == [(True, 4 * CHUNK - 10), (True, 0), (True, 4)]


def test_of_a_download_the_bytes_of_held_chunks_are_counted_by_file(seed, south, tmp_path):
    content = seed.share(a_tree(tmp_path))
    south.begin(seed, record_of(content, tmp_path / "got"))
    south.store_all(seed, content.id, 0b0010, content.layout)
    assert rows(south, content.id) == [(True, CHUNK), (True, 0), (True, 0)]
    south.store_all(seed, content.id, 0b11000, content.layout)
    assert rows(south, content.id) == [(True, 2 * CHUNK - 10), (True, 0), (True, 4)]


def test_what_was_left_out_is_told_while_it_runs_and_afterwards(seed, south, tmp_path):
    content = seed.share(a_tree(tmp_path))
    south.begin(seed, record_of(content, tmp_path / "got", only=("zeta",)))
    assert rows(south, content.id)[0] == (False, 0)
    south.store_all(seed, content.id, 0b10000, content.layout)
    south.finish(content.id)
    assert (rows(south, content.id)[0], rows(south, content.id)[2]) == ((False, 0), (True, 4))


def test_the_priorities_of_a_running_download_s_files_are_told_as_they_were_set_last(seed, south, tmp_path):
    content = seed.share(a_tree(tmp_path))
    record = record_of(content, tmp_path / "got")
    south.begin(seed, replace(record, file_priorities=(("zeta", "high"),)))
    told = south.storage.held(ListHeld(0, content.id))
    assert [row.priority for row in told.files] == ["normal", "normal", "high"]
    assert told.priorities == [FilePriority("zeta", "high")]
    south.perform(KeepDownload(replace(record, file_priorities=(("big", "low"),))))
    told = south.storage.held(ListHeld(0, content.id))
    assert [row.priority for row in told.files] == ["low", "normal", "normal"]
    south.store_all(seed, content.id, content.layout.all_chunks, content.layout)
    south.finish(content.id)
    assert {row.priority for row in south.storage.held(ListHeld(0, content.id)).files} == {"normal"}


def test_what_is_left_out_while_it_runs_is_told_with_what_is_here_of_it(seed, south, tmp_path):
    content = seed.share(a_tree(tmp_path))
    record = record_of(content, tmp_path / "got")
    south.begin(seed, record)
    south.store_all(seed, content.id, 0b0010, content.layout)
    south.perform(KeepDownload(with_less(record, content.layout, 0b0010, ["big", "empty"])))
    assert rows(south, content.id) == [(False, CHUNK), (False, 0), (True, 0)]
    south.perform(KeepDownload(record))
    south.prepare(record)
    assert rows(south, content.id) == [(True, CHUNK), (True, 0), (True, 0)]


def test_many_files_come_in_pages(seed, tmp_path, monkeypatch):
    monkeypatch.setattr(held, "PAGE", 2)
    content = seed.share(a_tree(tmp_path))
    assert seed.storage.held(ListHeld(0, content.id, 1)) == Held(0, [HeldFile(True, 0), HeldFile(True, 4)], 0)
    assert seed.storage.held(ListHeld(0, content.id)).next == 2


def test_of_what_is_not_here_nothing_is_told(seed):
    with pytest.raises(ShoalError) as refusal:
        seed.storage.held(ListHeld(0, "ab" * 32))
    assert refusal.value.code == ERR_NOT_FOUND
