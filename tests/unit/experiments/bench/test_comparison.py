from __future__ import annotations

import pytest

from experiments.bench.comparison import Round, Spread, compare, markdown
from experiments.bench.pump import Pumped
from experiments.bench.transfer import Transferred
from experiments.bench.usage import Usage
from experiments.provenance import Provenance

MIB = 2**20
SIZE = 100 * 10**6
MADE_BY = Provenance("2030-01-02T03:04:05+00:00", "abc", "3.11", {"shoal": "1"}, "Linux", "a processor", 2, 2**30, {})


def usage(cpu, peak=50 * MIB, shared=0):
    return Usage(cpu, peak, shared)


def row(pump_seconds, shoal_seconds, sender=None):
    pumped = Pumped(pump_seconds, usage(0.5), usage(0.5))
    return Round(pumped, Transferred(shoal_seconds, sender or usage(0.8), usage(1.0), usage(0.2)), 0.1)


def result(*rows):
    return compare("the command", MADE_BY, SIZE, rows)


def test_the_ratio_is_taken_round_by_round_and_the_middle_one_counts():
    assert result(row(1.0, 4.0), row(2.0, 2.0), row(3.0, 4.0)).ratio == Spread(0.75, 0.25, 1.0)


def test_rates_are_the_size_over_the_seconds():
    compared = result(row(1.0, 2.0), row(0.5, 4.0))
    assert compared.pump_rate == Spread(150e6, 100e6, 200e6)
    assert compared.shoal_rate == Spread(37.5e6, 25e6, 50e6)


def test_processor_time_counts_every_process():
    assert result(row(1.0, 2.0)).cpu_ratio == pytest.approx(1.0 / 2.0)


def test_the_highest_peak_of_any_peer_counts_less_its_shared_memory():
    compared = result(row(1.0, 1.0), row(1.0, 1.0, sender=usage(1.0, 180 * MIB, 60 * MIB)))
    assert compared.peak == 120 * MIB


@pytest.mark.parametrize(
    ("shoal_seconds", "peak", "reached"),
    [(2.0, 149 * MIB, True), (2.1, 149 * MIB, False), (2.0, 150 * MIB, False)],
)
def test_the_goal_is_half_the_pump_and_memory_under_the_limit(shoal_seconds, peak, reached):
    assert result(row(1.0, shoal_seconds, sender=usage(1.0, peak))).reached is reached


def test_the_page_says_what_was_measured_where_and_how():
    page = markdown(result(row(1.0, 2.0), row(1.0, 4.0)))
    assert "| MB/s, median (lowest to highest) | 100 (100 to 100) | 38 (25 to 50) |" in page
    assert "**Shoal / pump: 0.38 (0.25 to 0.50)**" in page
    assert "Made by `the command`" in page
    assert "other programs had 10%, 10% of the processors" in page
    assert "commit abc, 2030-01-02" in page
