from __future__ import annotations

import resource

import pytest

from experiments.bench.warming import touch_memory

MIB = 2**20


@pytest.mark.parametrize("size", [0, 1, 5 * MIB + 1, 64 * MIB])
def test_all_of_it_is_touched(size):
    before = resource.getrusage(resource.RUSAGE_SELF)
    touch_memory(size)
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_minflt - before.ru_minflt >= size // (2 * MIB)
