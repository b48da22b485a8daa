"""How busy the processors were, from readings and from this machine."""

from __future__ import annotations

import time

import pytest

from experiments.busy import Busy, share_of
from tests.kit.waiting import eventually

READINGS = [(10.0, 0, 0), (11.0, 200, 200), (12.0, 250, 400), (13.0, 250, 600)]


@pytest.mark.parametrize(
    ("begin", "end", "share"), [(10.0, 13.0, 0.417), (10.5, 12.5, 0.25), (12.0, 13.0, 0.0), (12.5, 13.0, 0.0)]
)
def test_the_share_is_that_of_the_ticks_between_two_moments(begin, end, share):
    assert share_of(READINGS, begin, end) == share


def test_it_reads_the_machine_s_own_counters():
    began = time.time()
    with Busy() as busy:
        eventually(lambda: busy.share(began, time.time()) > 0, within=5)
    assert busy.share(began, time.time()) <= 1
