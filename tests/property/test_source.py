"""A stream in: a message of whole chunks is taken at one look, and nothing is different for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bus.boundary import LinkId
from bus.errors import RemoteProtocolError
from bus.messages import Data
from peer.core.layout import Entry, Layout
from peer.core.source import Source

CONTENT = "c" * 64
SIZES = (5, 0, 2**17, 2**17 + 3, 1, 300_000, 7)
LAYOUT = Layout("tree", [Entry(f"{number}", size, False, "ab" * 32) for number, size in enumerate(SIZES)])
LAST = LAYOUT.chunks - 1


def asked(mask: int, begun: bool) -> Source:
    """With a want for these chunks, and for one that has begun or will never come."""
    source = Source(LinkId(1), "p" * 64, dialled=True, now=0.0)
    source.open()
    source.opened(10**7, 0.0)
    source.ask(CONTENT, LAYOUT, mask | 1 << LAST, LAYOUT.bytes_in(mask | 1 << LAST), 0.0)
    source.window.announce(10**7)
    if begun:
        source.receive(Data(1, 0, 1, [(LAST, 0, 1)]), 1, 0.0)
    return source


whole = st.integers(0, LAST).map(lambda chunk: LAYOUT.whole([chunk])[0])
odd = st.tuples(st.integers(0, LAST + 2), st.integers(0, 2), st.integers(1, 5))


@given(st.integers(0, 2**LAST - 1), st.lists(st.one_of(whole, whole, odd), min_size=1, max_size=5))
def test_what_came_is_the_same_however_it_is_looked_at(mask, parts):
    size = sum(length for _, _, length in parts)
    outcomes: list[object] = []
    for begun in (False, True):  # what has begun is looked at part by part
        source = asked(mask, begun)
        try:
            arrived = source.receive(Data(1, source.window.received, 1, parts), size, 1.0)
        except RemoteProtocolError as error:
            outcomes.append(repr(error))
            continue
        source.check_invariants()
        rest = source.asked[1].mask if 1 in source.asked else 0
        outcomes.append((arrived.parts, arrived.useful, rest))
    if any(chunk == LAST for chunk, _, _ in parts):
        return  # of which one byte had come in one of them
    assert outcomes[0] == outcomes[1]
