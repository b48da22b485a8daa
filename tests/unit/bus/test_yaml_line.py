"""One value of a YAML text changed where it stands: everything else stays, or nothing is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.yaml_line import with_value

CHECKOUT = Path(__file__).parents[3] / "config.yaml"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("t:\n  x: 1 MiB  # why\n  y: 2\n", "t:\n  x: 8 MiB  # why\n  y: 2\n"),
        ("t:\r\n  x: '1 MiB'\r\n", "t:\r\n  x: 8 MiB\r\n"),
        ('{"t": {"x": 1, "y": 2}}', '{"t": {"x": 8 MiB, "y": 2}}'),
        ("t: {x: 1,\n    y: 2}", "t: {x: 8 MiB,\n    y: 2}"),
        # a line more in a section
        ("t:\n  y: 2  # two\n\n# end", "t:\n  y: 2  # two\n  x: 8 MiB\n\n# end"),
        ("t:\n    y: 2", "t:\n    y: 2\n    x: 8 MiB"),
        ("t:\r\n  y: 2\r\n", "t:\r\n  y: 2\r\n  x: 8 MiB\r\n"),
        ("t:\n  y: 2\n  z:\n    - 1\nu: 3\n", "t:\n  y: 2\n  x: 8 MiB\n  z:\n    - 1\nu: 3\n"),
        ("t:  # all of it\n#  x: 5\nu: 1\n", "t:  # all of it\n  x: 8 MiB\n#  x: 5\nu: 1\n"),
        ('{"t": {"y": 2}}', '{"t": {"y": 2, x: 8 MiB}}'),
        ("t: {}\n", "t: {x: 8 MiB}\n"),
        # a section more
        ("", "t:\n  x: 8 MiB\n"),
        ("# words", "# words\n\nt:\n  x: 8 MiB\n"),
        ("u: 1\n", "u: 1\n\nt:\n  x: 8 MiB\n"),
        ('{"u": 1}', '{"u": 1, t: {x: 8 MiB}}'),
    ],
)
def test_the_value_stands_where_it_belongs_and_all_else_stays(before: str, after: str) -> None:
    assert with_value(before, ["t", "x"], "8 MiB") == after


@pytest.mark.parametrize(
    ("value", "written"),
    [(True, "true"), (3, "3"), (-0.5, "-0.5"), (1e-07, "1.0e-07"), ("none", "none"), ("null", "'null'"), ("1", "'1'")],
)
def test_a_value_is_written_so_that_it_is_read_as_the_same(value, written) -> None:
    assert with_value("t: {x: 0}", ["t", "x"], value) == f"t: {{x: {written}}}"


def test_an_entry_of_a_list_is_changed_by_its_place() -> None:
    text = "peers:\n  - name: north\n    port: 1\n  - name: south  # the other\n"
    assert with_value(text, ["peers", 0, "port"], 2) == text.replace("1", "2")
    assert with_value(text, ["peers", 1, "port"], 2) == f"{text}    port: 2\n"


def test_the_configuration_of_the_checkout_can_be_changed() -> None:
    text = CHECKOUT.read_text()
    changed = with_value(text, ["network", "hwm"], 5)
    assert changed.splitlines() == [
        line for one in text.splitlines() for line in ([one, "  hwm: 5"] if one == "  bind: 127.0.0.1" else [one])
    ]


@pytest.mark.parametrize(
    "text",
    [
        "t: ~\n", "t: null\n", "t: words\n", "t: [1]\n", "t:\n  - 1\n", "t:\n  x: |\n    long\n", "t: {x: 'a\n  b'}\n",
        "t:\n  x: [1]\n", "t:\n  z:\n    - 1\n", "? t\n: 1\n", "- 1\n", "u: 1\n...\n", "t:\n  x: &a 1\n", "t: [\n",
        "t: 1\nt: 2\n",
    ],
)  # fmt: skip
def test_a_form_that_allows_no_safe_change_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  of one line, whatever is wrong
        with_value(text, ["t", "x"], 1)
