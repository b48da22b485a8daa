"""Rate limits, with literal time."""

from __future__ import annotations

import pytest

from peer.core.limits import STEP_LEAST, RateLimits

KIB = 2**10
MIB = 2**20


def test_without_limits_everything_may_go_at_once() -> None:
    limits = RateLimits(0, 0, 0.0)
    limits.take("up", "a", 10**12, 0.0)
    assert limits.ready("up", "a", 0.0)
    assert limits.rate_of("up", "a") == 0


def test_the_directions_do_not_share_a_limit() -> None:
    limits = RateLimits(1000, 0, 0.0)
    limits.take("up", "a", 500, 0.0)
    assert not limits.ready("up", "a", 0.1)
    assert limits.ready("down", "a", 0.1)


def test_the_smallest_limit_that_applies_counts() -> None:
    limits = RateLimits(5 * MIB, 0, 0.0)
    limits.set("up", 2 * MIB, 0.0, "a")
    limits.set("up", 9 * MIB, 0.0, "b")
    assert [limits.rate_of("up", content) for content in ("a", "b", "c", "")] == [2 * MIB, 5 * MIB, 5 * MIB, 5 * MIB]
    assert [limits.own_rate("up", content) for content in ("a", "b", "c", "")] == [2 * MIB, 9 * MIB, 0, 5 * MIB]


def test_a_content_at_its_limit_does_not_keep_others_waiting() -> None:
    limits = RateLimits(0, 0, 0.0)
    limits.set("down", 1000, 0.0, "a")
    limits.take("down", "a", 500, 0.0)
    assert not limits.ready("down", "a", 0.1)
    assert limits.ready("down", "b", 0.1)
    assert limits.ready_at("down", "a", 0.1) == pytest.approx(0.5, abs=1e-3)


def test_what_one_content_sends_counts_for_all_of_them_together() -> None:
    limits = RateLimits(1000, 0, 0.0)
    limits.set("up", 10**6, 0.0, "a")
    limits.take("up", "a", 500, 0.0)
    assert not limits.ready("up", "b", 0.1)


def test_a_lower_limit_does_not_inherit_the_debt_of_the_higher_one() -> None:
    limits = RateLimits(100 * MIB, 0, 0.0)
    limits.take("up", "a", MIB, 0.0)
    limits.set("up", 64 * KIB, 0.0)
    assert limits.ready("up", "a", 0.0)


def test_a_limit_that_is_removed_keeps_nobody_waiting() -> None:
    limits = RateLimits(0, 64 * KIB, 0.0)
    limits.set("down", 64 * KIB, 0.0, "a")
    limits.take("down", "a", MIB, 0.0)
    limits.set("down", 0, 0.0)
    assert not limits.ready("down", "a", 0.0)
    limits.set("down", 0, 0.0, "a")
    assert limits.ready("down", "a", 0.0)


def test_steps_are_small_under_a_low_limit_and_few_under_a_high_one() -> None:
    limits = RateLimits(64 * KIB, 100 * MIB, 0.0)
    assert limits.step("up", "a") == STEP_LEAST
    assert limits.step("down", "a") == 5 * MIB


def test_what_never_came_is_given_back() -> None:
    limits = RateLimits(0, 64 * KIB, 0.0)
    limits.take("down", "a", 32 * KIB, 0.0)
    limits.take("down", "a", -32 * KIB, 0.0)
    assert limits.ready("down", "a", 0.0)
