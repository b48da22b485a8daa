"""What happened to each content: its last events in words, kept while the gateway runs, in bounded memory.

Events carry absolute values and come several times a second; what happened is where one differs from the one before.
Slots belong to links, not to contents: they are told of every content that moves over that link.

Invariant: whatever came, there are at most `MOST_CONTENTS` contents of at most `MOST_ENTRIES` entries, of texts of at
most `LONGEST` characters: about 30 KiB a content and 15 MiB in all, 30 MiB if every text were as long as that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import count
from typing import Final, Literal

from msgspec import Struct

from bus import events
from bus.state import PublishedState
from bus.units import format_duration, format_size

MOST_CONTENTS: Final = 500
"""Contents whose events are kept: those with the newest."""
MOST_ENTRIES: Final = 100
LONGEST: Final = 300

Tone = Literal["good", "busy", "warn", "bad", "calm"]
Key = tuple[str, ...]

_FOLLOWED: Final = ("contents", "transfers", "uploads")
"""Sections of the published state in which a difference is something that happened."""
_WORDS: Final[dict[str, tuple[str, Tone]]] = {
    "queued": ("Queued", "calm"),
    "hashing": ("Hashing", "busy"),
    "downloading": ("Downloading", "busy"),
    "stalled": ("Stalled", "warn"),
    "no_sources": ("No sources", "warn"),
    "verifying": ("Verifying", "busy"),
    "seeding": ("Sharing", "good"),
    "paused": ("Paused", "calm"),
    "error": ("Error", "bad"),
}


class Entry(Struct, frozen=True, gc=False):
    """One thing that happened."""

    number: int
    """Later ones have higher ones, of all contents together."""
    time: float
    """Wall clock, seconds since 1970."""
    type: str
    """The event's."""
    tone: Tone
    text: str
    peer: str
    """Whom it is about; then the text begins with what that peer did. Empty: nobody."""


