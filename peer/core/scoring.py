"""How events about a peer make its score: the models that config.yaml names.

Every model keeps scores in [0, 1], begins at 0.5 and drifts back there; what it keeps beside the score stands in
`Standing.good` and `.bad`, so that a restart changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from msgspec.structs import replace

from peer.core.settings import ReputationSettings
from peer.core.standing import (
    CORRUPTED_DATA,
    NEUTRAL,
    REFUSED_UPLOAD,
    SUCCESSFUL_DOWNLOAD,
    SUCCESSFUL_UPLOAD,
    TIMED_OUT,
    TOOK_DATA,
    Standing,
)


class ScoringModel(ABC):
    """A score's arithmetic.  Times are running time, seconds."""

    refuses = True
    """Whether a low score alone is a reason to refuse a peer."""
    bans = True
    """Whether bad chunks ban a peer."""
    counts = True
    """Whether peers are told apart at all: what they give weighs where they take."""
    counts_taken = False
    """Whether TOOK_DATA counts."""

    def __init__(self, settings: ReputationSettings) -> None:
        self._settings = settings
        self._delta = {
            SUCCESSFUL_UPLOAD: settings.successful_upload,
            SUCCESSFUL_DOWNLOAD: settings.successful_download,
            REFUSED_UPLOAD: settings.refused_upload,
            TIMED_OUT: settings.timed_out,
            CORRUPTED_DATA: settings.corrupted_data,
        }

    @abstractmethod
    def aged(self, standing: Standing, now: float) -> Standing:
        """The standing as time alone has left it."""

    def score(self, standing: Standing, now: float) -> float:
        """The score alone, as time has left it."""
        return self.aged(standing, now).score

    @abstractmethod
    def after(self, standing: Standing, kind: str, size: int) -> Standing:
        """The standing after an event of `size` bytes."""

    def _delta_of(self, standing: Standing, kind: str, size: int) -> float:
        """The change that config.yaml gives for an event; an upload's is for a whole unit, or a peer's first."""
        delta = self._delta.get(kind, 0.0)
        if kind != SUCCESSFUL_UPLOAD or kind not in standing.events:
            return delta
        return delta * min(1.0, size / self._settings.upload_unit)


class Smoothing(ScoringModel):
    """score += alpha * (clamp(score + delta, 0, 1) - score)

    REFUSED_UPLOAD and TIMED_OUT never push a score under 0.25 (a slow peer is not a liar); only bad data leads to
    refusal.  SUCCESSFUL_DOWNLOAD lifts to 0.55 at most.  Smoothing towards clamped targets, not a currency:
    balances that can be earned by talk are what sank trust in earlier systems.
    """

    def aged(self, standing: Standing, now: float) -> Standing:
        return replace(standing, score=self.score(standing, now), updated=now)

    def score(self, standing: Standing, now: float) -> float:
        left = _left(now - standing.updated, self._settings.half_life)
        return NEUTRAL + (standing.score - NEUTRAL) * left

    def after(self, standing: Standing, kind: str, size: int) -> Standing:
        settings, score = self._settings, standing.score
        target = min(1.0, max(0.0, score + self._delta_of(standing, kind, size)))
        moved = score + settings.alpha * (target - score)
        if kind in (REFUSED_UPLOAD, TIMED_OUT):
            moved = max(moved, min(score, settings.soft_floor))
        if kind == SUCCESSFUL_DOWNLOAD:
            moved = min(moved, max(score, settings.download_ceiling))
        return replace(standing, score=moved)


class Unscored(ScoringModel):
    """Everybody stands at 0.5 and nobody is refused or banned; events are counted all the same."""

    refuses = False
    bans = False
    counts = False

    def aged(self, standing: Standing, now: float) -> Standing:
        return replace(standing, updated=now)

    def after(self, standing: Standing, kind: str, size: int) -> Standing:
        return standing


class TitForTat(ScoringModel):
    """(given + unit/2) / (given + taken + unit), of the bytes a peer gave us and took from us lately.

    Nobody is refused for it: a seed takes from nobody, and would refuse them all.  Bad chunks still ban.
    Source: the reciprocity of Cohen 2003, as a share and with a memory.
    """

    refuses = False
    counts_taken = True

    def aged(self, standing: Standing, now: float) -> Standing:
        left = _left(now - standing.updated, self._settings.tit_for_tat_half_life)
        return self._scored(replace(standing, updated=now), standing.good * left, standing.bad * left)

    def after(self, standing: Standing, kind: str, size: int) -> Standing:
        given = size if kind == SUCCESSFUL_UPLOAD else 0
        taken = size if kind == TOOK_DATA else 0
        return self._scored(standing, standing.good + given, standing.bad + taken)

    def _scored(self, standing: Standing, given: float, taken: float) -> Standing:
        unit = self._settings.upload_unit
        return replace(standing, score=(given + unit / 2) / (given + taken + unit), good=given, bad=taken)


class Beta(ScoringModel):
    """(r + 1) / (r + s + 2), of what speaks for a peer (r) and against it (s), both forgotten by half in a half-life.

    An event weighs 4 * alpha * |delta|, so that the first one moves a newcomer about as smoothing would; a peer of
    whom much is known moves less.  The floor and the ceiling of smoothing hold here too.

    Source: the beta reputation system, Josang and Ismail 2002.
    """

    def aged(self, standing: Standing, now: float) -> Standing:
        left = _left(now - standing.updated, self._settings.half_life)
        return _beta(replace(standing, updated=now), standing.good * left, standing.bad * left)

    def after(self, standing: Standing, kind: str, size: int) -> Standing:
        good, bad = standing.good, standing.bad
        delta = self._delta_of(standing, kind, size)
        weight = 4 * self._settings.alpha * abs(delta)
        if delta > 0:
            most = self._most_good(bad) if kind == SUCCESSFUL_DOWNLOAD else good + weight
            return _beta(standing, max(good, min(good + weight, most)), bad)
        most = bad + weight if kind == CORRUPTED_DATA else self._most_bad(good)
        return _beta(standing, good, max(bad, min(bad + weight, most)))

    def _most_good(self, bad: float) -> float:
        """The r of a score at the ceiling."""
        ceiling = self._settings.download_ceiling
        return (ceiling * (bad + 2) - 1) / (1 - ceiling) if ceiling < 1 else float("inf")

    def _most_bad(self, good: float) -> float:
        """The s of a score at the floor."""
        floor = self._settings.soft_floor
        return (good + 1) / floor - good - 2 if floor > 0 else float("inf")


def _beta(standing: Standing, good: float, bad: float) -> Standing:
    return replace(standing, score=(good + 1) / (good + bad + 2), good=good, bad=bad)


def _left(elapsed: float, half_life: float) -> float:
    """What is left of something that halves in every half-life."""
    return float(0.5 ** (max(0.0, elapsed) / half_life))


MODELS: Final[dict[str, type[ScoringModel]]] = {
    "smoothing": Smoothing,
    "none": Unscored,
    "tit-for-tat": TitForTat,
    "beta": Beta,
}
