from __future__ import annotations

import pytest

from tests.kit.lanes import LANES, ROOT, next_file, workers_for

FILES = [
    "tests/browser/test_page.py",
    "tests/system/test_cli.py",
    "tests/system/test_events.py",
    "tests/unit/test_a.py",
]


def test_each_worker_takes_its_own_in_their_order():
    first = ["tests/system/test_cli.py", "tests/browser/test_page.py", "tests/unit/test_a.py"]
    assert [next_file(FILES, lane) for lane in range(LANES)] == first


def test_who_is_done_helps_the_others_with_swarms_last():
    assert next_file(FILES[:1] + FILES[3:], 0) == "tests/unit/test_a.py"
    assert next_file(FILES[1:], 1) == "tests/unit/test_a.py"
    assert next_file(FILES[:3], 2) == "tests/browser/test_page.py"
    assert next_file(FILES[1:3], 2) == "tests/system/test_cli.py"


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
