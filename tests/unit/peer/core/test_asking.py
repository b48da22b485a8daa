"""How much is asked of a source at a time."""

from __future__ import annotations

import random

import pytest

from bus.boundary import LinkId, LinkUp
from bus.messages import Data
from peer.core.asking import FLIGHT_MIN, FLIGHT_SECONDS, WANT_BYTES, WINDOW_MIN, Asking
from peer.core.download import Download
from peer.core.granting import Granting
from peer.core.interface import Prepared
from peer.core.layout import Entry, Layout
from peer.core.limits import RateLimits
from peer.core.neighbours import Neighbour, Neighbours
from peer.core.records import DownloadRecord
from peer.core.settings import NodeSettings
from peer.core.source import TELLING, Source
from peer.core.turn import Turn

CONTENT = "c" * 64
PEER = "p" * 64
MIB = 2**20
SETTINGS = NodeSettings("0" * 64, "north", "test", "/d", 1, True, window=16 * MIB, window_total=32 * MIB)
SMALL = 4096
LAYOUT = Layout("tree", [Entry(f"{number:05}", SMALL, False, f"{number:064x}") for number in range(10_000)])
PREPARED_AT = 0.06
"""Seconds from a stream's begin until the manifest that came in its first 10 ms is read."""


def opened() -> Source:
    source = Source(LinkId(1), PEER, dialled=True, now=0.0)
    source.open()
    source.opened(10**8, 0.0)
    return source


def asking_of(source: Source, *downloads: Download, round_trip: float = 0.0, streams: int = 1) -> Asking:
    """What asks a source that is so far away, while so many streams are open."""
    turn = Turn(random.Random(1), PREPARED_AT, 0.0)
    sources, active = {source.link: source}, {download.record.id: download for download in downloads}
    neighbours = Neighbours(SETTINGS, turn)
    neighbour = Neighbour(LinkUp(source.link, "data", PEER, "10.0.0.1", dialled=True), 0.0)
    neighbour.round_trip = round_trip
    neighbours.by_link[source.link] = neighbour
    asking = Asking(SETTINGS, turn, neighbours, Granting(turn, RateLimits(0, 0, 0.0), sources.get), active, sources)
    asking.streams = streams
    return asking


def asked_after(manifest: int, want_seconds: float = 0.0) -> int:
    """Bytes first asked of a source whose manifest of so many bytes took 10 ms to come."""
    source = opened()
    source.ask_manifest(CONTENT, CONTENT, 0.0)
    source.window.announce(10**8)
    source.receive(Data(source.stream, 0, 1, [(0, 0, manifest)], manifest), manifest, 0.01)
    source.want_seconds = want_seconds
    download = Download(DownloadRecord(CONTENT, "tree", "/d", "", (), (), False, 0.0), 0.0)
    download.step("parsed")
    download.prepared(Prepared(CONTENT, "tree", LAYOUT, "/d/tree", 0, LAYOUT.all_chunks, ()))
    download.set_map(source.link, LAYOUT.all_chunks)
    asking_of(source, download).fill(source)
    return source.unreceived


def test_after_a_large_manifest_as_much_is_asked_for_as_its_rate_says() -> None:
    flight = TELLING / 0.01 * FLIGHT_SECONDS
    assert flight <= asked_after(TELLING) < flight + WANT_BYTES


@pytest.mark.parametrize(("manifest", "want_seconds"), [(TELLING - 1, 0.0), (TELLING, 0.01)])
def test_a_small_manifest_tells_nothing_and_once_chunks_came_they_tell(manifest: int, want_seconds: float) -> None:
    flight = manifest / PREPARED_AT * FLIGHT_SECONDS
    assert FLIGHT_MIN < asked_after(manifest, want_seconds) < flight + WANT_BYTES


def window_of(pace: float, round_trip: float, streams: int = 1) -> int:
    """Of a stream on which bytes come at this pace, one of so many."""
    source = opened()
    source.pace = pace
    return asking_of(source, round_trip=round_trip, streams=streams).window(source)


@pytest.mark.parametrize(
    ("pace", "round_trip"), [(0.0, 0.2), (100 * MIB, 0.0), (MIB, 0.2), (100 * MIB, 0.08), (40 * MIB, 0.2)]
)
def test_a_source_that_is_slow_or_near_has_the_configured_window(pace: float, round_trip: float) -> None:
    assert window_of(pace, round_trip) == SETTINGS.window


def test_beyond_it_the_window_is_what_comes_in_two_round_trips() -> None:
    assert window_of(100 * MIB, 0.1) == 20 * MIB
    assert window_of(50 * MIB, 0.25) == 25 * MIB


def test_no_window_is_more_than_that_of_the_process() -> None:
    assert window_of(100 * MIB, 0.2) == SETTINGS.window_total


@pytest.mark.parametrize("pace", [0.0, MIB, 1000 * MIB])
@pytest.mark.parametrize("streams", [2, 3, 30])
def test_streams_share_the_memory_of_the_process_equally_whatever_they_need(streams: int, pace: float) -> None:
    assert window_of(pace, 0.2, streams) == SETTINGS.window_total // streams


def test_however_many_streams_there_are_each_has_a_window() -> None:
    assert window_of(MIB, 0.2, 10_000) == WINDOW_MIN


def test_a_window_follows_what_its_stream_needs_and_how_many_there_are() -> None:
    source = opened()
    asking = asking_of(source, round_trip=0.1)
    windows = []
    for source.pace, asking.streams in [(MIB, 1), (100 * MIB, 1), (100 * MIB, 2), (100 * MIB, 8), (MIB, 1)]:
        asking.fill(source)
        windows.append(source.window.window // MIB)
    assert windows == [16, 20, 16, 4, 16]
