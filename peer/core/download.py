"""One content being fetched: what is held, what is asked for, who offers what."""

from __future__ import annotations

import random
from enum import Enum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from bus.boundary import LinkId, PeerId
from bus.errors import ERR_DISK_FULL, LocalProtocolError
from bus.events import ItemState, SourceRow
from peer.core.bitmap import Range, contains, mask_of, span
from peer.core.file_priority import chunks_first
from peer.core.interface import Prepared
from peer.core.layout import Layout
from peer.core.optimum import Least
from peer.core.picker import SEQUENTIAL, Availability, Picker
from peer.core.rates import Meter
from peer.core.records import DownloadRecord
from peer.core.selection import left_out_chunks

READ_AHEAD: Final = 16 * 2**20
"""Bytes from where somebody reads that are fetched before all others: seconds of any film, and at least two chunks."""
STALLED_AFTER: Final = 10.0
"""Seconds without a byte until a download with sources is called stalled."""


class DownloadState(Enum):
    MANIFEST = "manifest"
    """Its manifest is to be fetched."""
    PREPARING = "preparing"
    """The shell opens its files and looks what they hold."""
    FETCHING = "fetching"
    FINISHING = "finishing"
    PAUSED = "paused"
    FAILED = "failed"
    REMOVED = "removed"


TRANSITIONS: Final[dict[DownloadState, dict[str, DownloadState]]] = {
    DownloadState.MANIFEST: {"parsed": DownloadState.PREPARING},
    DownloadState.PREPARING: {"prepared": DownloadState.FETCHING, "fail": DownloadState.FAILED},
    DownloadState.FETCHING: {
        "complete": DownloadState.FINISHING,
        "fail": DownloadState.FAILED,
        "verify": DownloadState.PREPARING,
        "widen": DownloadState.PREPARING,
    },
    DownloadState.FINISHING: {"fail": DownloadState.FAILED},
    DownloadState.PAUSED: {"resume": DownloadState.PREPARING, "verify": DownloadState.PREPARING},
    DownloadState.FAILED: {"resume": DownloadState.PREPARING, "verify": DownloadState.PREPARING},
    DownloadState.REMOVED: {},
}
"""Beyond these, `pause`, `remove` (from every state) and `restart` (to MANIFEST while it has no layout)."""


STOPPED: Final = (DownloadState.PAUSED, DownloadState.FAILED, DownloadState.REMOVED)


class Candidate(Struct):
    """A peer that a tracker named as a member of the swarm."""

    endpoints: tuple[str, ...]
    complete: bool
    since: float
    """When it was first named."""


