"""The tracker's memory: leases and swarms, changed together and saved together.

Every public method that changes something returns `Changes`: what to publish, what to save,
and which contents changed.  Their order is the order of the lists that caused them, never a
set's, so the same events give the same effects.

    a peer is a member of exactly the swarms of the contents on its list
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bus.boundary import ContentId, PeerId
from bus.errors import ShoalError
from bus.events import ContentAnnounced, ContentForgotten, Event, PeerExpired, PeerRegistered
from bus.messages import Announce, ContentEntry, Version
from tracker.core.addresses import Network, Place, Reach, place_of, reach_of
from tracker.core.interface import (
    Change,
    ContentGone,
    ContentRecord,
    Limits,
    OfferGone,
    OfferRecord,
    PeerGone,
    PeerRecord,
    SavedState,
)
from tracker.core.leases import Lease, Leases
from tracker.core.staging import Staging, check_count, check_entries
from tracker.core.swarms import Swarm


class Changes:
    """What one message changed."""

    __slots__ = ("contents", "events", "saved")

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.saved: list[Change] = []
        self.contents: dict[ContentId, None] = {}


class Registry:
    """Who is registered, with what."""

    __slots__ = ("_limits", "leases", "swarms")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.leases = Leases(limits.keys_per_address)
        self.swarms: dict[ContentId, Swarm] = {}

    def register(self, peer: PeerId, seen: Place, staging: Staging, reach: Reach, now: float) -> tuple[Lease, Changes]:
        """Replace a peer's list by the staged one.

        Raises:
            ShoalError: ERR_LIMIT when its address holds too many keys; nothing is changed then.
        """
        changes = Changes()
        before = self.leases.get(peer)
        shown_before = _shown(before) if before else None
        lease = self.leases.open(peer, seen, reach)
        lease.name = staging.first.name
        lease.version = staging.first.version
        lease.expires = now + self._limits.lease
        gone = [content for content in lease.contents if content not in staging.entries]
        changes.saved.append(_peer_record(lease))
        self._take_off(lease, gone, changes)
        self._put_on(lease, staging.entries.values(), changes)
        self._settle(changes)
        if _shown(lease) != shown_before:
            changes.events.append(_shown(lease))
        return lease, changes

    def announce(self, lease: Lease, message: Announce, now: float) -> Changes:
        """Change a peer's list.

        Raises:
            ShoalError: ERR_PATH for a bad name, ERR_LIMIT for too long a list; nothing is changed then.
        """
        added = message.added
        check_entries(added)
        held = lease.contents
        kept = {entry.id: None for entry in added}
        gone = {one: None for one in message.removed if one in held and one not in kept}
        new = sum(one not in held for one in kept)
        check_count(len(held) - len(gone) + new, self._limits.contents_per_key)
        changes = Changes()
        count = len(lease.contents)
        lease.version = message.version
        lease.expires = now + self._limits.lease
        changes.saved.append(_peer_record(lease))
        self._take_off(lease, gone, changes)
        self._put_on(lease, added, changes)
        self._settle(changes)
        if len(lease.contents) != count:
            changes.events.append(_shown(lease))
        return changes

    def renew(self, lease: Lease, now: float) -> None:
        """Believe a registration for another lease."""
        lease.expires = now + self._limits.lease

    def moved(self, lease: Lease, seen: Place) -> Changes:
        """Note that a peer is seen at another address.

        Raises:
            ShoalError: ERR_LIMIT when that address holds too many keys; nothing is changed then.
        """
        changes = Changes()
        if lease.seen.address != seen.address:
            self.leases.open(lease.peer, seen, lease.reach)
            changes.saved.append(_peer_record(lease))
            changes.events.append(_shown(lease))
        return changes

    def end(self, lease: Lease, reason: str) -> Changes:
        """Forget a peer and its list."""
        changes = Changes()
        self._take_off(lease, list(lease.contents), changes, saved=False)
        self.leases.close(lease)
        changes.saved.append(PeerGone(lease.peer))
        changes.events.append(PeerExpired(lease.peer, reason))
        self._settle(changes)
        return changes

    def restore(self, state: SavedState, exempt: Sequence[Network], now: float) -> Changes:
        """Take over what was saved before a restart, every lease whole again.

        Leases are renewed, not judged: how long the tracker was down says nothing about the peers.
        """
        changes = Changes()
        for record in state.peers:
            try:
                reach = reach_of(record.port, record.loopback, record.advertise, record.addresses, record.encrypted)
                lease = self.leases.open(record.peer, place_of(record.address, exempt), reach)
            except (ValueError, ShoalError):  # a damaged row, or a limit that was higher before the restart
                changes.saved.append(PeerGone(record.peer))
                continue
            lease.name = record.name
            lease.version = Version(record.epoch, record.n)
            lease.expires = now + self._limits.lease
        for offer in state.offers:
            owner = self.leases.get(offer.peer)
            if owner is not None:
                entry = ContentEntry(offer.content, offer.name, offer.kind, offer.size, offer.complete)
                self._put(owner, entry, None)
        for content in state.contents:
            swarm = self.swarms.get(content.id)
            if swarm is None:
                changes.saved.append(ContentGone(content.id))
            else:
                swarm.recall(content.name, content.kind, content.size)
        for swarm in self.swarms.values():
            self._save_wording(swarm, changes)
        changes.events += [_shown(lease) for lease in self.leases.all()]
        changes.events += [_announced(swarm) for swarm in self.swarms.values()]
        return changes

    def _put_on(self, lease: Lease, entries: Iterable[ContentEntry], changes: Changes) -> None:
        for entry in entries:
            old = lease.contents.get(entry.id)
            if old != entry:
                self._put(lease, entry, old)
                changes.contents[entry.id] = None
                changes.saved.append(
                    OfferRecord(lease.peer, entry.id, entry.name, entry.kind, entry.size, entry.complete)
                )

    def _put(self, lease: Lease, entry: ContentEntry, old: ContentEntry | None) -> None:
        swarm = self.swarms.get(entry.id)
        if swarm is None:
            swarm = self.swarms[entry.id] = Swarm(entry.id)
        lease.contents[entry.id] = entry
        swarm.put(lease, entry, old)

    def _take_off(self, lease: Lease, contents: Iterable[ContentId], changes: Changes, saved: bool = True) -> None:
        for content in contents:
            entry = lease.contents.pop(content)
            self.swarms[content].drop(lease, entry)
            changes.contents[content] = None
            if saved:
                changes.saved.append(OfferGone(lease.peer, content))

    def _settle(self, changes: Changes) -> None:
        """Publish and save what became of every content that changed."""
        for content in changes.contents:
            swarm = self.swarms[content]
            if not swarm.members:
                del self.swarms[content]
                changes.saved.append(ContentGone(content))
                changes.events.append(ContentForgotten(content))
                continue
            changes.events.append(_announced(swarm))
            self._save_wording(swarm, changes)

    def _save_wording(self, swarm: Swarm, changes: Changes) -> None:
        if swarm.worded_anew():
            changes.saved.append(ContentRecord(swarm.content, swarm.name, swarm.kind, swarm.size))

    def check_invariants(self) -> None:
        """Raises AssertionError if leases and swarms disagree; for tests."""
        self.leases.check_invariants()
        for lease in self.leases.all():
            assert all(lease.peer in self.swarms[content] for content in lease.contents), lease
            assert len(lease.contents) <= self._limits.contents_per_key, lease
        for content, swarm in self.swarms.items():
            assert swarm.members, swarm
            assert all(self.leases.get(member.peer) is member for member in swarm.members), swarm
            assert all(content in member.contents for member in swarm.members), swarm
            swarm.check_invariants()


def _shown(lease: Lease) -> PeerRegistered:
    return PeerRegistered(lease.peer, lease.name, lease.seen.address, len(lease.contents))


def _announced(swarm: Swarm) -> ContentAnnounced:
    return ContentAnnounced(swarm.content, swarm.name, swarm.kind, swarm.size, swarm.seeds, swarm.leechers)


def _peer_record(lease: Lease) -> PeerRecord:
    reach = lease.reach
    return PeerRecord(
        lease.peer, lease.name, lease.seen.address, reach.port, reach.loopback,
        list(reach.advertise), list(reach.addresses), lease.version.epoch, lease.version.n, reach.encrypted,
    )  # fmt: skip
