"""This peer's opinion of the others, kept and published as it changes."""

from __future__ import annotations

from bus.boundary import ContentId, PeerId
from bus.events import ReputationChanged, ReputationForgotten
from peer.core.interface import ForgetReputation, KeepReputation
from peer.core.reputation import ReputationBook
from peer.core.settings import ReputationSettings
from peer.core.standing import Change, Standing, Verdict
from peer.core.turn import Turn


class Opinions:
    """A ReputationBook on running time, whose every change leaves the core as an effect and an event."""

    def __init__(
        self, settings: ReputationSettings, standings: dict[PeerId, Standing], run_before: float, turn: Turn
    ) -> None:
        """`run_before` is the running time of all earlier runs, seconds."""
        self.book = ReputationBook(settings, standings)
        self._run_offset = run_before - turn.now
        self._turn = turn

    @property
    def running_time(self) -> float:
        """Seconds this peer has been running in all its runs."""
        return self._run_offset + self._turn.now

    def score(self, peer: PeerId) -> float:
        return self.book.score(peer, self.running_time)

    def refused(self, peer: PeerId) -> bool:
        return self.book.refused(peer, self.running_time)

    def banned(self, peer: PeerId) -> bool:
        return self.book.banned(peer, self.running_time)

    def trusted(self, peer: PeerId) -> bool:
        return self.book.verdict(peer) == "trusted"

    def blocked(self, peer: PeerId) -> bool:
        return self.book.verdict(peer) == "blocked"

    def newcomer(self, peer: PeerId) -> bool:
        """Whether it never sent us verified bytes."""
        return self.book.newcomer(peer)

    def unproven(self, peer: PeerId) -> bool:
        """Whether it is a newcomer whom our user does not trust either, and newcomers are told apart."""
        return self.book.model.counts and self.book.newcomer(peer) and not self.trusted(peer)

    def record(self, peer: PeerId, kind: str, content: ContentId, size: int) -> None:
        """Count an event of `size` bytes about a peer."""
        changes = self.book.record(peer, kind, self.running_time, size)
        for change in changes:
            self._keep(peer, change, content, size)
        if changes:
            self._publish(peer, kind)

    def judge(self, peer: PeerId, verdict: Verdict) -> None:
        """Our user's verdict about a peer, from now on and for good; empty takes it back."""
        if change := self.book.judge(peer, verdict, self.running_time):
            self._keep(peer, change, "", 0)
            self._publish(peer, change.type)

    def forget(self, peer: PeerId) -> None:
        """Drop what is known of a peer, and our user's verdict."""
        if self.book.forget(peer):
            self._turn.add(ForgetReputation(peer))
            self._turn.publish(ReputationForgotten(peer))

    def publish_all(self) -> None:
        """Publish every standing there is: at the start."""
        for peer in self.book.known():
            self._publish(peer, "")

    def _keep(self, peer: PeerId, change: Change, content: ContentId, size: int) -> None:
        self._turn.add(KeepReputation(peer, change.type, content, size, change.change, change.standing))

    def _publish(self, peer: PeerId, cause: str) -> None:
        flags = self.book.flags(peer, self.running_time)
        events = dict(self._standing(peer).events)
        self._turn.publish(ReputationChanged(peer, round(self.score(peer), 6), flags, events, cause))

    def _standing(self, peer: PeerId) -> Standing:
        standing = self.book.standing(peer)
        assert standing is not None
        return standing
