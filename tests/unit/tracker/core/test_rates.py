from __future__ import annotations

from tracker.core.rates import TokenBuckets


def test_a_burst_is_taken_at_once_and_then_one_token_each_step():
    buckets = TokenBuckets(rate=2.0, burst=3)
    assert [buckets.take("a", 10.0) for _ in range(4)] == [True, True, True, False]
    assert [buckets.take("a", now) for now in (10.49, 10.5, 10.5, 11.0)] == [False, True, False, True]


def test_a_bucket_holds_no_more_than_its_burst_however_long_one_waits():
    buckets = TokenBuckets(rate=2.0, burst=3)
    assert [buckets.take("a", now) for now in (0.0, 1e6, 1e6, 1e6, 1e6)] == [True, True, True, True, False]


def test_keys_do_not_share_a_bucket():
    buckets = TokenBuckets(rate=1.0, burst=1)
    assert [buckets.take(key, 0.0) for key in ("a", "a", "b")] == [True, False, True]


def test_a_refusal_costs_nothing():
    buckets = TokenBuckets(rate=1.0, burst=1)
    buckets.take("a", 0.0)
    for _ in range(100):
        assert not buckets.take("a", 0.5)
    assert buckets.take("a", 1.0)


def test_full_buckets_are_forgotten():
    buckets = TokenBuckets(rate=1.0, burst=1)
    for key in range(100_000):
        buckets.take(str(key), float(key))
    assert len(buckets) <= 1025
