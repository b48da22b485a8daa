"""When a thread may have a request: its head, and a body that is short, are there."""

from __future__ import annotations

import pytest

from gateway.arrivals import MAX_HEAD, MAX_SHORT, Arrival

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


def arrived(*pieces: bytes) -> Arrival:
    arrival = Arrival(0.0)
    for piece in pieces:
        assert not arrival.is_complete
        arrival.add(piece)
    return arrival


@pytest.mark.parametrize(
    "request_bytes",
    [
        GET, b"GET / HTTP/1.0\r\n\r\n", POST % 5 + b"abcde", POST % 0, b"\r\n\r\n" + GET,
        b"POST / HTTP/1.1\r\ncontent-LENGTH:\t3 \r\nHost: x\r\n\r\nabc",
    ],
)  # fmt: skip
def test_a_request_is_complete_with_its_last_byte_and_not_before(request_bytes):
    arrival = arrived(*(bytes([byte]) for byte in request_bytes))
    assert arrival.is_complete
    assert bytes(arrival.data) == request_bytes.lstrip(b"\r\n")
    assert arrived(request_bytes).is_complete


@pytest.mark.parametrize("half", [b"", b"\r\n\r\n", b"\r\n" * 9, b"GET /", GET[:-1], GET[:-2], b"GET / HTTP/1.1\n\n"])
def test_half_a_head_is_none(half):
    assert not arrived(half).is_complete


def test_what_comes_behind_is_kept():
    assert arrived(GET + GET).data == GET + GET
    assert arrived(POST % 2 + b"abGET").is_complete


@pytest.mark.parametrize("length", [MAX_SHORT + 1, 2**30, 10**40])
def test_a_long_body_is_not_waited_for(length):
    assert arrived(POST % length).is_complete
    assert not arrived(POST % MAX_SHORT).is_complete


def test_a_body_of_unannounced_length_is_not_waited_for():
    assert arrived(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").is_complete


def test_a_length_in_the_body_or_the_first_line_means_nothing():
    assert arrived(GET + b"\r\nContent-Length: 9\r\n").is_complete
    assert arrived(b"Content-Length: 9\r\nHost: x\r\n\r\n").is_complete


@pytest.mark.parametrize(("head", "has_first_line"), [(b"GET /", False), (b"GET / HTTP/1.1\r\nX: ", True)])
def test_a_head_without_end_is_too_long(head, has_first_line):
    assert not arrived(head + b"x" * 1000).is_too_long
    arrival = arrived(head, b"x" * MAX_HEAD)
    assert (arrival.is_too_long, arrival.has_first_line) == (True, has_first_line)
    assert not arrived(POST % MAX_SHORT, b"x" * (MAX_SHORT - 1)).is_too_long
