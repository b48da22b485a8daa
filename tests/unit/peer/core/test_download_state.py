"""What a download is said to be doing."""

from __future__ import annotations

import random

from bus.boundary import LinkId, Publish
from bus.errors import ERR_DISK_FULL
from bus.events import TransferFailed
from peer.core.download import STALLED_AFTER, Download, DownloadState
from peer.core.interface import Prepared, StoreFailed
from peer.core.layout import Entry, Layout
from peer.core.node import PeerNode
from peer.core.records import DownloadRecord
from peer.core.settings import NodeSettings

LAYOUT = Layout("tree", [Entry(path, 1000, False, f"{n:064x}") for n, path in enumerate("abc")])
SEED, LEECHER = LinkId(1), LinkId(2)


def fetching() -> Download:
    download = Download(DownloadRecord("c" * 64, "tree", "/d", "", (), (), False, 0.0), 0.0)
    download.state = DownloadState.PREPARING
    download.prepared(Prepared("c" * 64, "tree", LAYOUT, "/d/tree", 0b001, 0b111, ()))
    return download


def test_a_seed_that_offers_nothing_for_now_is_a_source_that_stalls() -> None:
    download = fetching()
    download.set_map(SEED, 0)
    assert download.item_state(1.0) == "no_sources"
    download.seeds[SEED] = True
    assert download.item_state(1.0) == "downloading"
    assert download.item_state(STALLED_AFTER + 1) == "stalled"
    download.drop_map(SEED)
    assert download.item_state(1.0) == "no_sources"


def test_one_that_waits_for_downloads_of_a_higher_priority_is_queued_until_a_byte_comes() -> None:
    download = fetching()
    download.set_map(SEED, 0b111)
    download.waits = True
    assert download.item_state(STALLED_AFTER) == "downloading"
    assert download.item_state(STALLED_AFTER + 1) == "queued"
    download.moved_at = STALLED_AFTER
    assert download.item_state(STALLED_AFTER + 1) == "downloading"


def test_who_has_only_what_is_held_is_no_source() -> None:
    download = fetching()
    download.set_map(LEECHER, 0b001)
    assert download.item_state(1.0) == "no_sources"
    download.set_map(LEECHER, 0b011)
    assert download.item_state(1.0) == "downloading"


def test_a_download_that_could_not_be_prepared_shows_the_size_that_its_manifest_tells() -> None:
    settings = NodeSettings("1" * 64, "south", "test", "/d", 1, True)
    record = DownloadRecord("c" * 64, "tree", "/d", "/d/tree", (), (), False, 0.0)
    node = PeerNode(settings, random.Random(1), 0.0, 0.0, [], [record])
    effects = node.handle(StoreFailed("c" * 64, 0, ERR_DISK_FULL, "the disk is full", "tree", 3000), 1.0)
    (row,) = [e.event for e in effects if isinstance(e, Publish) and isinstance(e.event, TransferFailed)]
    assert (row.state, row.kind, row.size, row.bytes_done) == ("error", "tree", 3000, 0)
