"""What is asked of which source: wants in flight, turns of downloads, manifests, and work taken from slow sources.

A chunk is asked of one source at a time.  Wants in flight cover the way there and back at the source's
rate, so that a slow source never holds much; what it does hold near the end is taken over
(stealing.py) by a source that would be done in half the time.
"""

from __future__ import annotations

from typing import Final

from bus.boundary import ContentId, LinkId
from bus.messages import Cancel, Want, WantManifest
from peer.core.bitmap import chunks_in, ranges_of
from peer.core.download import Download, DownloadState
from peer.core.granting import Granting
from peer.core.interface import Forget
from peer.core.neighbours import Neighbours
from peer.core.picker import PICKERS, SEQUENTIAL
from peer.core.priority import in_turn
from peer.core.settings import NodeSettings
from peer.core.source import Source, SourceState
from peer.core.stealing import Theft, find_theft, time_to_come
from peer.core.turn import Turn

WANT_BYTES: Final = 2**20
"""A want asks for all that may be in flight up to so much, for half of it beyond 2 MiB, and for one chunk at least."""
LISTS_OUT: Final = 12
"""Manifests and digest lists asked for at a time: each may be 16 MiB in memory until it is whole."""
WANTS_OUT: Final = 64
"""Wants to one source at a time, however small their chunks are."""
FLIGHT_SECONDS: Final = 0.1
FLIGHT_MIN: Final = 128 * 1024
"""Wants in flight: 0.1 s and two round trips of the source's rate, at least 128 KiB, the smallest chunk size.

Little: what waits at a slow source cannot be asked of a faster one."""
WINDOW_MIN: Final = 32 * 1024
STEAL_EVERY: Final = 0.25
"""Seconds between looks for work to take over."""


