"""What this peer thinks of the others, from what it verified or saw itself.

    score += alpha * (clamp(score + delta, 0, 1) - score)

in [0, 1]; a newcomer (nobody who has sent us verified bytes) stands at 0.5.  Every change is
kept with its event, decay included, so the kept changes added to 0.5 give the score.

    SUCCESSFUL_UPLOAD    it sent us verified bytes: once per 64 MiB, and once for the rest of a stream
    SUCCESSFUL_DOWNLOAD  it finished a download from us; lifts a score to 0.55 at most
    REFUSED_UPLOAD       it refused a chunk it offered, inside an open stream, without an excuse
    TIMED_OUT            on a live link, with credit left, no byte of a wanted chunk for too long
    CORRUPTED_DATA       a chunk from it failed verification

REFUSED_UPLOAD and TIMED_OUT never push a score under 0.25 (a slow peer is not a liar); only
bad data leads to refusal (under 0.2), and two bad chunks within 24 h to a ban.

Time is running time: seconds this peer has been running in all, so a jump of the wall clock
changes nothing.  Exponential smoothing towards clamped targets, not a currency: balances that
can be earned by talk are what sank trust in earlier systems.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from peer.core.settings import ReputationSettings

NEUTRAL: Final = 0.5

SUCCESSFUL_UPLOAD: Final = "SUCCESSFUL_UPLOAD"
SUCCESSFUL_DOWNLOAD: Final = "SUCCESSFUL_DOWNLOAD"
REFUSED_UPLOAD: Final = "REFUSED_UPLOAD"
TIMED_OUT: Final = "TIMED_OUT"
CORRUPTED_DATA: Final = "CORRUPTED_DATA"
DECAY: Final = "DECAY"


class Standing(Struct):
    """What is kept of one peer."""

    score: float = NEUTRAL
    updated: float = 0.0
    """Running time of the last change."""
    events: dict[str, int] = {}
    """Count of each kind of event."""
    corrupted_at: list[float] = []
    """Running times of bad chunks within the ban window."""
    bans: int = 0
    banned_until: float = 0.0


class Change(Struct, frozen=True):
    """One change of a score: DECAY, or the kind of event."""

    type: str
    change: float
    score: float


class ReputationBook:
    """Scores of other peers.  `now` is running time in seconds."""

    def __init__(self, settings: ReputationSettings, standings: dict[str, Standing]) -> None:
        self._settings = settings
        self._standings = standings
        self._delta = {
            SUCCESSFUL_UPLOAD: settings.successful_upload,
            SUCCESSFUL_DOWNLOAD: settings.successful_download,
            REFUSED_UPLOAD: settings.refused_upload,
            TIMED_OUT: settings.timed_out,
            CORRUPTED_DATA: settings.corrupted_data,
        }

    def known(self) -> list[str]:
        """Every peer there is a standing of."""
        return list(self._standings)

    def standing(self, peer: str) -> Standing | None:
        return self._standings.get(peer)

    def score(self, peer: str, now: float) -> float:
        """The score now, decayed towards neutral."""
        standing = self._standings.get(peer)
        return NEUTRAL if standing is None else self._decayed(standing, now)

    def banned(self, peer: str, now: float) -> bool:
        standing = self._standings.get(peer)
        return standing is not None and standing.banned_until > now

    def refused(self, peer: str, now: float) -> bool:
        """Whether we neither serve nor ask this peer now."""
        return self.banned(peer, now) or self.score(peer, now) < self._settings.refuse_below

    def newcomer(self, peer: str) -> bool:
        """Whether this peer never sent us verified bytes."""
        standing = self._standings.get(peer)
        return standing is None or SUCCESSFUL_UPLOAD not in standing.events

    def flags(self, peer: str, now: float) -> list[str]:
        flags = []
        if self.newcomer(peer):
            flags.append("newcomer")
        if self.refused(peer, now):
            flags.append("refused")
        if self.banned(peer, now):
            flags.append("banned")
        return flags

    def record(self, peer: str, kind: str, now: float) -> list[Change]:
        """Count an event and return the changes it made, decay first."""
        standing = self._standings.get(peer)
        if standing is None:
            standing = self._standings[peer] = Standing(updated=now, events={}, corrupted_at=[])
        changes = []
        decayed = self._decayed(standing, now)
        if abs(decayed - standing.score) > 1e-12:
            changes.append(Change(DECAY, decayed - standing.score, decayed))
        score = self._after(kind, decayed)
        changes.append(Change(kind, score - decayed, score))
        standing.score, standing.updated = score, now
        standing.events[kind] = standing.events.get(kind, 0) + 1
        if kind == CORRUPTED_DATA:
            self._count_corruption(standing, now)
        return changes

    def _after(self, kind: str, score: float) -> float:
        settings = self._settings
        target = min(1.0, max(0.0, score + self._delta[kind]))
        moved = score + settings.alpha * (target - score)
        if kind in (REFUSED_UPLOAD, TIMED_OUT):
            return max(moved, min(score, settings.soft_floor))
        if kind == SUCCESSFUL_DOWNLOAD:
            return min(moved, max(score, settings.download_ceiling))
        return moved

    def _decayed(self, standing: Standing, now: float) -> float:
        elapsed = max(0.0, now - standing.updated)
        return float(NEUTRAL + (standing.score - NEUTRAL) * 0.5 ** (elapsed / self._settings.half_life))

    def _count_corruption(self, standing: Standing, now: float) -> None:
        settings = self._settings
        standing.corrupted_at = [at for at in standing.corrupted_at if now - at < settings.ban_within] + [now]
        if len(standing.corrupted_at) < settings.ban_after:
            return
        length = min(settings.ban_first * 2**standing.bans, settings.ban_longest)
        standing.banned_until = now + length
        standing.bans += 1
        standing.corrupted_at = []
