"""Real peers on a network of the kernel's, where it is offered."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bus.errors import ShoalError
from bus.events import PeerStarted, TransferCompleted
from experiments.backends.namespaces import Wire, check_offered
from experiments.runner import BACKENDS
from experiments.scenario import scenario_of
from tests.kit.scenes import envelopes_in
from tests.kit.waiting import eventually
from tests.system.test_experiment import processes_at
from tests.system.test_scenarios import of

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

SHAPED = """
content: {size: 3 MiB}
network: {shaped_by: kernel}
groups:
  seed: {peers: 1, complete: true, up: 1 MiB/s}
  leecher: {peers: 2, down: 2 MiB/s}
timeout: 1 min
"""


def refusal(wire: Wire) -> str:
    try:
        check_offered([wire])
    except ShoalError as error:
        return error.message
    return ""


@pytest.fixture
def offered():
    if why := refusal(Wire(1, up=2**20)):
        pytest.skip(f"NETWORK NAMESPACES NOT TESTED: {why}")


@pytest.mark.usefixtures("offered")
def test_the_kernel_shapes_peers_that_know_of_no_limit_and_one_that_is_killed_comes_back(tmp_path):
    scenario = scenario_of(
        {
            "content": {"size": "4 MiB"},
            "network": {"shaped_by": "kernel"},
            "groups": {
                "seed": {"peers": 1, "complete": True, "up": "1 MiB/s"},
                "fast": {"peers": 2},
                "slow": {"peers": 1, "down": "512 KiB/s"},
            },
            "failures": [{"at": "1 s", "do": "kill", "peers": ["fast-2"], "lasts": "500 ms"}],
            "timeout": "1 min",
        }
    )
    recording = BACKENDS["processes"](scenario, 1, "shaped", tmp_path)
    assert recording.shaped_by == "the kernel, in a network namespace for each peer"
    recorded = envelopes_in(tmp_path)
    start = min(row.time for rows in recorded.values() for row in rows if row.type == "transfer.started")
    ends = {
        name: row.time - start for name, rows in recorded.items() for row in rows if row.type == "transfer.completed"
    }
    assert set(ends) == {"fast-1", "fast-2", "slow-1"}
    # 4 MiB at 1 MiB a second, less what a cable lets pass at once; half of that rate for the slow one.
    assert ends["fast-1"] > 3.5
    assert ends["slow-1"] > 7.0
    assert len(of(recorded["fast-2"], PeerStarted)) == 1  # the first is over before the tap listens
    (completed,) = of(recorded["slow-1"], TransferCompleted)
    assert completed.bytes_done == 4 * 2**20
    assert eventually(lambda: not processes_at(tmp_path), within=30)


@pytest.mark.usefixtures("offered")
def test_nothing_is_left_of_a_run_that_is_killed(tmp_path):
    (tmp_path / "shaped.yaml").write_text(SHAPED.replace("3 MiB", "60 MiB"))
    command = [sys.executable, "-P", "-m", "experiments", "run", str(tmp_path / "shaped.yaml")]
    run = subprocess.Popen([*command, "-o", str(tmp_path / "out")], stderr=subprocess.DEVNULL)
    eventually(lambda: len(list(tmp_path.glob("out/events/leecher-*.jsonl"))) == 2, within=60)
    run.kill()
    run.wait()
    # The namespaces have no names: they end with the last process in them, and their cables with them.
    assert eventually(lambda: not processes_at(tmp_path), within=30)


@pytest.mark.usefixtures("offered")
def test_where_the_kernel_refuses_it_says_so_in_one_line_and_nothing_is_started(tmp_path):
    (tmp_path / "shaped.yaml").write_text(SHAPED)
    run = [sys.executable, "-P", "-m", "experiments", "run", str(tmp_path / "shaped.yaml"), "-o", str(tmp_path / "out")]
    forbidden = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", forbidden, "sh", *run]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("shoal: ERR_CONFIG: network.shaped_by: kernel is not offered here (unshare: ")
    assert ended.stderr.endswith("; choose limits\n")
    assert len(ended.stderr.splitlines()) == 1
