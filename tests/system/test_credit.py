"""Flow control on real sockets: a reader that stops costs its writer next to nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.kit.payload import MIB, differences, random_file
from tests.kit.remote import Remote
from tests.kit.swarm import Swarm
from tests.kit.waiting import eventually, hold_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

SIZE = 256 * MIB


def resident(pid: int) -> int:
    """Bytes of a process's resident memory."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_downloader_stopped_for_thirty_seconds_costs_the_uploader_at_most_16_mib(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", SIZE)
    with Swarm(tmp_path, environ={"SHOAL__LIMITS__UP": "60 MiB/s"}) as swarm:
        content = swarm.cli("share", str(sample)).data[0]["id"]
        uploader, downloader = swarm.pid("north"), swarm.pid("south")
        with Remote(swarm.peer("south")) as south:
            south.get(content)
            eventually(lambda: south.progress(content) > 0.2, within=30)
            before = resident(uploader)
            os.kill(downloader, signal.SIGSTOP)
            try:
                most = hold_for(30.0, lambda: resident(uploader))
            finally:
                os.kill(downloader, signal.SIGCONT)
            assert max(most) - before <= 16 * MIB
            eventually(lambda: south.complete(content), within=120)
        assert differences(sample, Path(swarm.peer("south").download_dir) / sample.name) == ""
