"""Meters and token buckets, with literal time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.core.rates import Meter, TokenBucket


def test_a_steady_flow_is_measured_from_the_start() -> None:
    meter = Meter(10.0)
    for tick in range(1, 101):
        meter.add(1000, 10.0 + tick / 100)
    assert meter.rate(11.0) == pytest.approx(100_000, rel=0.02)
    assert meter.total == 100_000


def test_a_stopped_flow_fades() -> None:
    meter = Meter(0.0)
    meter.add(1_000_000, 1.0)
    assert meter.rate(20.0) < 100


def test_no_limit_is_always_ready() -> None:
    bucket = TokenBucket(0, 0.0)
    bucket.take(10**12, 0.0)
    assert bucket.ready(0.0)


def test_a_message_may_overdraw_the_bucket_once() -> None:
    bucket = TokenBucket(1000, 0.0)
    bucket.take(500, 0.0)
    assert not bucket.ready(0.1)
    assert bucket.ready_at(0.1) == pytest.approx(0.5, abs=1e-3)
    assert bucket.ready(bucket.ready_at(0.1))


@given(st.integers(64 * 1024, 20 * 2**20), st.lists(st.integers(2**14, 2**20), min_size=1, max_size=50))
def test_the_long_run_rate_is_exact_whatever_the_message_sizes(rate: int, sizes: list[int]) -> None:
    bucket, now, sent = TokenBucket(rate, 0.0), 0.0, 0
    while now < 10.0:
        for size in sizes:
            now = max(now, bucket.ready_at(now))
            bucket.take(size, now)
            sent += size
    assert sent <= rate * now + rate * TokenBucket.BURST_SECONDS + max(sizes)
    assert sent >= rate * now * 0.999
