from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bus.errors import ERR_FAILURE, ERR_TIMEOUT, ShoalError
from experiments.bench.children import Children, await_port, free_port, wait_all
from tests.kit.waiting import eventually

MIB = 2**20


def python(text):
    return [sys.executable, "-c", text]


def test_a_program_s_processor_time_and_memory_are_told_at_its_end(tmp_path):
    hungry = "import time\nblock = bytes(64 * 2**20)[:1] + b'x' * 64 * 2**20\nwhile time.process_time() < 0.4: pass"
    with Children(tmp_path) as children:
        (ended,) = wait_all([children.start(python(hungry), "hungry")])
    assert 0.4 <= ended.usage.cpu_seconds < 5
    assert ended.usage.peak_bytes > 64 * MIB


def test_the_memory_is_the_program_s_own_and_not_that_of_the_process_that_started_it(tmp_path):
    block = bytearray(os.urandom(MIB) * 256)
    with Children(tmp_path) as children:
        (ended,) = wait_all([children.start(python("import time; time.sleep(0.2)"), "small")])
    assert ended.usage.peak_bytes < len(block)


def test_mapped_files_of_a_ram_disk_are_not_a_program_s_own_memory_even_when_it_gave_them_back(tmp_path):
    text = (
        "import mmap, time\nblock = mmap.mmap(-1, 64 * 2**20)\nblock.write(bytes(64 * 2**20))\n"
        "time.sleep(0.3); block.close(); time.sleep(0.2)"
    )
    with Children(tmp_path) as children:
        (ended,) = wait_all([children.start(python(text), "mapping")])
    assert ended.usage.peak_bytes > 64 * MIB
    assert ended.usage.own_bytes < 32 * MIB


def test_what_a_program_starts_counts_too(tmp_path):
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); print(); input()"
    with Children(tmp_path) as children:
        child = children.start(python(parent), "parent")
        child.line()
        assert child.usage().cpu_seconds >= 0.3


def test_to_watch_takes_little_from_what_is_watched(tmp_path):
    with Children(tmp_path) as children:
        waited_for = [children.start(python("import time; time.sleep(1)"), name) for name in "ab"]
        before = time.thread_time()
        wait_all(waited_for)
        assert time.thread_time() - before < 0.03


def test_the_end_of_each_is_taken_when_it_ends(tmp_path):
    with Children(tmp_path) as children:
        quick, slow = (children.start(python("input()"), name) for name in ("quick", "slow"))
        quick.tell(b"")
        eventually(lambda: os.waitid(os.P_PID, quick.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG), within=10)
        middle = time.monotonic()
        slow.tell(b"")
        ends = wait_all([slow, quick])
    assert ends[0].at > middle


def test_an_error_tells_the_program_s_last_words(tmp_path):
    with Children(tmp_path) as children, pytest.raises(ShoalError, match=r"it ended with 3: .*last words") as raised:
        wait_all([children.start(python("import sys; print('last words', file=sys.stderr); sys.exit(3)"), "it")])
    assert raised.value.code == ERR_FAILURE


def test_a_program_that_ends_instead_of_speaking_is_an_error(tmp_path):
    with Children(tmp_path) as children, pytest.raises(ShoalError, match="it ended with 0"):
        children.start(python(""), "it").line()


def test_waiting_has_an_end(tmp_path):
    with Children(tmp_path) as children, pytest.raises(ShoalError) as raised:
        wait_all([children.start(python("input()"), "it")], within=0.1)
    assert raised.value.code == ERR_TIMEOUT


def test_whatever_happens_nothing_is_left_running(tmp_path):
    family = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); input()"
    left: list[int] = []

    def break_off():
        with Children(tmp_path) as children:
            child = children.start(python(family), "family")
            left.extend([child.pid, int(child.line())])
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    eventually(lambda: not any(map(_lives, left)), within=10)
    assert len(left) == 2


def test_nothing_outlives_the_benchmark_itself(tmp_path):
    text = (
        "from experiments.bench.children import Child; from pathlib import Path\n"
        f"print(Child(['sleep', '60'], Path({str(tmp_path)!r}), 'sleeper').pid, flush=True); input()"
    )
    with subprocess.Popen(python(text), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bench:
        assert bench.stdout is not None
        sleeper = int(bench.stdout.readline())
        bench.kill()
    eventually(lambda: not _lives(sleeper), within=10)


def test_a_server_that_does_not_listen_is_not_waited_for_without_end(tmp_path):
    with Children(tmp_path) as children, pytest.raises(ShoalError, match="it does not listen"):
        await_port(free_port(), children.start(python("input()"), "it"), within=0.1)


def _lives(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
