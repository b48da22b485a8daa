"""How much is asked of a source at a time."""

from __future__ import annotations

import random

import pytest

from bus.boundary import LinkId
from bus.messages import Data
from peer.core.asking import FLIGHT_MIN, FLIGHT_SECONDS, WANT_BYTES, Asking
from peer.core.download import Download
from peer.core.granting import Granting
from peer.core.interface import DownloadRecord, Prepared
from peer.core.layout import Entry, Layout
from peer.core.limits import RateLimits
from peer.core.neighbours import Neighbours
from peer.core.settings import NodeSettings
from peer.core.source import TELLING, Source
from peer.core.turn import Turn

CONTENT = "c" * 64
SMALL = 4096
LAYOUT = Layout("tree", [Entry(f"{number:05}", SMALL, False, f"{number:064x}") for number in range(10_000)])
PREPARED_AT = 0.06
"""Seconds from a stream's begin until the manifest that came in its first 10 ms is read."""


def asked_after(manifest: int, want_seconds: float = 0.0) -> int:
    """Bytes first asked of a source whose manifest of so many bytes took 10 ms to come."""
    source = Source(LinkId(1), "p" * 64, dialled=True, now=0.0)
    source.open()
    source.opened(10**8, 0.0)
    source.ask_manifest(CONTENT, CONTENT, 0.0)
    source.window.announce(10**8)
    source.receive(Data(source.stream, 0, 1, [(0, 0, manifest)], manifest), manifest, 0.01)
    source.want_seconds = want_seconds
    download = Download(DownloadRecord(CONTENT, "tree", "/d", "", (), (), False, 0.0), 0.0)
    download.step("parsed")
    download.prepared(Prepared(CONTENT, "tree", LAYOUT, "/d/tree", 0, LAYOUT.all_chunks, ()))
    download.set_map(source.link, LAYOUT.all_chunks)
    settings, turn = NodeSettings("0" * 64, "north", "test", "/d", 1, True), Turn(random.Random(1), PREPARED_AT, 0.0)
    sources = {source.link: source}
    granting = Granting(turn, RateLimits(0, 0, 0.0), sources.get)
    Asking(settings, turn, Neighbours(settings, turn), granting, {CONTENT: download}, sources).fill(source)
    return source.unreceived


def test_after_a_large_manifest_as_much_is_asked_for_as_its_rate_says() -> None:
    flight = TELLING / 0.01 * FLIGHT_SECONDS
    assert flight <= asked_after(TELLING) < flight + WANT_BYTES


@pytest.mark.parametrize(("manifest", "want_seconds"), [(TELLING - 1, 0.0), (TELLING, 0.01)])
def test_a_small_manifest_tells_nothing_and_once_chunks_came_they_tell(manifest: int, want_seconds: float) -> None:
    flight = manifest / PREPARED_AT * FLIGHT_SECONDS
    assert FLIGHT_MIN < asked_after(manifest, want_seconds) < flight + WANT_BYTES
