from __future__ import annotations

from pathlib import Path

from peer.core.interface import FilesLooked
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
