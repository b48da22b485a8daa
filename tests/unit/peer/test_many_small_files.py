"""A fetch of many small files costs a few syncs and transactions, never one for each file.

As measured: 3 syncs, 8 transactions and 9 rows written; the limits leave room for a slow machine, where more of the
sync thread's seconds pass.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

from bus.settings import TransferSettings
from tests.kit.faults import FailingFiles
from tests.kit.storing import Disk

FILES = 1000
FEW = 40
USUAL = TransferSettings(min_free_disk=0)


def many_files(root: Path) -> Path:
    """A tree of 4 KiB files in ten folders."""
    for number in range(FILES):
        (root / f"{number % 10}").mkdir(parents=True, exist_ok=True)
        (root / f"{number % 10}" / f"{number:03}").write_bytes(number.to_bytes(2, "big") * 2048)
    return root


def statements_of(disk: Disk) -> Counter[str]:
    """The first words of the SQL statements that its catalogue carries out from now on."""
    counted: Counter[str] = Counter()

    def watch(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(lambda statement: counted.update([statement.split()[0]]))

    disk.catalogue._database.call(watch)
    return counted


def test_a_thousand_files_are_made_once_each_and_synced_and_recorded_together(tmp_path: Path) -> None:
    operations: Counter[str] = Counter()

    def count(name: str, _: int) -> int:
        operations[name] += 1
        return 0

    with (
        Disk(tmp_path, "north", settings=USUAL) as seed,
        Disk(tmp_path, "south", FailingFiles(count), USUAL) as south,
    ):
        content = seed.share(many_files(tmp_path / "many"))
        statements = statements_of(south)
        south.fetch(seed, content, tmp_path / "got")
        assert operations["make_file"] == FILES
        syncs = operations["sync"] + operations["sync_folder"] + operations["sync_file_system"]
        assert 0 < syncs <= FEW, operations
        others = operations.total() - syncs - operations["make_file"] - operations["write"]
        assert others <= 3 * FEW, operations  # opened, looked at, renamed, ...: by folder, if at all
        assert 0 < statements["BEGIN"] <= FEW, statements
        assert 0 < statements["INSERT"] + statements["UPDATE"] + statements["DELETE"] <= FEW, statements
