"""What is kept of another peer, and the kinds of events that change it.

    SUCCESSFUL_UPLOAD    it sent us verified bytes: the first ever, once per unit (64 MiB), the rest of a stream
    SUCCESSFUL_DOWNLOAD  it finished a download from us
    REFUSED_UPLOAD       it refused a chunk it offered, inside an open stream, without an excuse
    TIMED_OUT            on a live link, with credit left, no byte of a wanted chunk for too long
    CORRUPTED_DATA       a chunk from it failed verification
    TOOK_DATA            it took bytes from us: once per unit, and once for the rest of a stream

TOOK_DATA is kept only by models in which it counts.  DECAY is no event of its own: the score drifted back towards
neutral since the last one.  MODEL_CHANGED neither: the configuration names another model, which begins anew.  Nor are
TRUSTED, BLOCKED and CLEARED: our user's verdict changed, and the score stayed.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

NEUTRAL: Final = 0.5

SUCCESSFUL_UPLOAD: Final = "SUCCESSFUL_UPLOAD"
SUCCESSFUL_DOWNLOAD: Final = "SUCCESSFUL_DOWNLOAD"
REFUSED_UPLOAD: Final = "REFUSED_UPLOAD"
TIMED_OUT: Final = "TIMED_OUT"
CORRUPTED_DATA: Final = "CORRUPTED_DATA"
TOOK_DATA: Final = "TOOK_DATA"
DECAY: Final = "DECAY"
MODEL_CHANGED: Final = "MODEL_CHANGED"

Verdict = Literal["", "trusted", "blocked"]
"""What our user decided about a peer, whatever its score; empty: nothing."""
VERDICT_CHANGED: Final[dict[Verdict, str]] = {"trusted": "TRUSTED", "blocked": "BLOCKED", "": "CLEARED"}
"""As what a new verdict is kept among the events."""


class Standing(Struct, frozen=True):
    """What is kept of one peer."""

    score: float = NEUTRAL
    updated: float = 0.0
    """Running time of the last change."""
    events: dict[str, int] = {}
    """Count of each kind of event."""
    corrupted_at: tuple[float, ...] = ()
    """Running times of bad chunks within the ban window."""
    bans: int = 0
    banned_until: float = 0.0
    model: str = "smoothing"
    """Whose the score is."""
    good: float = 0.0
    """What speaks for the peer, in the model's own measure; 0 in a model that keeps the score alone."""
    bad: float = 0.0
    """What speaks against it."""
    verdict: Verdict = ""
    """Our user's; it leaves all the rest as it is."""


class Change(Struct, frozen=True):
    """One change of a score: DECAY, MODEL_CHANGED, a verdict (a change of 0), or the kind of event."""

    type: str
    change: float
    standing: Standing
    """After it."""
