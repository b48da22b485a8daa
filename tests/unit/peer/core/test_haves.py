"""What neighbours said of contents that are not on our shelf."""

from __future__ import annotations

import random

from bus.boundary import LinkId
from bus.messages import Have
from peer.core.haves import MAX_INTERESTS, Haves
from peer.core.shelf import Shelf
from peer.core.turn import Turn

CONTENT = "c" * 64
LINK = LinkId(1)
PART = Have(CONTENT, 0, b"", part=True)


def empty() -> Haves:
    turn = Turn(random.Random(1), 0.0, 0.0)
    return Haves(turn, Shelf(turn))


def test_who_wants_a_part_of_what_is_not_offered_now_is_known_once_it_is() -> None:
    haves = empty()
    assert haves.received(LINK, PART) == (0, False)
    assert haves.wants_part(LINK, CONTENT)
    haves.received(LINK, Have(CONTENT, 0, b""))
    assert not haves.wants_part(LINK, CONTENT)


def test_wishes_for_parts_are_bounded_and_end_with_the_link() -> None:
    haves = empty()
    for number in range(MAX_INTERESTS):
        haves.received(LINK, Have(f"{number:064x}", 0, b"", part=True))
    haves.received(LINK, PART)
    assert not haves.wants_part(LINK, CONTENT)
    haves.link_lost(LINK)
    assert not haves.wants_part(LINK, f"{0:064x}")
