from __future__ import annotations

from peer.core.pauses import doubled


def test_a_pause_doubles_until_it_is_the_longest_and_stays_so_for_ever() -> None:
    assert [doubled(1.0, times, 32.0) for times in (0, 1, 4, 5, 6)] == [1.0, 2.0, 16.0, 32.0, 32.0]
    assert doubled(0.5, 10_000, 3600.0) == 3600.0
