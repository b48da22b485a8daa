from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.bench.usage import Others, Usage, spent, usage_of


def test_a_process_that_takes_memory_shows_it_at_its_peak_after_it_gave_it_back():
    before = usage_of(os.getpid())
    block = bytearray(os.urandom(2**20) * 64)
    del block
    assert usage_of().peak_bytes >= before.peak_bytes
    assert usage_of().peak_bytes >= 64 * 2**20


def test_what_a_span_of_time_took_is_the_difference_and_the_later_memory():
    assert spent(Usage(1.25, 10, 1), Usage(3.5, 40, 2)) == Usage(2.25, 40, 2)
    assert Usage(0.0, 40, 2).own_bytes == 38


def test_processor_time_of_a_process_that_still_runs_counts_as_others():
    burn = "import time\nwhile time.process_time() < 0.5: pass\nprint('burnt', flush=True)\ninput()"
    others, begin = Others(), time.monotonic()
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == b"burnt\n"
        capacity = (time.monotonic() - begin) * (os.cpu_count() or 1)
        assert 0.4 / capacity <= others.share() <= 1
        stranger.kill()


def test_what_the_hypervisor_kept_is_told_apart(monkeypatch):
    times = iter(["cpu 100 0 100 500 0 0 0 40", "cpu 150 0 150 500 0 0 0 90"])
    monkeypatch.setattr(Path, "read_text", lambda path: next(times))
    others = Others()
    monkeypatch.setattr(others, "_begin", time.monotonic() - 1)
    assert others.stolen() == pytest.approx(0.5 / (os.cpu_count() or 1), rel=0.01)
