"""The command line of experiments: what its exit codes say."""

from __future__ import annotations

import msgspec
import pytest

from experiments import runner
from experiments.backends import simulated
from tests.kit.experiment_line import experiment

pytest.importorskip("matplotlib")

SMALL = """
content: {size: 1 MiB}
groups: {seed: {peers: 1, complete: true}, leecher: {peers: 2}}
backend: sim
"""
LOST = (
    "shoal: ERR_FAILURE: 3 events were lost, so the numbers are not to be trusted: run it again with less beside it\n"
)


@pytest.fixture
def scenario(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    return file


def test_a_run_that_lost_events_leaves_its_result_and_fails(scenario, tmp_path, monkeypatch):
    def losing(*what):
        recording = simulated.record(*what)
        return msgspec.structs.replace(recording, lost={**recording.lost, "seed-1": 1, "leecher-2": 2})

    monkeypatch.setitem(runner.BACKENDS, "sim", losing)
    for arguments in (["run", scenario, "-o", tmp_path / "out"], ["report", tmp_path / "out"]):
        ended = experiment(*arguments)
        assert (ended.code, ended.err) == (1, LOST)
        assert "NOT TO BE TRUSTED: 3 events lost." in ended.out


def test_so_does_a_sweep(scenario, tmp_path):
    out = tmp_path / "out"
    assert experiment("sweep", scenario, "--set", "groups.leecher.peers=1,2", "-o", out).code == 0
    for number, lost in (("1", 1), ("2", 2)):
        (file,) = out.glob(f"points/00{number}*/runs/1/summary.json")
        summary = msgspec.json.decode(file.read_bytes())
        summary["metrics"]["events_lost"] = lost
        file.write_bytes(msgspec.json.encode(summary))
    ended = experiment("report", out)
    assert (ended.code, ended.err) == (1, LOST)
