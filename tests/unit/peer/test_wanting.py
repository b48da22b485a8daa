from __future__ import annotations

import time

from peer.chunkset import ChunkSet
from peer.core.layout import Entry, Layout
from peer.core.records import DownloadRecord
from peer.descriptors import OpenFiles
from peer.files import FileOps
from peer.manifest import TREE, Manifest
from peer.temporary import TemporaryFiles
from peer.wanting import missing_lists

CHUNK = 128 * 1024


def test_a_tree_of_equal_files_takes_as_much_longer_as_it_has_more_of_them(tmp_path):
    def took(count: int) -> float:
        """Seconds of processor time."""
        layout = Layout(TREE, [Entry(f"{number:06}", CHUNK + 1, False, "ab" * 32) for number in range(count)])
        record = DownloadRecord("cd" * 32, "tree", str(tmp_path), "", (), (), False, 1.0)
        files = FileOps()
        download = TemporaryFiles(record, Manifest(record.id, layout, b""), "name", {}, files, OpenFiles(files))
        download.wanted = ChunkSet(layout.chunks, layout.all_chunks)
        began = time.thread_time()
        ((file, ranges),) = missing_lists(download)
        spent = time.thread_time() - began
        assert (file, len(ranges), ranges[-1]) == ("ab" * 32, count, (2 * count - 2, 2))
        return spent

    assert min(took(40_000) for _ in range(3)) < 10 * min(took(10_000) for _ in range(3))
