"""A download that somebody reads while it runs is fetched from where it is read."""

from __future__ import annotations

import random

from bus.boundary import LinkId
from peer.core.bitmap import chunks_in
from peer.core.download import READ_AHEAD, Download, DownloadState
from peer.core.interface import Prepared
from peer.core.layout import Entry, Layout
from peer.core.picker import RarestFirst
from peer.core.records import DownloadRecord

CHUNK = 128 * 1024
CHUNKS = 512
LAYOUT = Layout("tree", [Entry("none", 0, False, "", True), Entry("film", CHUNK * CHUNKS, False, "a" * 64)])
SEED = LinkId(1)


def fetching() -> Download:
    download = Download(DownloadRecord("c" * 64, "tree", "/d", "", (), (), False, 0.0), 0.0)
    download.state = DownloadState.PREPARING
    download.prepared(Prepared("c" * 64, "tree", LAYOUT, "/d/tree", 0, LAYOUT.all_chunks, ()))
    download.set_map(SEED, LAYOUT.all_chunks)
    return download


def picked(download: Download, count: int) -> list[int]:
    rng = random.Random(1)
    return [chunk for _ in range(count) for chunk in chunks_in(download.pick(SEED, CHUNK, RarestFirst(), rng)[0])]


def test_what_is_about_to_be_read_comes_first_and_in_order():
    download = fetching()
    download.read_from(0, 100 * CHUNK + 5)
    ahead = READ_AHEAD // CHUNK
    assert picked(download, ahead) == list(range(100, 100 + ahead))
    assert picked(download, 3) != [100 + ahead, 101 + ahead, 102 + ahead]


def test_a_reader_who_jumps_is_followed():
    download = fetching()
    download.read_from(0, 0)
    assert picked(download, 2) == [0, 1]
    download.read_from(0, 400 * CHUNK)
    assert picked(download, 2) == [400, 401]


def test_at_the_end_of_the_file_there_is_nothing_ahead():
    download = fetching()
    download.read_from(0, (CHUNKS - 1) * CHUNK)
    assert picked(download, 1) == [CHUNKS - 1]
    download.read_from(0, 2 * CHUNKS * CHUNK)
    download.read_from(7, 0)
    assert download.read_next == 0
    assert len(picked(download, 3)) == 3
