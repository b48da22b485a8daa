"""One stream out: wants, reads and refusals in order, whatever is cancelled when."""

from __future__ import annotations

import pytest

from bus.boundary import LinkId
from bus.errors import RemoteProtocolError
from bus.messages import Refused, Want, WantManifest
from peer.core.layout import Entry, Layout
from peer.core.upload import Upload, UploadState

KIB = 1024
CHUNK = 128 * KIB
CONTENT = "c" * 64
LAYOUT = Layout("file", [Entry("", 4 * CHUNK + 10, False, CONTENT)])
ALL = LAYOUT.all_chunks
SMALL_FILES = Layout("tree", [Entry(f"{i:02}", 100 + i, False, CONTENT) for i in range(10)])


def opened(credit: int = 10**7) -> Upload:
    upload = Upload(LinkId(1), "p" * 64)
    upload.open(1)
    upload.grant(10**9, now=0.0)
    upload.window.grant(credit, 0)
    return upload


def want(upload: Upload, *ranges: tuple[int, int], number: int = 1, offered: int = ALL) -> list[Refused]:
    return upload.want(Want(upload.stream, number, CONTENT, list(ranges)), offered, offered, 64)


def read_all(upload: Upload, size: int = 10**6, layout: Layout = LAYOUT) -> list[tuple[tuple[int, int, int], ...]]:
    """Cut, read and send everything that may be; returns the parts of each message."""
    sent, job = [], 0
    while upload.may_read() or upload.ready():
        if upload.may_read():
            job += 1
            request = upload.next_read(size, layout)
            upload.reading(job, request)
            upload.read_done(job, b"", request.size, 0)
        if head := upload.ready():
            upload.check_invariants()
            upload.sent(0.0)
            sent.append(head.parts)
    return sent


def test_chunks_are_cut_into_messages_of_the_asked_size() -> None:
    upload = opened()
    want(upload, (0, 1))
    assert read_all(upload, size=100 * KIB) == [((0, 0, 100 * KIB),), ((0, 100 * KIB, 28 * KIB),)]


def test_many_small_chunks_travel_in_one_message() -> None:
    upload = opened()
    want(upload, (0, 10), offered=SMALL_FILES.all_chunks)
    messages = read_all(upload, layout=SMALL_FILES)
    assert messages == [tuple((i, 0, 100 + i) for i in range(10))]


def test_a_message_begins_no_chunk_after_another_that_it_does_not_end() -> None:
    """So that a chunk's last byte ends its message, and it may be another stream's turn."""
    upload = opened()
    want(upload, (0, 4))
    messages = read_all(upload, size=100 * KIB)
    assert [parts[-1][0] for parts in messages] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert {len(parts) for parts in messages} == {1}


def test_a_message_is_cut_to_the_credit_left() -> None:
    upload = opened(credit=1000)
    want(upload, (0, 1))
    assert read_all(upload) == [((0, 0, 1000),)]
    upload.window.grant(1500, 1000)
    assert read_all(upload) == [((0, 1000, 500),)]


def test_what_is_read_ahead_counts_against_the_credit() -> None:
    upload = opened(credit=CHUNK)
    want(upload, (0, 4))
    upload.reading(1, upload.next_read(CHUNK, LAYOUT))
    assert not upload.may_read()


def test_chunks_that_are_not_offered_are_refused_at_once() -> None:
    upload = opened()
    assert want(upload, (0, 4), offered=0b0101) == [Refused(1, 1, [(1, 1), (3, 1)], "not_held")]
    assert [parts[0][0] for parts in read_all(upload, size=CHUNK)] == [0, 2]


def test_a_cancel_before_sending_refuses_the_chunk_and_the_stream_goes_on() -> None:
    upload = opened()
    want(upload, (0, 3))
    upload.cancel(1, 0b010)
    assert [parts[0][0] for parts in read_all(upload, size=CHUNK)] == [0, 2]


def test_a_cancel_of_a_half_read_chunk_refuses_the_rest_and_what_was_read_is_sent() -> None:
    upload = opened()
    want(upload, (0, 2))
    upload.reading(1, upload.next_read(100 * KIB, LAYOUT))
    assert upload.cancel(1, 0b01) == Refused(1, 1, [(0, 1)], "cancelled")
    upload.read_done(1, b"", 100 * KIB, 0)
    assert upload.ready() is not None
    upload.sent(0.0)
    assert read_all(upload, size=CHUNK) == [((1, 0, CHUNK),)]


def test_a_cancel_after_sending_changes_nothing() -> None:
    upload = opened()
    want(upload, (0, 1))
    read_all(upload)
    assert upload.cancel(1, 0b1) is None
    assert upload.ready() is None


def test_closing_a_stream_with_wants_in_flight_returns_its_reads_and_it_can_be_opened_again() -> None:
    upload = opened()
    want(upload, (0, 4))
    upload.reading(1, upload.next_read(CHUNK, LAYOUT))
    assert [read.job for read in upload.close()] == [1]
    assert upload.state is UploadState.IDLE
    upload.read_done(1, b"", CHUNK, 0)
    assert upload.ready() is None
    upload.open(3)
    upload.grant(10**9, 1.0)
    upload.window.grant(10**7, 0)
    want(upload, (0, 1))
    assert read_all(upload) == [((0, 0, CHUNK),)]


