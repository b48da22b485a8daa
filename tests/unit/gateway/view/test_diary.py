"""What happened to each content, in words, and for how long it is remembered."""

from __future__ import annotations

import tracemalloc
from typing import Any

from msgspec.structs import asdict, replace

from bus import events
from bus.state import PublishedState
from gateway.view.diary import LONGEST, MOST_CONTENTS, MOST_ENTRIES, Diary

CONTENT, PEER = "c" * 64, "5" * 64
SHARE = events.ContentShared(CONTENT, "n", "file", 2**20, 1, 1, "/p", False, "seeding", "", 1.0)
SOURCE = events.SourceRow(PEER, 0, 0.0, 1, "open")
DOWNLOAD = events.TransferProgress(
    CONTENT, "n", "file", 3 * 2**20, "/p", "downloading", 0, 3, 0, 0.0, -1.0, 90.0, 0, 0, [], "", "", "", 1.0, 0.0
)


class Heard:
    """A diary, and the published state beside it."""

    def __init__(self) -> None:
        self.diary, self.state, self.now = Diary(), PublishedState(), 0.0

    def tell(self, *told: events.Event) -> None:
        for event in told:
            self.now += 1.0
            self.state.apply(event)
            self.diary.note(self.now, self.state, [event])

    def lines(self, content: str = CONTENT) -> list[str]:
        return [f"{one.peer[:1]} {one.text}".strip() for one in self.diary.of(content)]


def as_kind(kind: type[events.Transfer], row: events.Transfer, **changes: Any) -> events.Transfer:
    return kind(**{**asdict(row), **changes})


def test_a_download_tells_its_life():
    heard = Heard()
    heard.tell(
        as_kind(events.TransferStarted, DOWNLOAD),
        replace(DOWNLOAD, sources=[SOURCE]),
        replace(DOWNLOAD, sources=[SOURCE], bytes_done=5),
        events.ChunkRejected(CONTENT, 7, PEER),
        replace(DOWNLOAD, sources=[replace(SOURCE, state="gone")], state="no_sources"),
        replace(DOWNLOAD, sources=[SOURCE]),
        as_kind(events.TransferCompleted, DOWNLOAD, sources=[SOURCE], state="seeding", finished=5.0),
        as_kind(events.TransferCompleted, DOWNLOAD, sources=[SOURCE], state="seeding", finished=5.0),
        events.TransferRemoved(CONTENT, True),
    )
    assert heard.lines() == [
        "Listed: Downloading",
        "5 is a source",
        "5 sent a chunk that failed verification: number 7",
        "Downloading → No sources",
        "5 is gone",
        "No sources → Downloading",
        "5 is a source",
        "Downloading → Sharing",
        "Complete: 3 MiB in 1.5 min",
        "Taken off the list, and its data deleted",
    ]
    entries = heard.diary.of(CONTENT)
    assert [one.number for one in entries] == sorted({one.number for one in entries})
    assert (entries[0].time, entries[0].type, entries[0].tone) == (1.0, "transfer.started", "busy")
    assert (entries[2].type, entries[2].tone, entries[2].peer) == ("chunk.rejected", "bad", PEER)


def test_an_error_is_told_once_with_its_line():
    heard = Heard()
    failed = as_kind(
        events.TransferFailed, DOWNLOAD, state="error", error="the disk is full", error_code="ERR_DISK_FULL"
    )
    heard.tell(DOWNLOAD, failed, failed)
    assert heard.lines() == ["Listed: Downloading", "Downloading → Error", "the disk is full"]


def test_a_share_tells_who_takes_it():
    heard = Heard()
    heard.tell(
        SHARE,
        events.UploadProgress(CONTENT, PEER, 5, 1.0),
        events.UploadProgress(CONTENT, PEER, 6, 1.0),
        events.UploadEnded(CONTENT, PEER, 2**20),
        replace(SHARE, state="error", error="it changed"),
        events.ContentWithdrawn(CONTENT, "unshared"),
    )
    assert heard.lines() == [
        "Listed: Sharing",
        "5 takes it from here",
        "5 has got 1 MiB of it; no more goes there",
        "Sharing → Error",
        "it changed",
        "No longer shared: unshared",
    ]


def test_slots_are_told_of_what_moves_over_their_link():
    heard, other = Heard(), "d" * 64
    heard.tell(replace(DOWNLOAD, sources=[SOURCE]), replace(DOWNLOAD, id=other))
    heard.tell(
        events.StreamOpened(PEER, 1, "down"),
        events.StreamClosed(PEER, 1, "down", "rotation", 2**20),
        events.StreamOpened(PEER, 1, "up"),
        events.UploadProgress(other, PEER, 5, 1.0),
        events.StreamOpened(PEER, 2, "up"),
        events.StreamClosed(PEER, 2, "up", "done", 0),
        events.StreamRefused(PEER, "reputation"),
    )
    assert heard.lines()[1:] == ["5 gave us an upload slot", "5 ended our upload slot after 1 MiB: rotation"]
    assert heard.lines(other)[2:] == [
        "5 got an upload slot",
        "5 lost its upload slot after 0 B: done",
        "5 was refused an upload slot: reputation",
    ]


def test_the_first_state_is_no_news_and_what_happened_unheard_is_told():
    heard = Heard()
    heard.state.apply(SHARE)
    heard.state.apply(replace(DOWNLOAD, id="d" * 64))
    heard.diary.take_up(1.0, heard.state)
    heard.tell(SHARE)
    assert heard.lines() == []
    later = PublishedState()
    later.apply(replace(SHARE, state="paused"))
    heard.diary.take_up(2.0, later)
    assert heard.lines() == ["Sharing → Paused"]
    assert heard.lines("d" * 64) == ["Taken off the list"]


def test_the_newest_are_remembered():
    heard = Heard()
    heard.tell(SHARE)
    for number in range(MOST_ENTRIES):
        heard.tell(events.ChunkRejected(CONTENT, number, PEER))
    assert len(heard.lines()) == MOST_ENTRIES
    assert heard.lines()[0].endswith("number 0")
    for number in range(MOST_CONTENTS - 1):
        heard.tell(replace(SHARE, id=f"{number:064x}"))
    assert len(heard.lines()) == MOST_ENTRIES
    heard.tell(replace(SHARE, id="e" * 64))
    assert heard.lines() == []
    heard.diary.check_invariants()


def test_a_content_takes_as_much_memory_as_it_says():
    heard, some = Heard(), 20
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(MOST_ENTRIES):
        for content in range(some):
            heard.tell(replace(SHARE, id=f"{content:064x}", error=f"{number:5} {content:5}".ljust(LONGEST)))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 30 * 2**10 < (after - before) / some < 60 * 2**10
