"""Credit: absolute limits on both sides."""

from __future__ import annotations

import pytest

from bus.errors import LocalProtocolError, RemoteProtocolError
from peer.core.credit import ReceiveWindow, SendWindow


def granted(limit: int, cap: int = 1000) -> SendWindow:
    window = SendWindow(cap)
    window.grant(limit, 0)
    return window


def test_nothing_may_be_sent_before_credit() -> None:
    assert SendWindow(1000).available == 0


def test_a_stale_credit_is_ignored() -> None:
    window = granted(500)
    window.grant(300, 0)
    assert window.available == 500


def test_repeating_a_credit_changes_nothing() -> None:
    window = granted(500)
    window.take(200)
    window.grant(500, 0)
    assert window.available == 300


def test_a_limit_beyond_the_cap_is_clamped() -> None:
    window = granted(2**63, cap=1000)
    assert window.available == 1000
    window.take(1000)
    window.grant(2**63, 400)
    assert window.available == 400


def test_sending_beyond_the_credit_is_our_bug() -> None:
    with pytest.raises(LocalProtocolError):
        granted(100).take(101)


def test_more_consumed_than_sent_is_the_remote_peers_fault() -> None:
    window = granted(100)
    window.take(50)
    with pytest.raises(RemoteProtocolError, match="51 bytes consumed, 50 were sent"):
        window.grant(200, 51)


def test_take_returns_rising_stream_positions() -> None:
    window = granted(100)
    assert [window.take(30), window.take(30), window.take(40)] == [0, 30, 60]


def opened(window: int, unreceived: int) -> ReceiveWindow:
    receive = ReceiveWindow(window)
    limit = receive.next_limit(unreceived)
    assert limit is not None
    receive.announce(limit)
    return receive


def test_the_first_limit_is_the_window() -> None:
    assert opened(800, 5000).limit == 800


def test_the_first_limit_is_what_is_wanted_if_that_is_less() -> None:
    assert opened(800, 300).limit == 300


def test_an_overrun_is_the_remote_peers_fault() -> None:
    with pytest.raises(RemoteProtocolError, match="the limit is 800"):
        opened(800, 5000).receive(0, 801)


def test_a_gap_in_the_stream_is_the_remote_peers_fault() -> None:
    with pytest.raises(RemoteProtocolError, match="position 10, expected 0"):
        opened(800, 5000).receive(10, 10)


def test_no_limit_is_announced_for_less_than_a_quarter_of_the_window() -> None:
    window = opened(800, 5000)
    window.receive(0, 199)
    window.consume(199)
    assert window.next_limit(4801) is None
    window.receive(199, 1)
    window.consume(1)
    assert window.next_limit(4800) == 1000


def test_the_last_bytes_are_covered_however_few_they_are() -> None:
    window = opened(800, 810)
    window.receive(0, 10)
    window.consume(10)
    assert window.next_limit(800) == 810


def test_unconsumed_bytes_hold_the_limit_back() -> None:
    window = opened(800, 5000)
    window.receive(0, 800)
    assert window.next_limit(4200) is None
    window.consume(800)
    assert window.next_limit(4200) == 1600


def test_consuming_what_was_not_received_is_our_bug() -> None:
    with pytest.raises(LocalProtocolError):
        opened(800, 5000).consume(1)
