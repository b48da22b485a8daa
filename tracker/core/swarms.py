"""Swarms: who has each content, how many of them have all of it, and what it is called.

Names, kinds and sizes come from announcers, who may lie; a downloader checks what it gets
against the id, so here a simple rule does.  The name is the one most members give (one vote
a member; in a tie the one that led before stays).  Kind and size are those of the first
complete announcer, or of the first that names a kind while nobody is complete.

    members[:seeds] have all of it, members[seeds:] do not; votes = members that give a name
"""

from __future__ import annotations

from bus.boundary import ContentId, PeerId
from bus.messages import ContentEntry, Kind
from tracker.core.leases import Lease


class Swarm:
    """The members of one content."""

    __slots__ = ("_position", "_votes", "_worded", "content", "described", "kind", "members", "name", "seeds", "size")

    def __init__(self, content: ContentId) -> None:
        self.content = content
        self.members: list[Lease] = []
        """Seeds first, else in no order: a random sample costs no more than its own size, and asks no member for its
        list to tell which it is, which with many contents would be memory that no cache holds."""
        self._position: dict[PeerId, int] = {}
        self._votes: dict[str, int] = {}
        self.seeds = 0
        self.name = ""
        self.kind: Kind = ""
        self.size = 0
        self.described = False
        """Kind and size are from a complete announcer."""
        self._worded: tuple[str, str, int] | None = None

    def __repr__(self) -> str:
        return f"<Swarm {self.content[:8]} {self.name!r} {self.seeds} seeds {self.leechers} leechers>"

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._position

    def is_seed(self, peer: PeerId) -> bool:
        """Whether a member has all of it."""
        return self._position[peer] < self.seeds

    @property
    def leechers(self) -> int:
        return len(self.members) - self.seeds

    def put(self, lease: Lease, entry: ContentEntry, old: ContentEntry | None) -> None:
        """Add a member, or replace what it said before (`old`)."""
        if old is None:
            self._position[lease.peer] = len(self.members)
            self.members.append(lease)
        self._count(self._position[lease.peer], entry.complete)
        if old is None or old.name != entry.name:
            # The new vote first: a leader that is only replaced must not lose a tie on the way.
            self._vote(entry.name)
            if old is not None:
                self._unvote(old.name)
        self._describe(entry)

    def drop(self, lease: Lease, entry: ContentEntry) -> None:
        """Remove a member; `entry` is what it said last."""
        self._swap(self._count(self._position[lease.peer], complete=False), len(self.members) - 1)
        self.members.pop()
        del self._position[lease.peer]
        self._unvote(entry.name)

    def recall(self, name: str, kind: Kind, size: int) -> None:
        """Take over what was saved before a restart, where it agrees with what the members say."""
        if self._votes.get(name, 0) == self._votes.get(self.name, 0):
            self.name = name
        if kind:
            self.kind, self.size = kind, size
            self.described = self.seeds > 0
        self._worded = (name, kind, size)

    def worded_anew(self) -> bool:
        """Whether name, kind or size differ from when this was asked last."""
        before, self._worded = self._worded, (self.name, self.kind, self.size)
        return before != self._worded

    def _count(self, position: int, complete: bool) -> int:
        """Count the member there as a seed or not; returns its position then."""
        if complete == (position < self.seeds):
            return position
        border = self.seeds if complete else self.seeds - 1
        self._swap(position, border)
        self.seeds += 1 if complete else -1
        return border

    def _swap(self, one: int, other: int) -> None:
        members, position = self.members, self._position
        members[one], members[other] = members[other], members[one]
        position[members[one].peer], position[members[other].peer] = one, other

    def _vote(self, name: str) -> None:
        if name:
            votes = self._votes[name] = self._votes.get(name, 0) + 1
            if votes > self._votes.get(self.name, 0):
                self.name = name

    def _unvote(self, name: str) -> None:
        if not name:
            return
        votes = self._votes
        votes[name] -= 1
        if name == self.name:
            best = max(votes, key=votes.__getitem__)
            if votes[best] > votes[name]:
                self.name = best
        if not votes[name]:
            del votes[name]
            if name == self.name:
                self.name = ""

    def _describe(self, entry: ContentEntry) -> None:
        if not entry.kind or self.described or (self.kind and not entry.complete):
            return
        self.kind, self.size, self.described = entry.kind, entry.size, entry.complete

    def check_invariants(self) -> None:
        """Raises AssertionError if the counts and indexes disagree with the members; for tests."""
        said = [lease.contents[self.content] for lease in self.members]
        assert [entry.complete for entry in said] == [number < self.seeds for number in range(len(said))], self
        votes: dict[str, int] = {}
        for entry in said:
            if entry.name:
                votes[entry.name] = votes.get(entry.name, 0) + 1
        assert self._votes == votes, self
        assert votes.get(self.name, 0) == max(votes.values(), default=0), self
        assert self._position == {lease.peer: i for i, lease in enumerate(self.members)}, self