class Diary:
    """All of it.  `now` is the wall clock, in seconds."""

    def __init__(self) -> None:
        self._entries: dict[str, deque[Entry]] = {}  # the content with the newest entry stands last
        self._last: dict[Key, events.Event] = {}  # section and key -> the row as it was heard last
        self._begun = False
        self._numbers = count(1)

    def of(self, content: str) -> list[Entry]:
        """What happened to a content, oldest first."""
        return list(self._entries.get(content, ()))

    def take_up(self, now: float, published: PublishedState) -> None:
        """Another state replaced the one before: what differs happened unheard.  The first state is no news."""
        before, self._last = self._last, {}
        for section in _FOLLOWED:
            for key, row in published.sections[section].items():
                self._last[section, *key] = row
                if self._begun:
                    self._compare(now, before.pop((section, *key), None), row)
        for row in before.values():
            if not isinstance(row, events.UploadProgress):
                self._add(now, row, "calm", "Taken off the list")
        self._begun = True

    def note(self, now: float, published: PublishedState, applied: Iterable[events.Event]) -> None:
        """Note what these events, which `published` holds by now, say that happened."""
        for event in applied:
            match event:
                case events.ContentShared() | events.Transfer():
                    section = "transfers" if isinstance(event, events.Transfer) else "contents"
                    self._compare(now, self._last.get((section, event.id)), event)
                    self._last[section, event.id] = event
                case events.UploadProgress(content=content, peer=peer):
                    self._compare(now, self._last.get(("uploads", content, peer)), event)
                    self._last["uploads", content, peer] = event
                case events.ContentWithdrawn(id=content, reason=reason):
                    self._last.pop(("contents", content), None)
                    self._add(now, event, "calm", f"No longer shared: {reason}" if reason else "No longer shared")
                case events.TransferRemoved(id=content, data=data):
                    self._last.pop(("transfers", content), None)
                    self._add(now, event, "calm", "Taken off the list" + (", and its data deleted" if data else ""))
                case events.UploadEnded(content=content, peer=peer, bytes=sent):
                    self._last.pop(("uploads", content, peer), None)
                    self._add(now, event, "calm", f"has got {format_size(sent)} of it; no more goes there", peer)
                case events.ChunkRejected(chunk=chunk, peer=peer):
                    self._add(now, event, "bad", f"sent a chunk that failed verification: number {chunk}", peer)
                case events.StreamOpened() | events.StreamClosed() | events.StreamRefused():
                    self._note_slot(now, published, event)

    def check_invariants(self) -> None:
        """For tests: raises AssertionError if a bound is broken."""
        assert len(self._entries) <= MOST_CONTENTS
        for entries in self._entries.values():
            assert 0 < len(entries) <= MOST_ENTRIES
            assert all(len(entry.text) <= LONGEST for entry in entries)
            numbers = [entry.number for entry in entries]
            assert numbers == sorted(set(numbers))
        newest = [entries[-1].number for entries in self._entries.values()]
        assert newest == sorted(newest)

    def _compare(self, now: float, before: events.Event | None, after: events.Event) -> None:
        if isinstance(after, events.UploadProgress):
            if before is None:
                self._add(now, after, "busy", "takes it from here", after.peer)
            return
        assert isinstance(after, events.ContentShared | events.Transfer)
        earlier = before if isinstance(before, events.ContentShared | events.Transfer) else None
        word, tone = _WORDS[after.state]
        if earlier is None:
            self._add(now, after, tone, f"Listed: {word}")
        elif earlier.state != after.state:
            self._add(now, after, tone, f"{_WORDS[earlier.state][0]} → {word}")
        if after.error and (earlier is None or earlier.error != after.error):
            self._add(now, after, "bad", after.error)
        if isinstance(earlier, events.Transfer) and isinstance(after, events.Transfer):
            self._compare_downloads(now, earlier, after)

    def _compare_downloads(self, now: float, before: events.Transfer, after: events.Transfer) -> None:
        if after.finished and not before.finished:
            text = f"Complete: {format_size(after.size)} in {format_duration(after.seconds)}"
            self._add(now, after, "good", text)
        if after.sources == before.sources:
            return
        known = {source.peer: source.state for source in before.sources}
        for source in after.sources:
            was = known.get(source.peer, "gone")
            if was == "gone" != source.state:
                self._add(now, after, "good", "is a source", source.peer)
            elif source.state == "gone" != was:
                self._add(now, after, "warn", "is gone", source.peer)

    def _note_slot(
        self,
        now: float,
        published: PublishedState,
        event: events.StreamOpened | events.StreamClosed | events.StreamRefused,
    ) -> None:
        text, tone = _slot_in_words(event)
        if isinstance(event, events.StreamRefused) or event.direction == "up":
            contents = [row.content for row in published.of(events.UploadProgress, "uploads") if row.peer == event.peer]
        else:
            running = (row for row in published.of(events.Transfer, "transfers") if not row.finished)
            contents = [row.id for row in running if any(source.peer == event.peer for source in row.sources)]
        for content in contents[:MOST_CONTENTS]:
            self._write(now, event, content, tone, text, event.peer)

    def _add(self, now: float, event: events.Event, tone: Tone, text: str, peer: str = "") -> None:
        self._write(now, event, getattr(event, "id", "") or getattr(event, "content", ""), tone, text, peer)

    def _write(self, now: float, event: events.Event, content: str, tone: Tone, text: str, peer: str) -> None:
        entries = self._entries.pop(content, None) or deque(maxlen=MOST_ENTRIES)
        self._entries[content] = entries
        topic = events.BY_TYPE[type(event)].topic
        entries.append(Entry(next(self._numbers), now, topic, tone, text[:LONGEST], peer))
        if len(self._entries) > MOST_CONTENTS:
            del self._entries[next(iter(self._entries))]


def _slot_in_words(event: events.StreamOpened | events.StreamClosed | events.StreamRefused) -> tuple[str, Tone]:
    match event:
        case events.StreamOpened(direction="down"):
            return "gave us an upload slot", "good"
        case events.StreamOpened():
            return "got an upload slot", "good"
        case events.StreamRefused(reason=reason):
            return f"was refused an upload slot: {reason}", "warn"
        case events.StreamClosed(direction="down", reason=reason, bytes=received):
            return f"ended our upload slot after {format_size(received)}: {reason}", "calm"
        case events.StreamClosed(reason=reason, bytes=sent):
            return f"lost its upload slot after {format_size(sent)}: {reason}", "calm"
