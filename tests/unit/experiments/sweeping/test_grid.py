from __future__ import annotations

import pytest

from experiments.sweeping.grid import (
    Axis,
    check_axes,
    expand,
    parse_axes,
    parse_axis,
    parse_seeds,
    value_at,
    with_value,
)

DOCUMENT = {
    "content": {"size": "1 MiB"},
    "groups": {"seed": {"peers": 1, "complete": True}, "leecher": {"peers": 4}},
    "failures": [{"at": "1 s", "do": "kill", "group": "leecher"}],
}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("groups.leecher.peers=5,10, 20", [5, 10, 20]),
        ("content.size=64 KiB,1 MiB", ["64 KiB", "1 MiB"]),
        ("groups.leecher.complete=true,false", [True, False]),
        ("groups.leecher.policies={picker: rarest, choker: none},{picker: random}",
         [{"picker": "rarest", "choker": "none"}, {"picker": "random"}]),
        ("groups.leecher.arrival.trace=[1 s, 2 s],[3 s, 4 s]", [["1 s", "2 s"], ["3 s", "4 s"]]),
        ('description="a, b"', ["a, b"]),
        ("timeout = 0.5,1", [0.5, 1]),
    ],
)  # fmt: skip
def test_values_are_read_as_the_scenario_s_yaml(text, values):
    axis = parse_axis(text)
    assert axis == Axis(text.partition("=")[0].strip(), values)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["peers"], "expected KEY=VALUE,VALUE..., found 'peers'"),
        (["=1"], "expected KEY=VALUE,VALUE..., found '=1'"),
        (["timeout="], "timeout: expected at least one value, found none"),
        (["timeout=1,,2"], "timeout: expected values as in the scenario's YAML, with commas between: "),
        (["timeout=[1"], "timeout: expected values as in the scenario's YAML, with commas between: "),
        (["timeout=1],[2"], "timeout: expected values as in the scenario's YAML, with commas between: "),
        (["timeout=1,2,1"], "timeout: expected each value once, found 1 twice"),
        (["seed=1,2"], "seed: a sweep takes it from --seeds"),
        (["repetitions=1,2"], "repetitions: a sweep takes it from --seeds"),
        (["groups..peers=1"], "groups..peers: expected a dotted key such as"),
        (["failures[x].at=1"], "failures[x].at: expected a dotted key such as"),
        (["timeout=1", "timeout=2"], "timeout: expected once, found twice"),
        (["content.size=1", "content={size: 2}"], "content: expected keys beside one another, found content.size"),
    ],
)
def test_a_wrong_axis_is_told_in_one_line(texts, problem):
    with pytest.raises(ValueError, match=r"expected|takes") as raised:
        check_axes(parse_axes(texts))
    assert str(raised.value).startswith(problem)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", [3]), ("1-4", [1, 2, 3, 4]), ("1, 2,7-9", [1, 2, 7, 8, 9]), ("5-5", [5])]
)
def test_seeds_are_numbers_and_ranges(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "one", "4-1", "1-", "-3", "1,2,1", "1-3,2", "0-999999999"])
def test_wrong_seeds_are_told_in_one_line(text):
    with pytest.raises(ValueError, match=r"^--seeds: expected [^\n]*$"):
        parse_seeds(text)


def test_a_grid_is_every_combination_and_the_last_key_varies_fastest():
    axes = parse_axes(["groups.leecher.peers=5,10", "content.size=1 KiB,2 KiB"])
    points = list(expand(DOCUMENT, axes))
    assert [point.number for point in points] == [1, 2, 3, 4]
    assert [point.values for point in points] == [[5, "1 KiB"], [5, "2 KiB"], [10, "1 KiB"], [10, "2 KiB"]]
    assert points[2].title == "groups.leecher.peers=10, content.size=1 KiB"
    assert points[2].document == {
        **DOCUMENT, "content": {"size": "1 KiB"},
        "groups": {"seed": {"peers": 1, "complete": True}, "leecher": {"peers": 10}},
    }  # fmt: skip


def test_a_grid_without_axes_is_the_scenario_itself():
    (point,) = expand(DOCUMENT, [])
    assert (point.title, point.document) == ("", DOCUMENT)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timeout", 5),
        ("network.latency", "5 ms"),
        ("groups.leecher.leave.linger", "never"),
        ("failures[0].at", "2 s"),
        ("groups.leecher.settings.transfer.upload_slots", 8),
    ],
)
def test_what_was_set_at_a_key_stands_there_and_the_original_is_as_it_was(key, value):
    before = repr(DOCUMENT)
    varied = with_value(DOCUMENT, key, value)
    assert value_at(varied, key) == value
    assert repr(DOCUMENT) == before


def test_below_settings_stands_one_dotted_name():
    varied = with_value(DOCUMENT, "groups.leecher.settings.transfer.upload_slots", 8)
    assert value_at(varied, "groups.leecher") == {"peers": 4, "settings": {"transfer.upload_slots": 8}}


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("groups.lecher.peers", "expected a group of the scenario (seed, leecher), found lecher"),
        ("failures[1].at", "the scenario has no item [1] there"),
        ("content[0].size", "the scenario has no item [0] there"),
        ("content.size.bytes", "the scenario has one value above bytes, which has no keys below it"),
    ],
)
def test_a_key_that_leads_nowhere_is_told(key, problem):
    with pytest.raises(ValueError, match="^" + key.replace("[", r"\[").replace("]", r"\]")) as raised:
        with_value(DOCUMENT, key, 1)
    assert problem in str(raised.value)
