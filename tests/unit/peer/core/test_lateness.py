"""How long a source may keep us waiting."""

from __future__ import annotations

import pytest

from bus.boundary import LinkId
from peer.core.lateness import LONGEST, TURNS, is_late
from peer.core.layout import Entry, Layout
from peer.core.source import Source

MIB = 2**20
CONTENT = "c" * 64
LEAST = 20.0


def owing(size: int, pace: float) -> Source:
    """A source that was asked for the first chunk of a file of this size, and gave others at this pace."""
    layout = Layout("file", [Entry("", size, False, CONTENT)])
    source = Source(LinkId(1), "p" * 64, True, 0.0)
    source.open()
    source.opened(64 * MIB, 0.0)
    source.ask(CONTENT, layout, 1, layout.length_of(0), 0.0)
    source.pace = pace
    return source


@pytest.mark.parametrize(
    ("size", "pace", "seconds"),
    [
        (64 * MIB, 100e6, LEAST),
        (2**31, MIB / 4, TURNS * 4),  # a chunk of 1 MiB, as others get before the next of ours
        (2**31, 0.0, LONGEST),  # it never sent a byte
        (2**35, 80e3, 16 * MIB / 80e3 * TURNS),
        (2**35, 1e3, 16 * LONGEST),
    ],
)
def test_silence_is_borne_for_as_long_as_others_may_have_their_turns(size: int, pace: float, seconds: float) -> None:
    source = owing(size, pace)
    assert not is_late(source, LEAST, seconds - 0.1)
    assert is_late(source, LEAST, seconds + 0.1)


@pytest.mark.parametrize(("size", "longest"), [(2**31, LONGEST), (2**35, 16 * LONGEST)])
def test_a_byte_now_and_then_excuses_a_want_for_so_long_as_its_chunk_is_large(size: int, longest: float) -> None:
    source = owing(size, 1000.0)
    for at in (longest - 1, longest):
        source.moved_at = at
        assert is_late(source, LEAST, at) == (at == longest)
