"""Which parts are here and which are offered, as coarse as a page draws it."""

from __future__ import annotations

from bus.messages import PeerPieces
from peer.core.layout import Entry, Layout
from peer.core.pieces import CELLS, MOST_PEERS, Offered, pieces_of

CHUNK = 128 * 1024
CONTENT = "c" * 64
NORTH, SOUTH, EAST = "a" * 64, "b" * 64, "d" * 64


def layout(chunks: int) -> Layout:
    return Layout("file", [Entry("", chunks * CHUNK, False, CONTENT)])


def test_every_part_tells_how_many_have_it_and_each_peer_what_it_offers():
    told = pieces_of(CONTENT, layout(4), 0b0001, [Offered(NORTH, 0b0111, False), Offered(SOUTH, 0b0010, False)])
    assert (told.chunks, told.here, told.copies) == (4, bytes([255, 0, 0, 0]), bytes([1, 2, 1, 0]))
    assert told.peers == [
        PeerPieces(NORTH, False, 3, bytes([255, 255, 255, 0])), PeerPieces(SOUTH, False, 1, bytes([0, 255, 0, 0])),
    ]  # fmt: skip


def test_a_seed_counts_as_having_all_of_it_whatever_it_offers_now():
    told = pieces_of(CONTENT, layout(2), 0, [Offered(NORTH, 0b01, True), Offered(SOUTH, 0b10, False)])
    assert told.copies == bytes([1, 2])
    assert [(peer.complete, peer.chunks) for peer in told.peers] == [(True, 1), (False, 1)]


def test_who_offers_nothing_is_not_shown():
    assert pieces_of(CONTENT, layout(2), 0, [Offered(NORTH, 0, False)]).linked == 0


def test_of_many_chunks_a_part_has_as_many_copies_as_its_rarest_one():
    chunks = 4 * CELLS
    told = pieces_of(
        CONTENT, layout(chunks), 0, [Offered(NORTH, 2**chunks - 1, False), Offered(SOUTH, 2**chunks - 1 - 4, False)]
    )
    assert (len(told.copies), told.copies[0], told.copies[1]) == (CELLS, 1, 2)
    assert told.peers[1].offered[0] == 255 * 3 // 4


def test_those_that_offer_most_are_shown_of_many():
    offers = [Offered(f"{number:064x}", 2**number - 1, False) for number in range(1, MOST_PEERS + 11)]
    told = pieces_of(CONTENT, layout(MOST_PEERS + 10), 0, offers)
    assert (len(told.peers), told.linked) == (MOST_PEERS, MOST_PEERS + 10)
    assert told.peers[0].chunks == MOST_PEERS + 10


def test_an_empty_content_has_no_parts():
    told = pieces_of(CONTENT, layout(0), 0, [Offered(EAST, 0, True)])
    assert (told.here, told.copies, told.linked) == (b"", b"", 1)
