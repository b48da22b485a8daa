from __future__ import annotations

from pathlib import Path

import pytest

from bus.errors import ERR_CONFIG, ShoalError
from experiments.scenario import Limits, Scenario, read_scenario

SCENARIOS = Path(__file__).parents[3] / "experiments" / "scenarios"


def scenario_of(tmp_path, text):
    path = tmp_path / "given.yaml"
    path.write_text(text)
    return read_scenario(path)


def test_quantities_are_read_as_people_write_them(tmp_path):
    text = "leechers: 3\nsize: 64 KiB\nlimits: {up: 2 MiB/s}\nseed: 9\ntimeout: 2 min\n"
    assert scenario_of(tmp_path, text) == Scenario(3, 65536, Limits(up=2 * 2**20), 9, 120.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("size: 1 MiB", "leechers: expected a whole number"),
        ("leechers: 0", "leechers: expected a whole number from 1 to 200, found 0"),
        ("leechers: two", "leechers: expected a whole number"),
        ("leechers: 2\nsize: 64 Mb", "size: expected a size"),
        ("leechers: 2\npeers: 3", "peers: unknown key; did you mean leechers?"),
        ("leechers: 2\nlimits: {upp: 1 MiB/s}", "limits.upp: unknown key; did you mean limits.up?"),
        ("leechers: 2\nleechers: 3", "stands twice"),
        ("- leechers", "expected a map of settings, found a list"),
        ("", "expected a map of settings, found nothing"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_file_and_key(tmp_path, text, problem):
    with pytest.raises(ShoalError) as raised:
        scenario_of(tmp_path, text)
    assert raised.value.code == ERR_CONFIG
    assert "given.yaml: " in raised.value.message
    assert problem in raised.value.message
    assert "\n" not in raised.value.message


def test_a_scenario_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ShoalError, match=r"nowhere\.yaml: expected a readable file"):
        read_scenario(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_scenario_that_comes_with_the_program_is_right(path):
    assert read_scenario(path).leechers >= 1
