"""The bound on paper, and where it is not known."""

from __future__ import annotations

import pytest

from peer.core.optimum import Least, Member, minimum_seconds, share_reached

F = 1000


def seed(up: float) -> Member:
    return Member(up, 0.0, True)


def leecher(up: float = 10.0, down: float = 0.0) -> Member:
    return Member(up, down, False)


@pytest.mark.parametrize(
    ("members", "seconds"),
    [
        ([seed(10), leecher()], F / 10),  # one leecher has what its seed sends
        ([seed(100), leecher(0), leecher(0, 5)], F / 5),  # a slow receiver
        ([seed(20), leecher(), leecher(), leecher(), leecher()], 4 * F / 60),  # all uploads carry four copies
        ([seed(10), seed(10), leecher(), leecher()], F / 20),  # two seeds send every byte once between them
        ([seed(10), leecher(10, 1000), leecher(10, 1000)], F / 10),
    ],
)
def test_the_bound_is_the_slowest_of_the_three(members: list[Member], seconds: float) -> None:
    assert minimum_seconds(F, members) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "members",
    [
        [],
        [leecher(), leecher()],  # no seed
        [seed(10)],  # nobody fetches
        [seed(0), leecher()],  # a seed of unknown rate
        [seed(10), seed(0), leecher()],
        [seed(20), leecher(10), leecher(0), leecher(10)],  # what the third adds could be anything
    ],
)
def test_rates_that_are_not_known_give_no_bound(members: list[Member]) -> None:
    assert minimum_seconds(F, members) is None


def test_an_unknown_upload_rate_does_not_matter_where_another_term_decides() -> None:
    assert minimum_seconds(F, [seed(10), leecher(0)]) == F / 10
    assert minimum_seconds(F, [seed(30), leecher(0, 10), leecher(0)]) == F / 10


def test_the_share_is_that_of_the_bytes_so_far() -> None:
    least = Least(0.0, 0.0)
    assert share_reached(least.seconds(F // 4, F), 10.0) == 0.0
    least.known(100.0, 0, F // 4, F)
    assert share_reached(least.seconds(F // 4, F), 50.0) == 0.5
    assert share_reached(least.seconds(F, F), 125.0) == 0.8
    assert share_reached(least.seconds(F, F), 99.0) == 1.0, "1 at best"
    assert share_reached(least.seconds(0, 0), 0.0) == 0.0


def test_a_limit_that_is_lowered_holds_for_later_bytes_only() -> None:
    least = Least(0.0, 0.0)
    least.known(10.0, 1000, F // 2, F)
    least.known(100.0, 100, F // 2, F)
    assert least.seconds(F // 2, F) == pytest.approx(5.0)
    assert least.seconds(F, F) == pytest.approx(55.0)


def test_a_limit_of_ours_that_is_raised_leaves_what_came_under_it_and_a_rate_that_is_learnt_does_not() -> None:
    least = Least(0.0, 0.0)
    least.known(100.0, 100, F // 2, F)
    least.known(10.0, 1000, F // 2, F)
    assert least.seconds(F, F) == pytest.approx(55.0)
    learning = Least(0.0, 0.0)
    learning.known(100.0, 0, F // 2, F)
    learning.known(10.0, 0, F // 2, F)
    assert learning.seconds(F, F) == pytest.approx(10.0)


def test_after_a_restart_only_what_comes_then_is_added() -> None:
    least = Least(100.0, 40.0)  # kept when 40 of 100 were there
    least.begin(F // 2, 0, F)  # 10 more came before the kill; their time is lost with them
    assert least.seconds(F // 2, F) == pytest.approx(40.0)
    least.known(100.0, 0, F // 2, F)
    assert least.seconds(F, F) == pytest.approx(90.0)
