"""On what footing a peer takes from us."""

from __future__ import annotations

from enum import Enum


class Footing(Enum):
    """What a peer gave us, or failed to; only what we saw ourselves counts."""

    KNOWN = "known"
    """It sent us verified bytes, in this run or an earlier one; or it passed on what we, a lone seed, gave it alone; or
    our user trusts it."""
    NEWCOMER = "newcomer"
    """It did not yet."""
    FREE_RIDER = "free rider"
    """Nor did it when it could have.  It is not refused and its score stays: it gets what nobody else asks for, and a
    little of the rest, until it gives something."""