def test_an_old_stream_number_is_the_remote_peers_fault() -> None:
    upload = opened()
    upload.close()
    with pytest.raises(RemoteProtocolError, match="stream 1 is not above 1"):
        upload.open(1)


def test_opening_a_stream_twice_is_the_remote_peers_fault() -> None:
    with pytest.raises(RemoteProtocolError, match="open for a stream that is open"):
        opened().open(3)


def test_a_failed_read_is_refused_and_what_follows_it_goes_on() -> None:
    upload = opened()
    want(upload, (0, 2))
    for job in (1, 2):
        upload.reading(job, upload.next_read(CHUNK, LAYOUT))
    failed, refusal = upload.read_failed(1, "withdrawn")
    assert (failed.job, refusal) == (1, Refused(1, 1, [(0, 1)], "withdrawn"))
    assert upload.ready() is None
    upload.read_done(2, b"", CHUNK, 0)
    head = upload.ready()
    assert (head and head.job, upload.reading_bytes) == (2, CHUNK)


def test_what_was_taken_back_is_refused_as_withdrawn_and_what_was_never_held_as_not_held() -> None:
    upload = opened()
    refused = upload.want(Want(1, 1, CONTENT, [(0, 3)]), 0b001, 0b011, 64)
    assert refused == [Refused(1, 1, [(1, 1)], "withdrawn"), Refused(1, 1, [(2, 1)], "not_held")]


def test_a_withdrawn_content_is_refused_and_others_go_on() -> None:
    upload = opened()
    want(upload, (0, 2))
    upload.want(Want(1, 2, "d" * 64, [(0, 1)]), 1, 1, 1)
    assert upload.withdraw(CONTENT) == [Refused(1, 1, [(0, 2)], "withdrawn")]
    assert upload.queue[0].content == "d" * 64


def test_what_is_put_back_after_another_content_had_its_turn_is_sent_once() -> None:
    upload = opened()
    want(upload, (0, 2))
    upload.want(Want(1, 2, "d" * 64, [(3, 1)]), ALL, ALL, 5)
    upload.reading(1, upload.next_read(100 * KIB, LAYOUT))
    assert upload.turn_to(lambda content: content != CONTENT)
    upload.unread()
    assert read_all(upload, size=CHUNK) == [((chunk, 0, CHUNK),) for chunk in (3, 0, 1)]


def test_what_is_put_back_stays_apart_from_another_contents_want_of_the_same_number() -> None:
    upload = opened()
    want(upload, (3, 1))
    upload.want(Want(1, 1, "d" * 64, [(0, 1)]), 1, 1, 1)
    upload.reading(1, upload.next_read(CHUNK, LAYOUT))
    upload.unread()
    assert [(wanted.content, list(wanted.chunks)) for wanted in upload.queue] == [(CONTENT, [3]), ("d" * 64, [0])]


def test_a_manifest_is_read_slice_by_slice() -> None:
    upload = opened()
    upload.want_manifest(WantManifest(1, 1, CONTENT, CONTENT))
    request = upload.next_read(300 * KIB, None)
    assert request.parts == ((0, 0, 256 * KIB),)
    upload.reading(1, request)
    assert not upload.may_read()
    upload.read_done(1, b"", 256 * KIB, 300 * KIB)
    upload.sent(0.0)
    request = upload.next_read(300 * KIB, None)
    upload.reading(2, request)
    upload.read_done(2, b"", 44 * KIB, 300 * KIB)
    upload.sent(0.0)
    assert not upload.queue
    assert upload.window.sent == 300 * KIB


def test_the_message_size_follows_the_rate() -> None:
    upload = opened()
    assert upload.message_size(2**20, 0, 0.0) == 2**20
    assert upload.message_size(2**20, 0, 1.0) == 16 * KIB
    for tenth in range(1, 101):
        upload.meter.add(10 * 2**20 // 10, tenth / 10)
    assert upload.message_size(2**20, 0, 10.0) == pytest.approx(2**20, rel=0.1)


def test_a_smallest_message_holds_at_any_rate_and_limit() -> None:
    upload = Upload(LinkId(1), "p" * 64)
    sizes = [upload.message_size(2**20, limit, 10.0, 128 * KIB) for limit in (0, 16 * KIB, 2**20)]
    assert sizes == [128 * KIB] * 3


def test_under_a_limit_a_message_is_a_sixteenth_of_a_second_of_it_up_to_128_kib() -> None:
    upload = opened()
    sizes = [upload.message_size(2**20, limit, 1.0) for limit in (100 * KIB, 2**20, 2 * 2**20, 4 * 2**20)]
    assert sizes == [16 * KIB, 64 * KIB, 128 * KIB, 128 * KIB]


@pytest.mark.parametrize("ranges", [[(5, 1), (0, 1)], [(0, 2), (1, 1)], [(60, 10)], [(0, 2**22)] * 8192])
def test_ranges_that_do_not_rise_within_the_content_are_the_remote_peers_fault(ranges: list[tuple[int, int]]) -> None:
    with pytest.raises(RemoteProtocolError, match="chunk ranges must rise"):
        want(opened(), *ranges)
