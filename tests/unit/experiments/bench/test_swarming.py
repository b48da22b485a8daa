from __future__ import annotations

from pathlib import Path

import pytest

from experiments.bench.swarming import Member, SwarmJob, swarm_numbers

JOB = SwarmJob(Path("content"), 1000, 128, [10], [10, 10, 10])


def test_the_last_chunk_may_be_shorter():
    assert JOB.chunks == 8


def test_the_numbers_of_a_swarm():
    numbers = swarm_numbers(JOB, 100.0, [Member(110, 0), Member(112, 30), Member(115, 0)], 1500)
    assert numbers["slowest/median"] == pytest.approx(15 / 12)
    assert numbers["duplicate share"] == pytest.approx(30 / 3000)
    assert numbers["seed sent/F"] == 1.5
