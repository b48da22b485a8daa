"""Finding sources: what trackers tell of swarms, and whom to dial for it.

A leecher dials the members that a tracker names, in the order of source_choice.py.  A seed dials a leecher that
a push named and that has not linked within 5 s: perhaps nobody can dial the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from bus.boundary import ContentId, DialFailed, PeerId
from bus.events import SwarmHasChanged
from bus.messages import Swarm, SwarmChanged, SwarmPeer
from peer.core.download import Candidate, Download
from peer.core.downloads import Downloads
from peer.core.neighbours import Neighbours
from peer.core.settings import NodeSettings
from peer.core.shelf import Shelf
from peer.core.source_choice import SourceChoice
from peer.core.trackers import Trackers
from peer.core.turn import Turn

CANDIDATES: Final = 3000
"""Members remembered of one swarm (libtorrent's max_peerlist)."""
FIRST_PAUSE: Final = 0.5
EARLY_LOOKS: Final = 3
"""The first queries come after 0.5, 1 and 2 s; then as follows."""
LOOK_EVERY: Final = 30.0
"""Seconds between queries for more sources of a running download."""
LOOK_AGAIN: Final = 5.0
"""The same while it has no source."""
YOUNG_SECONDS: Final = 30.0
"""How long a link may offer nothing and still be counted as a source to come."""
ENOUGH: Final = 2 / 3
"""Of the links that a download may have: who has so many dials no more, for others will still dial it."""
PREVIEW_LINKS: Final = 4
"""Links for a preview: one source is enough."""
POLITE_SECONDS: Final = 1.0
"""How long the higher of two ids leaves it to the lower one to dial."""
INTRODUCE_AFTER: Final = 5.0
"""A seed dials a leecher that a push named and that has not linked by then."""
SEARCHED: Final = 4
"""Swarms that are asked where a peer is that is let in again: one is enough, the others may have lost it."""


class Swarms:
    """The swarms of this peer's contents."""

    def __init__(
        self,
        settings: NodeSettings,
        turn: Turn,
        shelf: Shelf,
        neighbours: Neighbours,
        trackers: Trackers,
        downloads: Downloads,
        choice: SourceChoice,
        refused: Callable[[PeerId], bool],
    ) -> None:
        self._settings = settings
        self._turn = turn
        self._shelf = shelf
        self._neighbours = neighbours
        self._trackers = trackers
        self._downloads = downloads
        self._choice = choice
        self._refused = refused
        self._introduce: dict[PeerId, dict[ContentId, bool]] = {}
        self._introduce_to: dict[PeerId, tuple[str, ...]] = {}
        self._shut_out: dict[PeerId, dict[ContentId, bool]] = {}
        """Peers that were blocked, and what they wanted of us then."""
        self._let_in: dict[PeerId, dict[ContentId, bool]] = {}
        """The same, of those that are blocked no more and not found yet."""

    def tracker_reached(self) -> None:
        """A tracker was reached: ask it for the swarms of all downloads."""
        for content in self._downloads.fetched:
            self._trackers.query(content)

    def listed(self, swarm: Swarm) -> None:
        # Of what was only looked for, no counts are kept.
        if swarm.content in self._downloads.active or swarm.content in self._shelf.offers:
            self._turn.publish(SwarmHasChanged(swarm.content, swarm.seeds, swarm.leechers))
        if download := self._downloads.fetched.get(swarm.content):
            self._meet(download, swarm.peers)
        for member in swarm.peers if self._let_in else ():
            if swarm.content in self._let_in.get(member.peer, {}):
                self._introduce[member.peer] = self._let_in.pop(member.peer)
                self._neighbours.dial(member.peer, tuple(member.endpoints))

    def changed(self, push: SwarmChanged) -> None:
        self._turn.publish(SwarmHasChanged(push.content, push.seeds, push.leechers))
        if download := self._downloads.fetched.get(push.content):
            self._meet(download, push.joined)
        elif push.content in self._shelf.offers:
            for member in push.joined:
                only = self._settings.only
                linkable = member.encrypted == self._settings.encryption and (only is None or member.peer in only)
                if linkable and not member.complete and not self._neighbours.connected(member.peer):
                    self._introduce.setdefault(member.peer, {})[push.content] = True
                    self._introduce_to[member.peer] = tuple(member.endpoints)
                    self._turn.timers.set_earlier(("introduce", member.peer), self._turn.now + INTRODUCE_AFTER)

    def introduce_due(self, peer: PeerId) -> None:
        """A leecher named in a push has not linked: perhaps it cannot dial us."""
        endpoints = self._introduce_to.pop(peer, ())
        wanted = not self._neighbours.connected(peer) and not self._refused(peer)
        if not (wanted and self._neighbours.dial(peer, endpoints)):
            self._introduce.pop(peer, None)

    def dial_failed(self, event: DialFailed) -> None:
        """A dial led nowhere."""
        peer = event.peer
        self._introduce.pop(peer, None)
        for download in self._downloads.fetched.values() if event.unequal else ():
            if peer in download.candidates:
                download.unequal[peer] = True
                self._downloads.changed(download)
        self.look_soon(peer)

    def _meet(self, download: Download, members: list[SwarmPeer]) -> None:
        """A tracker named members of a download's swarm: dial the best of them."""
        before = dict(download.unequal)
        for member in members:
            if member.peer == self._settings.peer:
                continue
            if member.encrypted != self._settings.encryption:
                download.candidates.pop(member.peer, None)
                if len(download.unequal) < CANDIDATES:
                    download.unequal[member.peer] = False
                continue
            if not download.unequal.get(member.peer):
                download.unequal.pop(member.peer, None)
            known = download.candidates.get(member.peer)
            if known:
                known.endpoints, known.complete = tuple(member.endpoints), member.complete
            elif len(download.candidates) < CANDIDATES:
                candidate = Candidate(tuple(member.endpoints), member.complete, self._turn.now)
                download.candidates[member.peer] = candidate
        if download.unequal != before:
            self._downloads.changed(download)
        self._dial_candidates(download)

    def _dial_candidates(self, download: Download) -> None:
        if download.stopped:
            return
        room = self._room(download)
        if room <= 0:
            return
        for peer in sorted(download.candidates, key=self._choice.rank, reverse=True):
            if room <= 0:
                return
            if self._refused(peer):
                continue
            if (neighbour := self._neighbours.by_peer.get(peer)) is not None:
                self._downloads.fetching.greet(neighbour, download)
            elif self._is_ours_to_dial(peer, download.candidates[peer]):
                room -= self._neighbours.dial(peer, download.candidates[peer].endpoints)

    def _room(self, download: Download) -> int:
        """How many more links a download should have.

        A link counts while it offers something, or is young: in a flash crowd nobody offers anything yet.  The
        first dials are for half of the links only, since as many others will dial us; later ones are made while
        links are few.
        """
        most = PREVIEW_LINKS if download.preview else self._settings.links_per_content
        if download.looks <= 1:
            most = max(1, most // 2)
        dialled = sum(1 for peer in self._neighbours.dialling if peer in download.candidates)
        born = self._turn.now - YOUNG_SECONDS
        linked = 0
        for link, neighbour in self._neighbours.by_link.items():
            if neighbour.since > born:
                linked += link in download.maps or neighbour.peer in download.candidates
            else:
                linked += bool(download.maps.get(link))
        if dialled + linked >= ENOUGH * self._settings.links_per_content:
            return 0
        return most - dialled - linked

    def _is_ours_to_dial(self, peer: PeerId, candidate: Candidate) -> bool:
        """Two leechers that hear of each other at once would both dial, and one link be thrown away.

        So the lower id dials first; the other only if that has led to nothing.
        """
        waited = self._turn.now - candidate.since >= POLITE_SECONDS
        return candidate.complete or self._settings.peer < peer or waited

    def look(self, content: ContentId) -> None:
        """Ask for sources and dial known ones again."""
        download = self._downloads.fetched.get(content)
        if download is None:
            return
        pause = LOOK_EVERY if any(download.maps.values()) else LOOK_AGAIN
        if download.looks < EARLY_LOOKS:
            # In a flash crowd nobody has announced yet when the first query goes out.
            pause = FIRST_PAUSE * 2**download.looks
        download.looks += 1
        self._turn.timers.set(("look", content), self._turn.now + pause)
        if not download.stopped:
            self._trackers.query(content)
            self._dial_candidates(download)

    def look_soon(self, peer: PeerId) -> None:
        """A source was lost: its downloads look for it, or others, once it may be dialled again."""
        for content, download in self._downloads.fetched.items():
            if peer in download.candidates:
                at = max(self._turn.now + 1.0, self._neighbours.may_dial_at(peer))
                self._turn.timers.set_earlier(("look", content), at)

    def shut_out(self, peer: PeerId, contents: Iterable[ContentId]) -> None:
        """A peer is blocked that wants these contents of us."""
        self._let_in.pop(peer, None)
        self._shut_out.setdefault(peer, {}).update(dict.fromkeys(contents, True))

    def let_in(self, peer: PeerId) -> None:
        """A peer is refused no more: look for it now, for after many dials in vain it rests for long."""
        self._neighbours.forgive(peer)
        self.look_soon(peer)
        wanted = self._shut_out.pop(peer, {})
        if wanted and not self._neighbours.connected(peer):
            self._let_in[peer] = wanted
            for content in list(wanted)[:SEARCHED]:
                self._trackers.query(content)

    def introduced(self, peer: PeerId) -> list[ContentId]:
        """The contents a peer that just linked is to be told of, because a push named it."""
        for download in self._downloads.fetched.values():
            download.unequal.pop(peer, None)
        self._introduce_to.pop(peer, None)
        self._let_in.pop(peer, None)
        return list(self._introduce.pop(peer, {}))
