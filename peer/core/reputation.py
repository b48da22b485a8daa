"""What this peer thinks of the others, from what it verified or saw itself.

A newcomer (nobody who has sent us verified bytes) stands at 0.5; how events move a score from there is the model's
(scoring.py).  Every change is kept with its event, decay included, so the kept changes added to 0.5 give the score.

A score under 0.2 leads to refusal, two bad chunks within 24 h to a ban, in the models that refuse and ban.

Our user's verdict outranks all of that, in every model: whoever is trusted is neither refused nor banned and counts
as 0.5 at least, whoever is blocked is refused.  Events go on counting beneath it, for the day it is taken back.

Time is running time: seconds this peer has been running in all, so a jump of the wall clock
changes nothing.
"""

from __future__ import annotations

from msgspec.structs import replace

from peer.core.pauses import doubled
from peer.core.scoring import MODELS
from peer.core.settings import ReputationSettings
from peer.core.standing import (
    CORRUPTED_DATA,
    DECAY,
    MODEL_CHANGED,
    NEUTRAL,
    SUCCESSFUL_UPLOAD,
    TOOK_DATA,
    VERDICT_CHANGED,
    Change,
    Standing,
    Verdict,
)


class ReputationBook:
    """Scores of other peers.  `now` is running time in seconds."""

    def __init__(self, settings: ReputationSettings, standings: dict[str, Standing]) -> None:
        self._settings = settings
        self._standings = standings
        self.model = MODELS[settings.model](settings)

    def known(self) -> list[str]:
        """Every peer there is a standing of."""
        return list(self._standings)

    def standing(self, peer: str) -> Standing | None:
        return self._standings.get(peer)

    def score(self, peer: str, now: float) -> float:
        """The score now, decayed towards neutral; of a trusted peer no less than that."""
        standing = self._standings.get(peer)
        if standing is None or standing.model != self._settings.model:
            return NEUTRAL
        score = self.model.score(standing, now)
        return max(NEUTRAL, score) if standing.verdict == "trusted" else score

    def verdict(self, peer: str) -> Verdict:
        """Our user's, about this peer."""
        standing = self._standings.get(peer)
        return standing.verdict if standing is not None else ""

    def banned(self, peer: str, now: float) -> bool:
        standing = self._standings.get(peer)
        if standing is None or standing.verdict == "trusted":
            return False
        return self.model.bans and standing.banned_until > now

    def refused(self, peer: str, now: float) -> bool:
        """Whether we neither serve nor ask this peer now."""
        standing = self._standings.get(peer)
        if standing is not None and (standing.verdict == "blocked" or self.banned(peer, now)):
            return True
        return self.model.refuses and self.score(peer, now) < self._settings.refuse_below

    def newcomer(self, peer: str) -> bool:
        """Whether this peer never sent us verified bytes."""
        standing = self._standings.get(peer)
        return standing is None or SUCCESSFUL_UPLOAD not in standing.events

    def flags(self, peer: str, now: float) -> list[str]:
        """What a user should know: the verdict alone if there is one, for it decides."""
        if verdict := self.verdict(peer):
            return [verdict]
        flags = []
        if self.newcomer(peer):
            flags.append("newcomer")
        if self.refused(peer, now):
            flags.append("refused")
        if self.banned(peer, now):
            flags.append("banned")
        return flags

    def judge(self, peer: str, verdict: Verdict, now: float) -> Change | None:
        """Our user decided; returns what to keep of it, None if that is nothing new."""
        if verdict == self.verdict(peer):
            return None
        standing = self._standings.get(peer, Standing(updated=now, model=self._settings.model))
        self._standings[peer] = judged = replace(standing, verdict=verdict)
        return Change(VERDICT_CHANGED[verdict], 0.0, judged)

    def forget(self, peer: str) -> bool:
        """Drop all that is known of a peer, the verdict too; whether there was anything."""
        return self._standings.pop(peer, None) is not None

    def record(self, peer: str, kind: str, now: float, size: int) -> list[Change]:
        """Count an event of `size` bytes and return the changes it made, decay first; none if the model ignores it."""
        if kind == TOOK_DATA and not self.model.counts_taken:
            return []
        name = self._settings.model
        standing = self._standings.get(peer, Standing(updated=now, model=name))
        changes: list[Change] = []
        if standing.model != name:
            anew = replace(standing, score=NEUTRAL, updated=now, model=name, good=0.0, bad=0.0)
            standing = _note(changes, MODEL_CHANGED, standing, anew)
        aged = self.model.aged(standing, now)
        if abs(aged.score - standing.score) > 1e-12:
            standing = _note(changes, DECAY, standing, aged)
        counts = standing.events | {kind: standing.events.get(kind, 0) + 1}
        counted = replace(self.model.after(aged, kind, size), events=counts)
        if kind == CORRUPTED_DATA and self.model.bans:
            counted = self._count_corruption(counted, now)
        self._standings[peer] = _note(changes, kind, standing, counted)
        return changes

    def _count_corruption(self, standing: Standing, now: float) -> Standing:
        settings = self._settings
        recent = (*(at for at in standing.corrupted_at if now - at < settings.ban_within), now)
        if len(recent) < settings.ban_after:
            return replace(standing, corrupted_at=recent)
        # They are paid for; the next ban needs new ones.
        length = doubled(settings.ban_first, standing.bans, settings.ban_longest)
        return replace(standing, corrupted_at=(), banned_until=now + length, bans=standing.bans + 1)


def _note(changes: list[Change], kind: str, before: Standing, after: Standing) -> Standing:
    changes.append(Change(kind, after.score - before.score, after))
    return after
