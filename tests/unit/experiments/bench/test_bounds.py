from __future__ import annotations

import pytest

from experiments.bench.bounds import chunked_bound, fluid_bound

MIB = 2**20


@pytest.mark.parametrize(("leechers", "rounds_more"), [(1, 0), (2, 1), (10, 3), (16, 4), (20, 4)])
def test_the_chunked_bound_adds_a_chunk_s_time_for_each_doubling(leechers, rounds_more):
    assert chunked_bound(64 * MIB, 2 * MIB, leechers, 512) == pytest.approx(32 * (1 + rounds_more / 512))


def test_the_fluid_bound_is_the_seed_s_time_while_the_leechers_can_pass_everything_on():
    assert fluid_bound(100, 10, [100, 100]) == 10


def test_the_fluid_bound_is_all_bytes_over_all_rates_where_the_leechers_are_slow():
    assert fluid_bound(100, 100, [10, 10]) == pytest.approx(200 / 120)
