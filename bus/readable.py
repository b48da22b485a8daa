"""What a peer answers, as people and programs read it: the same records for `shoal --json` and for REST.

Their fields, in this order, are the keys of the JSON; programs rely on them.
"""

from __future__ import annotations

from msgspec import Struct

from bus.messages import Explained, Limits, SourceExplained


class OwnLimits(Struct, frozen=True):
    """A content with limits of its own."""

    id: str
    up: int
    """Bytes a second; 0: none of its own."""
    down: int


class LimitsInForce(Struct, frozen=True):
    """Rate limits, as `shoal limit` tells them: bytes a second; 0: unlimited."""

    id: str
    """Of this content; empty: of all together."""
    up: int
    down: int
    up_is_set: bool
    """Set while running, and so kept across restarts; else the configuration's."""
    down_is_set: bool
    effective_up: int
    """The smallest that applies."""
    effective_down: int
    contents: list[OwnLimits]


class ContentExplanation(Struct, frozen=True):
    """Why a content moves as fast as it does, as `shoal explain` tells it."""

    id: str
    name: str
    state: str
    cause: str
    """complete, paused, error, disk, no_source, choked, credit, rate_limit, priority, endgame, silent or source"""
    text: str
    rate: float
    """Bytes a second now."""
    chunks_missing: int
    chunks_free: int
    """Of those, chunks that nobody is asked for."""
    bytes_to_come: int
    bytes_unwritten: int
    limit: int
    """Bytes a second; 0: none."""
    limit_of: str
    """all, or content."""
    sources: list[SourceExplained]


def limits_in_force(told: Limits) -> LimitsInForce:
    """What `limit` and `/limits` tell."""
    own = [OwnLimits(one.content, one.up, one.down) for one in told.contents]
    return LimitsInForce(
        told.content, told.up, told.down, told.up_is_set, told.down_is_set, told.effective_up, told.effective_down, own
    )


def content_explanation(told: Explained) -> ContentExplanation:
    """What `explain` tells."""
    return ContentExplanation(
        told.content, told.name, told.state, told.cause, told.text, told.rate, told.missing, told.free,
        told.to_come, told.unwritten, told.limit, told.limit_of, told.sources,
    )  # fmt: skip
