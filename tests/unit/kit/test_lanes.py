from __future__ import annotations

import pytest

from tests.kit.lanes import LANES, ROOT, SWARMS, lane_of, workers_for


def test_all_swarms_share_a_lane_and_other_files_have_their_own():
    swarms = {lane_of(f"tests/system/{name}::test_it[a::b]") for name in ("test_cli.py", "test_crashes.py")}
    assert swarms == {SWARMS}
    assert lane_of("tests/unit/bus/test_codec.py::test_it[x::y]") == "tests/unit/bus/test_codec.py"
    assert lane_of("tests/unit/bus/test_codec.py::Machine::runTest") == "tests/unit/bus/test_codec.py"


@pytest.mark.parametrize(
    ("arguments", "workers"),
    [
        (["tests"], LANES),
        (["tests/"], LANES),
        (["."], LANES),
        ([str(ROOT)], LANES),
        (["tests/system"], 0),
        (["tests/unit/kit/test_lanes.py"], 0),
        (["tests/unit/kit/test_lanes.py::test_it"], 0),
        (["tests/unit", "tests/property"], 0),
    ],
)
def test_only_the_whole_suite_gets_workers(monkeypatch, arguments, workers):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert workers_for(arguments, ROOT.parent) == workers


def test_one_core_gets_no_workers(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert workers_for(["tests"], ROOT.parent) == 0
