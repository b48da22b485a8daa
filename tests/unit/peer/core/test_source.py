"""One stream in: every byte is counted, only asked ones are stored."""

from __future__ import annotations

import pytest

from bus.boundary import LinkId
from bus.errors import RemoteProtocolError
from bus.messages import Data
from peer.core.layout import Entry, Layout
from peer.core.source import SKIP, TELLING, Source, SourceState

CHUNK = 128 * 1024
CONTENT = "c" * 64
LAYOUT = Layout("file", [Entry("", 4 * CHUNK, False, CONTENT)])


def opened(window: int = 10**7) -> Source:
    source = Source(LinkId(1), "p" * 64, dialled=True, now=0.0)
    source.open()
    source.opened(window, 0.0)
    return source


def asked(mask: int = 0b1) -> Source:
    source = opened()
    source.ask(CONTENT, LAYOUT, mask, mask.bit_count() * CHUNK, 0.0)
    source.window.announce(10**7)
    return source


def data(source: Source, *parts: tuple[int, int, int], want: int = 1) -> tuple[Data, int]:
    return Data(source.stream, source.window.received, want, list(parts)), sum(length for _, _, length in parts)


def test_streams_are_odd_if_we_dialled_and_rise() -> None:
    source = opened()
    assert source.stream == 1
    source.close()
    assert source.open() == 3
    assert Source(LinkId(1), "p" * 64, dialled=False, now=0.0).open() == 2


def test_a_chunk_that_came_whole_settles_its_want() -> None:
    source = asked()
    arrived = source.receive(*data(source, (0, 0, CHUNK)), now=1.0)
    assert (arrived.parts, arrived.useful) == (((0, 0, CHUNK),), CHUNK)
    assert source.asked == {}
    assert source.unreceived == 0


def test_a_chunk_may_come_in_parts_over_several_messages() -> None:
    source = asked()
    source.receive(*data(source, (0, 0, 1000)), now=1.0)
    assert source.unreceived == CHUNK - 1000
    source.receive(*data(source, (0, 1000, CHUNK - 1000)), now=1.0)
    assert source.asked == {}
    source.check_invariants()


def test_unasked_parts_are_skipped_and_the_rest_is_stored() -> None:
    source = asked(0b10)
    arrived = source.receive(*data(source, (0, 0, 500), (1, 0, CHUNK)), now=1.0)
    assert arrived.parts == ((SKIP, 0, 500), (1, 0, CHUNK))
    assert arrived.useful == CHUNK


def test_a_chunk_that_comes_twice_in_one_message_is_stored_once() -> None:
    source = asked(0b11)
    arrived = source.receive(*data(source, (0, 0, CHUNK), (0, 0, CHUNK), (1, 0, 500)), now=1.0)
    assert arrived.parts == ((0, 0, CHUNK), (SKIP, 0, CHUNK), (1, 0, 500))
    assert source.unreceived == CHUNK - 500
    source.check_invariants()


def test_bytes_of_an_unknown_want_are_not_stored() -> None:
    source = asked()
    arrived = source.receive(*data(source, (0, 0, CHUNK), want=9), now=1.0)
    assert (arrived.asked, arrived.parts) == (None, ())


def test_a_part_out_of_order_is_skipped() -> None:
    source = asked()
    assert source.receive(*data(source, (0, 1000, 500)), now=1.0).parts == ()


def test_a_part_beyond_its_chunk_is_the_remote_peers_fault() -> None:
    source = asked()
    with pytest.raises(RemoteProtocolError, match="chunk 0 has 131072 bytes"):
        source.receive(*data(source, (0, 0, CHUNK + 1)), now=1.0)


def test_parts_that_do_not_add_up_are_the_remote_peers_fault() -> None:
    source = asked()
    with pytest.raises(RemoteProtocolError, match="do not add up"):
        source.receive(Data(1, 0, 1, [(0, 0, 10)]), 11, now=1.0)


def test_a_refused_chunk_is_no_longer_awaited() -> None:
    source = asked(0b11)
    source.receive(*data(source, (0, 0, 1000)), now=1.0)
    settled = source.refused(1, 0b01)
    assert settled is not None
    assert settled[1] == 0b01
    assert source.unreceived == CHUNK
    source.check_invariants()


def test_refusing_a_whole_want_ends_it() -> None:
    source = asked(0b11)
    assert source.refused(1, 0) is not None
    assert source.asked == {}
    assert source.unreceived == 0


def test_closing_returns_what_was_asked_for() -> None:
    source = asked(0b11)
    assert [want.mask for want in source.close()] == [0b11]
    assert source.state is SourceState.IDLE


def test_an_opened_for_a_stream_nobody_asked_for_is_the_remote_peers_fault() -> None:
    source = opened()
    with pytest.raises(RemoteProtocolError, match="opened for a stream that is open"):
        source.opened(100, 1.0)


def manifest(offset: int, length: int, total: int, position: int) -> tuple[Data, int]:
    return Data(1, position, 1, [(0, offset, length)], total), length


def test_a_manifest_counts_as_a_window_until_its_size_is_known() -> None:
    source = opened(window=5000)
    source.ask_manifest(CONTENT, CONTENT, 0.0)
    assert source.unreceived == 5000
    source.window.announce(5000)
    arrived = source.receive(*manifest(0, 600, 1000, 0), now=1.0)
    assert arrived.useful == 600
    assert source.unreceived == 400
    source.receive(*manifest(600, 400, 1000, 600), now=1.0)
    assert source.asked == {}
    source.check_invariants()


def test_a_manifest_that_changes_its_size_is_the_remote_peers_fault() -> None:
    source = opened(window=5000)
    source.ask_manifest(CONTENT, CONTENT, 0.0)
    source.window.announce(5000)
    source.receive(*manifest(0, 600, 1000, 0), now=1.0)
    with pytest.raises(RemoteProtocolError, match="became one of 2000"):
        source.receive(*manifest(600, 400, 2000, 600), now=1.0)


@pytest.mark.parametrize(("size", "rate"), [(TELLING, TELLING / 0.01), (TELLING - 1, 0.0)])
def test_a_large_manifest_tells_how_fast_its_source_is(size: int, rate: float) -> None:
    source = opened()
    source.ask_manifest(CONTENT, CONTENT, 1.0)
    source.window.announce(10**7)
    source.receive(*manifest(0, 1000, size, 0), now=1.001)
    assert source.manifest_rate == 0.0
    source.receive(*manifest(1000, size - 1000, size, 1000), now=1.01)
    assert source.manifest_rate == pytest.approx(rate)


@pytest.mark.parametrize(
    ("end", "refunded"),
    [
        (lambda source: source.refused(1, 0), 2 * CHUNK - 1000),
        (lambda source: source.give_up(1, 0), CHUNK - 1000),
        (Source.close, 2 * CHUNK - 1000),
    ],
)
@pytest.mark.parametrize("paid", [True, False])
def test_what_was_charged_when_it_was_asked_for_and_does_not_come_is_refunded(end, refunded: int, paid: bool) -> None:
    refunds: list[int] = []
    source = Source(LinkId(1), "p" * 64, True, 0.0, lambda _content, size: refunds.append(size))
    source.open()
    source.opened(2**20, 0.0)
    source.asked[source.ask(CONTENT, LAYOUT, 0b11, 2 * CHUNK, 0.0)].paid = paid
    source.window.announce(2**20)
    source.receive(Data(source.stream, 0, 1, [(0, 0, 1000)]), 1000, 1.0)
    end(source)
    assert sum(refunds) == paid * refunded
