from __future__ import annotations

from itertools import pairwise

import pytest

from experiments.tables import holdings
from experiments.tables.holdings import Holdings

pytest.importorskip("numpy")


def with_a_seed():
    found = Holdings()
    found.online(0.0, "s", True)
    found.shares(0.0, "s")
    return found


def test_a_part_of_several_chunks_counts_by_the_share_that_is_held():
    found = Holdings()
    found.online(0.0, "a", True)
    found.holds(0.0, "a", "33ff")  # 0x33 of 0xff is a fifth
    assert found.finish(1.0)[-1] == (1.0, 0.2, 0.6, 1.0, 1)


def test_what_is_held_counts_while_its_holder_is_online():
    found = with_a_seed()
    found.holds(0.0, "a", "ff00")
    assert found.online(1.0, "a", True)
    assert not found.online(1.5, "a", True)
    found.holds(2.0, "a", "ffff")
    found.online(3.0, "a", False)
    found.holds(4.0, "a", "00ff")
    found.online(5.0, "a", True)
    assert [sample[1:4] for sample in found.finish(6.0)] == [
        (1.0, 1.0, 1.0), (1.0, 1.5, 2.0), (2.0, 2.0, 2.0), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (1.0, 1.5, 2.0),
    ]  # fmt: skip


def test_who_shares_counts_from_then_on_while_it_is_online():
    found = Holdings()
    found.online(0.0, "a", True)
    found.holds(0.0, "a", "ff00")
    found.online(1.0, "s", True)
    found.shares(2.0, "s")
    found.shares(2.5, "s")
    found.online(3.0, "s", False)
    found.online(4.0, "s", True)
    assert [sample[1:] for sample in found.finish(5.0)] == [
        (0.0, 0.5, 1.0, 1), (0.0, 0.5, 1.0, 2), (1.0, 1.5, 2.0, 2), (0.0, 0.5, 1.0, 1), (1.0, 1.5, 2.0, 2),
    ]  # fmt: skip


def test_a_long_recording_is_thinned_evenly(monkeypatch):
    monkeypatch.setattr(holdings, "MOST", 8)
    monkeypatch.setattr(holdings, "FIRST_STEP", 1.0)
    found = with_a_seed()
    for second in range(101):
        found.holds(float(second), "a", "ff")
    times = [sample[0] for sample in found.finish(101.0)]
    assert len(times) <= 8
    assert times[0] == 1.0
    assert times[-1] == 101.0
    gaps = [later - earlier for earlier, later in pairwise(times[:-1])]
    assert len(set(gaps)) == 1