class Download:
    """The state of one download; the engine (downloads.py) moves it."""

    preview = False
    """Only its manifest is wanted (previews.py)."""
    waits = False
    """All its sources are busy with downloads of a higher priority."""
    levels: tuple[int, ...] = ()
    """Chunks of high and of normal priority, where files differ in that: asked for in this order, then the others."""

    def __init__(self, record: DownloadRecord, now: float) -> None:
        self.record = record
        self.state = DownloadState.PAUSED if record.paused else DownloadState.MANIFEST
        self.layout: Layout | None = None
        self.held = 0
        self.held_bytes = 0
        """Bytes of the wanted chunks that are held."""
        self.kind = ""
        """Empty while unknown."""
        self.size = 0
        """Bytes wanted in all, 0 while unknown."""
        self.wanted = 0
        self.asked = 0
        """Chunks asked of some source, or received and not yet verified."""
        self.read_next = 0  # chunks that somebody is about to read: they come first, from first to last
        self.lists: dict[str, tuple[Range, ...]] = {}
        """Digest lists still to be fetched: file id -> its chunks."""
        self._unlisted = 0
        """Chunks of all files in `lists`."""
        self.lists_open: dict[str, bool] = {}
        """Those of `lists` that nobody is asked for."""
        self.lists_asked: dict[str, tuple[LinkId, PeerId]] = {}
        """Which source was asked for which manifest or list."""
        self.maps: dict[LinkId, int] = {}
        """What each linked peer offers."""
        self.seeds: dict[LinkId, bool] = {}
        """Linked peers that have everything, whatever they offer us now."""
        self.avoided: dict[LinkId, int] = {}
        """Chunks a source sent wrong bytes for: not asked of it again for a while."""
        self.wrong_from: dict[PeerId, int] = {}
        """The same, by peer, for good: where no ban would end it."""
        self.from_peer: dict[PeerId, int] = dict(record.sources)
        self.candidates: dict[PeerId, Candidate] = {}
        """Peers a tracker named."""
        self.unequal: dict[PeerId, bool] = {}
        """Members that cannot be linked, because only one of us encrypts; True if a dial told so, not a tracker."""
        self.widened = False
        """More is wanted than what the files are being opened for."""
        self.preparing = 0
        """Answers to Prepare or VerifyData that are still to come; only the last one counts."""
        self.looks = 0
        """Times that trackers were asked for sources."""
        self.availability = Availability(0)
        self.meter = Meter(now)
        self.moved_at = self.active_since = now
        self.duplicate_bytes = record.duplicate_bytes
        self.rejected_bytes = record.rejected_bytes
        self.error = self.error_code = ""
        self.met_as_seed: dict[PeerId, bool] = {}
        """Peers met for this download, and whether they had all of it by then."""
        self.least = Least(record.optimum, record.least)

    def __repr__(self) -> str:
        chunks = self.layout.chunks if self.layout else 0
        return f"<Download {self.record.id[:8]} {self.held.bit_count()}/{chunks} {self.state.value}>"

    def step(self, event: str) -> None:
        row = TRANSITIONS[self.state]
        if event not in row:
            raise LocalProtocolError(f"{event} for a download that is {self.state.value}")
        self.state = row[event]

    @property
    def stopped(self) -> bool:
        """Nothing is to be fetched or offered: paused, failed or removed."""
        return self.state in STOPPED

    @property
    def waits_for_space(self) -> bool:
        """A full disk stopped it, and nobody paused it."""
        return self.state is DownloadState.FAILED and self.error_code == ERR_DISK_FULL and not self.record.paused

    # -- chunks --

    def prepared(self, event: Prepared) -> None:
        """The files are open; take over what they hold."""
        self.step("prepared")
        self.layout = event.layout
        self.kind = event.layout.kind
        self.held = event.held
        self.lists = dict(event.lists)
        self.lists_asked.clear()
        self._want(event.layout, event.wanted & ~left_out_chunks(event.layout, self.record.left_out))
        self.lists_open = dict.fromkeys(self.lists, True)
        self.asked = 0
        self.availability = Availability(event.layout.chunks)
        for link, offered in self.maps.items():
            self.maps[link] = offered & event.layout.all_chunks
            self._count(self.maps[link], 1)
        self.arrange()

    def _want(self, layout: Layout, wanted: int) -> None:
        """Want these chunks and no others; their digest lists are among those that are still to be fetched."""
        self.least.settle(self.held_bytes, self.size)
        self.wanted = wanted
        size, self.held_bytes = layout.bytes_in(wanted), layout.bytes_in(self.held & wanted)
        self.least.begin(self.held_bytes, self.size, size)
        self.size = size
        is_wanted = contains(wanted)
        of_wanted = {one: tuple(run for run in runs if is_wanted(run[0])) for one, runs in self.lists.items()}
        self.lists = {one: runs for one, runs in of_wanted.items() if runs}
        self.lists_open = {one: True for one in self.lists_open if one in self.lists}
        self._unlisted = mask_of([run for runs in self.lists.values() for run in runs])

    def narrow(self, left_out: tuple[Range, ...]) -> int:
        """These entries are left out from now on; returns the chunks (a bitmask) that are wanted no more."""
        self.record = replace(self.record, left_out=left_out)
        assert self.layout is not None
        dropped = self.wanted & left_out_chunks(self.layout, left_out)
        self._want(self.layout, self.wanted & ~dropped)
        return dropped

    def arrange(self) -> None:
        """Follow the record's priorities of files: chunks, and the digest lists without which none may be asked for."""
        if self.layout is None:
            return
        self.levels = chunks_first(self.layout, self.record)
        for level in reversed(self.levels):
            within = contains(level)
            first = [one for one in self.lists_open if any(within(start) for start, _ in self.lists[one])]
            self.lists_open = dict.fromkeys([*first, *self.lists_open], True)

    def hold(self, chunks: int) -> int:
        """Chunks (a bitmask) were verified: returns the bytes of those that were not held already."""
        self.asked &= ~chunks
        fresh = chunks & ~self.held
        if not fresh or self.layout is None:
            return 0
        self.held |= fresh
        size, wanted = self.layout.bytes_in(fresh), fresh & self.wanted
        self.held_bytes += size if wanted == fresh else self.layout.bytes_in(wanted)
        return size

    @property
    def missing(self) -> int:
        """Chunks wanted and not held."""
        return self.wanted & ~self.held

    @property
    def open_chunks(self) -> int:
        """Chunks that may be asked for: wanted, not held, not asked, digest known."""
        return self.wanted & ~(self.held | self.asked | self._unlisted)

    def next_list(self, link: LinkId) -> str | None:
        """A digest list that nobody is asked for and this source has, as far as its first chunk tells."""
        offered = self.maps.get(link, 0)
        for manifest in self.lists_open:
            if offered >> self.lists[manifest][0][0] & 1:
                return manifest
        return None

    def list_asked(self, manifest: str, link: LinkId, peer: PeerId) -> None:
        """A source was asked for a manifest or list."""
        self.lists_open.pop(manifest, None)
        self.lists_asked[manifest] = (link, peer)

    def list_free(self, manifest: str) -> tuple[LinkId, PeerId] | None:
        """It will not come from whom it was asked of; returns who that was."""
        if manifest in self.lists:
            self.lists_open[manifest] = True
            if self.levels:
                self.lists_open = {manifest: True, **self.lists_open}  # it was among the first ones
        return self.lists_asked.pop(manifest, None)

    def list_known(self, manifest: str) -> None:
        """A digest list was fetched: its chunks may be asked for."""
        self._unlisted &= ~mask_of(self.lists.pop(manifest, ()))
        self.lists_open.pop(manifest, None)
        self.lists_asked.pop(manifest, None)

    def read_from(self, file: int, offset: int) -> None:
        """Somebody reads this file from there on."""
        if self.layout is None or file >= len(self.layout.files):
            return
        entry = self.layout.files[file]
        chunks, size = self.layout.chunks_of(entry), self.layout.chunk_sizes[entry]
        ahead = chunks[offset // size :][: max(2, READ_AHEAD // size)]
        self.read_next = span(ahead.start, len(ahead))

    def pick(self, link: LinkId, size: int, picker: Picker, rng: random.Random) -> tuple[int, int]:
        """Choose chunks of about `size` bytes to ask of a source: (mask, bytes); (0, 0) if it has none.

        Neighbouring small chunks go together, so that many small files cost one want.
        """
        candidates = self.open_chunks & self.offered(link)
        if not candidates or self.layout is None:
            return 0, 0
        if soon := candidates & self.read_next:
            candidates, picker = soon, SEQUENTIAL
        else:
            for level in self.levels:
                if first := candidates & level:
                    candidates = first
                    break
        chunk = picker.pick(candidates, self.availability, rng)
        mask, taken = self.layout.run(candidates, chunk, size)
        self.asked |= mask
        return mask, taken

    # -- sources --

    def set_map(self, link: LinkId, mask: int) -> int:
        """What a linked peer offers now; returns what it did not offer before."""
        old = self.maps.get(link, 0)
        if self.layout is not None:
            whole = self.layout.all_chunks
            mask &= whole
            if whole in (mask, old):
                self._count(old, -1)
                self._count(mask, 1)
            else:
                if won := mask & ~old:
                    self.availability.add(won)
                if lost := old & ~mask:
                    self.availability.remove(lost)
        self.maps[link] = mask
        return mask & ~old

    def offered(self, link: LinkId) -> int:
        """What may be asked of a linked peer."""
        offered = self.maps.get(link, 0)
        return offered & ~self.avoided.get(link, 0) if self.avoided else offered

    def lacks_of(self, link: LinkId) -> bool:
        """Whether a linked peer offers something that is wanted and not held."""
        offered = self.offered(link)
        return bool(offered if self.layout is None else offered & self.missing)

    def drop_map(self, link: LinkId) -> None:
        old = self.maps.pop(link, 0)
        self.seeds.pop(link, None)
        self.avoided.pop(link, None)
        if self.layout is not None:
            self._count(old, -1)

    def _count(self, mask: int, sign: int) -> None:
        """Complete have-maps raise every chunk alike and are not counted."""
        if self.layout is None or mask == self.layout.all_chunks:
            return
        if sign > 0:
            self.availability.add(mask)
        else:
            self.availability.remove(mask)

    # -- reports --

    def item_state(self, now: float) -> ItemState:
        """The state as users see it."""
        if self.state is DownloadState.PAUSED:
            return "paused"
        if self.state is DownloadState.FAILED:
            return "error"
        if self.state in (DownloadState.PREPARING, DownloadState.FINISHING):
            return "verifying"
        offered = 0
        for mask in self.maps.values():
            offered |= mask
        if self.layout is not None and self.missing:
            offered &= self.missing
        if not offered and not self.seeds:
            return "no_sources"
        if now - self.moved_at <= STALLED_AFTER:
            return "downloading"
        return "queued" if self.waits else "stalled"

    def seconds(self, now: float) -> float:
        """Running time without pauses."""
        return self.record.seconds + (0.0 if self.stopped else now - self.active_since)

    def source_rows(self, peers: dict[LinkId, tuple[PeerId, float, str]]) -> list[SourceRow]:
        """A row for each peer that offers or gave something; `peers` is link -> (peer, rate, state)."""
        rows = {peer: SourceRow(peer, given, 0.0, 0, "gone") for peer, given in self.from_peer.items()}
        for link, mask in self.maps.items():
            if link in peers:
                peer, rate, state = peers[link]
                rows[peer] = SourceRow(peer, self.from_peer.get(peer, 0), rate, mask.bit_count(), state)
        return list(rows.values())

    def updated_record(self, now: float) -> DownloadRecord:
        """The record to keep, as of now."""
        return replace(
            self.record,
            seconds=self.seconds(now),
            sources=tuple(self.from_peer.items()),
            duplicate_bytes=self.duplicate_bytes,
            rejected_bytes=self.rejected_bytes,
            optimum=self.least.optimum,
            least=self.least.seconds(self.held_bytes, self.size),
        )

    def check_invariants(self) -> None:
        assert not self.asked & self.held
        if self.layout is not None:
            assert not self.held & ~self.layout.all_chunks
            assert self.held_bytes == self.layout.bytes_in(self.held & self.wanted)