class Asking:
    """The wants towards all sources."""

    def __init__(
        self,
        settings: NodeSettings,
        turn: Turn,
        neighbours: Neighbours,
        granting: Granting,
        active: dict[ContentId, Download],
        sources: dict[LinkId, Source],
    ) -> None:
        """`active` are the downloads, by content, `sources` all sources; whoever owns the maps changes them."""
        self._settings = settings
        self._turn = turn
        self._neighbours = neighbours
        self._granting = granting
        self._active = active
        self._sources = sources
        self._picker = PICKERS[settings.picker]()
        self.streams = 0
        """Sources whose stream is open."""

    def window(self, source: Source) -> int:
        """Receive memory of a stream: what its rate needs, within an equal share of the process's."""
        return self._window(source, self._round_trip(source))

    def _window(self, source: Source, round_trip: float) -> int:
        share = self._settings.window_total // max(1, self.streams)
        needed = int(2 * source.pace * round_trip)
        return max(WINDOW_MIN, min(max(self._settings.window, needed), share))

    def fill(self, source: Source) -> None:
        """Keep enough wants out at a source whose stream is open."""
        round_trip = self._round_trip(source)
        source.window.window = window = self._window(source, round_trip)
        if source.unreceived < window and self._offers_something(source):
            flight = self._flight(source, round_trip)
            while source.unreceived < window and len(source.asked) < WANTS_OUT and self._ask_next(source, flight):
                pass
        if not source.unreceived:
            self._steal(source)

    def _offers_something(self, source: Source) -> bool:
        """Whether a source has anything that we may ask for, by a look that costs less than asking."""
        for download in self._active.values():
            if download.state is not DownloadState.FETCHING or download.lists_open:
                return True
            if download.open_chunks & download.offered(source.link):
                return True
        return False

    def _flight(self, source: Source, round_trip: float) -> int:
        """Bytes of wants to keep outstanding."""
        rate = source.meter.rate(self._turn.now) if source.meter.total else 0.0
        if not source.want_seconds:
            # Nothing was asked of it while we read its manifest: that time says nothing about it.
            rate = max(rate, source.manifest_rate)
        return min(source.window.window, max(FLIGHT_MIN, int(rate * (FLIGHT_SECONDS + 2 * round_trip))))

    def _round_trip(self, source: Source) -> float:
        """Seconds to the source and back."""
        neighbour = self._neighbours.by_link.get(source.link)
        return neighbour.round_trip if neighbour else 0.0

    # -- asking --

    def _ask_next(self, source: Source, flight: int) -> bool:
        """Send one want, for the download whose turn it is; False if this source has nothing for us now.

        Each content has its own bytes in flight: one that the source limits holds up no other.
        """
        if len(self._active) == 1:
            ((content, download),) = self._active.items()
            return source.unreceived_of(content) < flight and self._ask_of(source, download, flight)
        turns = in_turn(self._active.values(), source, flight)
        return any(self._ask_of(source, download, flight) for download in turns)

    def _ask_of(self, source: Source, download: Download, flight: int) -> bool:
        """Send one want for this download; False if the source has nothing for it now."""
        if not download.maps.get(source.link) or self._granting.holds_back(source, download.record.id):
            return False
        if download.state is DownloadState.MANIFEST:
            return self._ask_manifest(source, download, download.record.id)
        if download.state is DownloadState.FETCHING:
            return (bool(download.lists_open) and self._ask_list(source, download)) or self._ask_chunks(
                source, download, flight
            )
        return False

    def _ask_manifest(self, source: Source, download: Download, manifest: str) -> bool:
        """One source at a time is asked for a manifest, so that a wrong hash has one culprit."""
        if manifest in download.lists_asked or sum(len(d.lists_asked) for d in self._active.values()) >= LISTS_OUT:
            return False
        download.list_asked(manifest, source.link, source.peer)
        want = source.ask_manifest(download.record.id, manifest, self._turn.now)
        self._turn.send(source.link, WantManifest(source.stream, want, download.record.id, manifest))
        return True

    def _ask_list(self, source: Source, download: Download) -> bool:
        manifest = download.next_list(source.link)
        return manifest is not None and self._ask_manifest(source, download, manifest)

    def _ask_chunks(self, source: Source, download: Download, flight: int) -> bool:
        size = max(min(WANT_BYTES, flight), flight // 2)
        picker = SEQUENTIAL if download.record.sequential else self._picker
        mask, size = download.pick(source.link, size, picker, self._turn.rng)
        if not mask:
            return False
        self._want(source, download, mask, size)
        return True

    def _want(self, source: Source, download: Download, mask: int, size: int) -> None:
        assert download.layout is not None
        want = source.ask(download.record.id, download.layout, mask, size, self._turn.now)
        self._granting.asked(source, want)
        self._turn.send(source.link, Want(source.stream, want, download.record.id, ranges_of(mask)))

    def cancel(self, source: Source, download: Download, chunks: int) -> None:
        """What is on its way of these chunks is wanted no more: what still comes of it is passed over."""
        content = download.record.id
        for want, asked in list(source.asked.items()):
            gone = asked.mask & chunks if asked.content == content else 0
            if not gone:
                continue
            self._turn.send(source.link, Cancel(source.stream, want, ranges_of(gone)))
            begun = tuple(chunk for chunk in asked.progress if gone >> chunk & 1)
            download.duplicate_bytes += sum([source.give_up(want, chunk) for chunk in chunks_in(gone)])
            download.asked &= ~gone
            if begun:
                self._turn.add(Forget(content, begun))

    # -- endgame --

    def steal_due(self) -> None:
        """Sources that have nothing to do look for work to take over."""
        for source in list(self._sources.values()):
            if source.state is SourceState.OPEN and not source.unreceived:
                source.looked_at = self._turn.now - STEAL_EVERY
                self.fill(source)
                self._granting.ask(source)

    def _steal(self, thief: Source) -> None:
        """Take over a chunk that a slower source holds up."""
        now = self._turn.now
        for download in self._active.values():
            held_back = self._granting.holds_back(thief, download.record.id)
            if download.state is not DownloadState.FETCHING or held_back:
                continue
            # Only when there is nothing else: every missing chunk is asked of somebody.
            if download.open_chunks or not download.asked & download.offered(thief.link):
                continue
            # Looked at again even if nothing happens: who holds it up may never say a word.
            self._turn.timers.set_earlier(("steal",), now + STEAL_EVERY)
            if now - thief.looked_at < STEAL_EVERY:
                continue
            theft = find_theft(download, thief, self._sources.values(), now)
            if theft is not None:
                self._take_over(download, thief, theft)
                return
        if now - thief.looked_at >= STEAL_EVERY:
            thief.looked_at = now

    def _take_over(self, download: Download, thief: Source, theft: Theft) -> None:
        """The chunk has one owner at any time: what the slower source still sends of it is passed over."""
        victim, mask, now = theft.victim, 1 << theft.chunk, self._turn.now
        asked = victim.asked[theft.want]
        # This want is never answered: what was predicted is all there is to learn of it.  Else its source would pass
        # for as quick as it once was, or for unknown, and slow ones would take a chunk from each other for ever.
        victim.want_seconds = max(victim.want_seconds, now - asked.since + time_to_come(victim, asked, now))
        self._turn.send(victim.link, Cancel(victim.stream, theft.want, [(theft.chunk, 1)]))
        if came := victim.give_up(theft.want, theft.chunk):
            download.duplicate_bytes += came
            self._turn.add(Forget(download.record.id, (theft.chunk,)))
        assert download.layout is not None
        self._want(thief, download, mask, download.layout.length_of(theft.chunk))
