from __future__ import annotations

import os

from experiments.bench.usage import Usage, spent, usage_of


def test_a_process_that_takes_memory_shows_it_at_its_peak_after_it_gave_it_back():
    before = usage_of(os.getpid())
    block = bytearray(os.urandom(2**20) * 64)
    del block
    assert usage_of().peak_bytes >= before.peak_bytes
    assert usage_of().peak_bytes >= 64 * 2**20


def test_what_a_span_of_time_took_is_the_difference_and_the_later_memory():
    assert spent(Usage(1.25, 10, 1), Usage(3.5, 40, 2)) == Usage(2.25, 40, 2)
    assert Usage(0.0, 40, 2).own_bytes == 38
