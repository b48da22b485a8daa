"""Picking over any history of have-maps, stores, refusals and lost links.

Nothing is asked of a peer that lacks it, nothing is asked twice, the counters equal a recount, and whatever is wanted
and offered is picked in the end.  Priorities of files change the order, and nothing else.
"""

from __future__ import annotations

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bus.boundary import LinkId
from bus.messages import Priority
from peer.core.bitmap import chunks_in, mask_of_chunks, random_chunk
from peer.core.download import Download
from peer.core.file_priority import with_level
from peer.core.interface import Prepared
from peer.core.layout import Entry, Layout
from peer.core.picker import PICKERS, Picker
from peer.core.records import DownloadRecord

CHUNK = 128 * 1024
CONTENT = "c" * 64
SIZES = st.sampled_from([0, 1, 4096, 50_000, CHUNK, 3 * CHUNK + 7, 9 * CHUNK])
LINKS = st.integers(1, 6).map(LinkId)
MASKS = st.one_of(st.integers(0, 2**70 - 1), st.sampled_from([0, 2**70 - 1]))
"""Have-maps, some empty and many complete."""


class PickerMachine(RuleBasedStateMachine):
    """One download and six sources; the test keeps its own, plain account."""

    @initialize(
        sizes=st.lists(SIZES, min_size=1, max_size=14),
        picker=st.sampled_from(sorted(PICKERS)),
        seed=st.integers(0, 5),
        wanted=MASKS,
        early=st.lists(MASKS, max_size=3),
    )
    def start(self, sizes: list[int], picker: str, seed: int, wanted: int, early: list[int]) -> None:
        entries = [Entry(f"{n:03}", size, False, f"{n:064x}") for n, size in enumerate(sizes)]
        self.layout = Layout("tree", entries)
        self.picker: Picker = PICKERS[picker]()
        self.name = picker
        self.rng = random.Random(seed)
        self.maps: dict[LinkId, int] = {}
        self.asked: dict[LinkId, int] = {}
        self.stored = 0
        self.levels: dict[int, Priority] = {}
        self.download = Download(DownloadRecord(CONTENT, "tree", "/d", "", (), (), False, 0.0), 0.0)
        self.download.step("parsed")
        # Some have spoken before the layout was known.
        for number, mask in enumerate(early, 1):
            self.set_map(LinkId(number), mask)
        # One file's digests are not known yet.
        listed = {entry.file_id: place for place, entry in enumerate(entries) if entry.size > CHUNK}
        self.unlisted = dict(list(listed.items())[:1])
        lists = tuple((name, ((chunks.start, len(chunks)),)) for name, chunks in self.unlisted_chunks())
        wanted &= self.layout.all_chunks
        self.download.prepared(Prepared(CONTENT, "tree", self.layout, "/d", 0, wanted, lists))
        self.maps = {link: mask & self.layout.all_chunks for link, mask in self.maps.items()}

    def unlisted_chunks(self) -> list[tuple[str, range]]:
        return [(name, self.layout.chunks_of(place)) for name, place in self.unlisted.items()]

    def unknown(self) -> int:
        return sum(1 << chunk for _, chunks in self.unlisted_chunks() for chunk in chunks)

    def all_asked(self) -> int:
        return sum(self.asked.values())

    # -- what happens --

    @rule(link=LINKS, mask=MASKS)
    def set_map(self, link: LinkId, mask: int) -> None:
        self.download.set_map(link, mask)
        self.maps[link] = mask & self.layout.all_chunks if self.download.layout else mask

    @rule(link=LINKS, more=MASKS)
    def announce_more(self, link: LinkId, more: int) -> None:
        """As news come: a few chunks more than before, up to everything."""
        news = more & more >> 1 & more >> 2
        self.set_map(link, self.maps.get(link, 0) | news)

    @rule(link=LINKS, less=MASKS)
    def take_back(self, link: LinkId, less: int) -> None:
        self.set_map(link, self.maps.get(link, 0) & ~less)

    @rule(link=LINKS)
    def lose_link(self, link: LinkId) -> None:
        """As the engine does it: what was asked of it is free, and its map is gone."""
        self.download.asked &= ~self.asked.pop(link, 0)
        self.download.drop_map(link)
        self.maps.pop(link, None)

    @rule(link=LINKS, mask=MASKS)
    def sends_wrong_bytes(self, link: LinkId, mask: int) -> None:
        if link in self.maps:
            self.download.avoided[link] = mask

    @rule()
    def learn_digests(self) -> None:
        for name in self.unlisted:
            self.download.list_known(name)
        self.unlisted = {}

    @rule(first=st.integers(0, 13), count=st.integers(1, 5), level=st.sampled_from(["high", "normal", "low"]))
    def prioritize(self, first: int, count: int, level: Priority) -> None:
        entries = range(len(self.layout.entries))[first : first + count]
        paths = [self.layout.entries[entry].path for entry in entries]
        self.levels |= dict.fromkeys(entries, level)
        self.download.record = with_level(self.download.record, self.layout, paths, level)
        self.download.arrange()

    def highest(self, free: int) -> int:
        """Those of these chunks whose files come before the others' files."""
        for level in ("high", "normal"):
            chosen = [c for c in chunks_in(free) if self.levels.get(self.layout.entry_of(c), "normal") == level]
            if chosen:
                return mask_of_chunks(chosen)
        return free

    @rule(link=LINKS, size=st.sampled_from([1, 128 * 1024, 2**20]))
    def pick(self, link: LinkId, size: int) -> None:
        offered = self.maps.get(link, 0) & ~self.download.avoided.get(link, 0)
        missing = self.download.wanted & ~self.stored & ~self.unknown()
        free = missing & ~self.all_asked() & offered
        levels = [self.recount(chunk) for chunk in range(self.layout.chunks)]
        mask, count = self.download.pick(link, size, self.picker, self.rng)
        assert not mask & ~offered, "asked of a peer for what it lacks"
        assert not mask & self.all_asked(), "asked twice"
        assert not mask & ~free, "asked for what is not wanted, is held, or cannot be checked"
        assert bool(mask) == bool(free), "something could be asked for and was not"
        assert count == self.layout.bytes_in(mask)
        free = self.highest(free)
        assert not mask & ~free, "asked for while a file of higher priority has something left"
        if mask:
            assert count <= size or mask.bit_count() == 1
            first = next(chunks_in(mask))
            if self.name == "rarest-first":
                assert levels[first] == min(levels[chunk] for chunk in chunks_in(free))
            if self.name == "sequential":
                assert first == next(chunks_in(free))
            self.asked[link] = self.asked.get(link, 0) | mask

    @rule(link=LINKS)
    def store(self, link: LinkId) -> None:
        """A chunk that was asked for came and was verified, and one that is held already once more."""
        if waiting := self.asked.get(link, 0):
            chunk = random_chunk(waiting, self.rng)
            self.asked[link] ^= 1 << chunk
            before, self.stored = self.stored, self.stored | 1 << chunk
            assert self.download.hold(1 << chunk | before) == self.layout.length_of(chunk)
            assert self.download.hold(1 << chunk) == 0

    @rule(link=LINKS)
    def refuse(self, link: LinkId) -> None:
        if waiting := self.asked.get(link, 0):
            chunk = random_chunk(waiting, self.rng)
            self.asked[link] ^= 1 << chunk
            self.download.asked &= ~(1 << chunk)
            self.set_map(link, self.maps.get(link, 0) & ~(1 << chunk))

    # -- what always holds --

    def recount(self, chunk: int) -> int:
        """Sources with incomplete maps that offer a chunk."""
        return sum(mask >> chunk & 1 for mask in self.maps.values() if mask != self.layout.all_chunks)

    @invariant()
    def counters_equal_a_recount(self) -> None:
        if not hasattr(self, "layout"):
            return
        self.download.check_invariants()
        assert self.download.maps == self.maps
        assert self.download.asked == self.all_asked()
        assert self.download.held == self.stored
        availability = self.download.availability
        counted = [availability.of(chunk) for chunk in range(self.layout.chunks)]
        assert counted == [self.recount(chunk) for chunk in range(self.layout.chunks)]
        assert all(plane <= self.layout.all_chunks for plane in availability.planes)

    def teardown(self) -> None:
        """Whatever happened: once all digests are known, every wanted chunk that is offered is picked."""
        if not hasattr(self, "layout"):
            return
        self.learn_digests()
        self.download.avoided.clear()
        for _ in range(self.layout.chunks + 1):
            for link in list(self.maps):
                self.pick(link, 1)
        offered = 0
        for mask in self.maps.values():
            offered |= mask
        assert not self.download.open_chunks & offered


PickerMachine.TestCase.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
TestPicker = PickerMachine.TestCase
