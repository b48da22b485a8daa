from __future__ import annotations

import pytest

from bus.errors import ERR_PATH, ShoalError
from bus.names import (
    MACOS,
    POSIX,
    WARNINGS,
    WINDOWS,
    FileSystemRules,
    SafePath,
    TreeWarning,
    check_tree,
    safe_name,
    safe_relpath,
)
from tests.unit.bus.names_table import ROWS

E_ACUTE = "\u00e9"
E_ACUTE_APART = "e\u0301"
CAPITAL_E_ACUTE_APART = "E\u0301"


def refusal_of(name: str | bytes, target: FileSystemRules) -> str:
    with pytest.raises(ShoalError) as caught:
        safe_relpath(name, target)
    assert caught.value.code == ERR_PATH
    return caught.value.message


@pytest.mark.parametrize(("name", "target", "expected"), [row for row in ROWS if isinstance(row[2], str)])
def test_unsafe_path_is_refused_for_exactly_its_reason(name, target, expected):
    message = refusal_of(name, target)
    assert message.startswith("path ")
    assert message.endswith(f" refused: {expected}; rename it where it is shared")
    assert message.isprintable()
    assert len(message) < 600


@pytest.mark.parametrize(("name", "target", "expected"), [row for row in ROWS if isinstance(row[2], tuple)])
def test_safe_path_is_taken_as_it_is_with_exactly_its_warnings(name, target, expected):
    path = name.decode() if isinstance(name, bytes) else name
    assert safe_relpath(name, target) == SafePath(path, tuple(path.split("/")), expected)


def test_table_of_names_is_long_has_no_row_twice_and_meets_every_warning_and_target():
    assert len(ROWS) >= 130
    assert len({(row[0], row[1].name) for row in ROWS}) == len(ROWS)
    warnings = {kind for row in ROWS if isinstance(row[2], tuple) for kind in row[2]}
    assert warnings == {kind for kind in WARNINGS if not kind.endswith("-twin")}
    assert {row[1].name for row in ROWS} == {"POSIX", "Windows", "macOS"}


def test_refused_path_is_shown_with_its_hidden_characters_written_out():
    assert refusal_of("a/\u202egpj.exe", POSIX) == (
        "path 'a/\\u202egpj.exe' refused: part 2 has the text-direction character U+202E; rename it where it is shared"
    )


def test_long_refused_path_is_shown_by_its_two_ends():
    start, end = "x" * 40, "y" * 40
    assert refusal_of(start + "z" * 300 + end, POSIX) == (
        f"path '{start}'...'{end}' refused: it is over 255 bytes long; rename it where it is shared"
    )


def test_name_is_one_part():
    assert safe_name("a b.txt") == SafePath("a b.txt", ("a b.txt",), ())
    assert safe_name("aux.c").warnings == ("reserved-name",)
    with pytest.raises(ShoalError) as caught:
        safe_name("a/b")
    assert caught.value.message == (
        "name 'a/b' refused: it has a '/', which only separates the parts of a path; rename it where it is shared"
    )


@pytest.mark.parametrize("name", ["", ".", "..", "/", "a/", "../a", "a\n", "x" * 256, b"\xff", "\u202ea"])
def test_what_is_no_path_is_no_name_either(name):
    with pytest.raises(ShoalError) as caught:
        safe_name(name)
    assert caught.value.code == ERR_PATH
    assert caught.value.message.startswith("name ")


TREES = [
    ([], POSIX, ()),
    (["a"], WINDOWS, ()),
    (["a", "b/c", "b/d", "b.c", "b-c/d", "e/b/c"], WINDOWS, ()),
    (["x/a", "y/A", "x/b/c", "y/B/C"], WINDOWS, ()),
    (["b/c", "a:1", "a:2", "nul"], POSIX, (TreeWarning("reserved-name", 1, "nul"), TreeWarning("colon", 2, "a:1"))),
    # twins: names of one folder
    (["readme", "README"], POSIX, (TreeWarning("case-twin", 1, "readme"),)),
    (["d/readme", "d/README", "d/ReadMe"], POSIX, (TreeWarning("case-twin", 2, "d/ReadMe"),)),
    (["D/a", "d/b"], POSIX, (TreeWarning("case-twin", 1, "d"),)),
    (["straße", "STRASSE"], POSIX, (TreeWarning("case-twin", 1, "straße"),)),
    (["Σ", "ς"], POSIX, (TreeWarning("case-twin", 1, "ς"),)),
    ([E_ACUTE, E_ACUTE_APART], POSIX, (TreeWarning("normalisation-twin", 1, E_ACUTE),)),
    ([E_ACUTE, E_ACUTE_APART], WINDOWS, (TreeWarning("normalisation-twin", 1, E_ACUTE),)),
    (["\u037e", ";"], POSIX, (TreeWarning("normalisation-twin", 1, "\u037e"),)),
    (
        ["\u212a", "K"],  # the Kelvin sign folds to k and is canonically K
        POSIX,
        (TreeWarning("case-twin", 1, "\u212a"), TreeWarning("normalisation-twin", 1, "\u212a")),
    ),
    ([E_ACUTE, CAPITAL_E_ACUTE_APART], POSIX, (TreeWarning("mixed-twin", 1, E_ACUTE),)),
    ([E_ACUTE, CAPITAL_E_ACUTE_APART], WINDOWS, (TreeWarning("mixed-twin", 1, E_ACUTE),)),
    (
        [E_ACUTE, E_ACUTE_APART, CAPITAL_E_ACUTE_APART],
        POSIX,
        (TreeWarning("case-twin", 1, E_ACUTE_APART), TreeWarning("normalisation-twin", 1, E_ACUTE)),
    ),
    # each path by itself
    (["a", "../b"], POSIX, "path '../b' refused: part 1 is '..'"),
    (["a", "nul"], WINDOWS, "path 'nul' refused: it is a reserved device name, which Windows cannot hold"),
    # all together
    (["a", "a"], POSIX, "path 'a' refused: it is listed twice"),
    (["b", "a/x", "c", "a/x"], POSIX, "path 'a/x' refused: it is listed twice"),
    (["a", "a/b"], POSIX, "path 'a' refused: it is an entry of its own and also the folder of 'a/b'"),
    (["a/b", "a"], POSIX, "path 'a' refused: it is an entry of its own and also the folder of 'a/b'"),
    (
        ["d/a", "d/a!", "d/a.b", "d/a/b/c"],
        POSIX,
        "path 'd/a' refused: it is an entry of its own and also the folder of 'd/a/b/c'",
    ),
    (
        ["README", "readme"],
        WINDOWS,
        "path 'readme' refused: it differs from 'README' beside it only in case, which Windows cannot hold",
    ),
    (
        ["README", "readme"],
        MACOS,
        "path 'readme' refused: it differs from 'README' beside it only in case, which macOS cannot hold",
    ),
    (["D/a", "d/b"], MACOS, "path 'd' refused: it differs from 'D' beside it only in case, which macOS cannot hold"),
    (["A/x", "a"], WINDOWS, "path 'a' refused: it differs from 'A' beside it only in case, which Windows cannot hold"),
    (
        [E_ACUTE, E_ACUTE_APART],
        MACOS,
        f"path '{E_ACUTE}' refused: it differs from '{E_ACUTE_APART}' beside it only in Unicode normalisation, "
        "which macOS cannot hold",
    ),
    (
        [E_ACUTE, CAPITAL_E_ACUTE_APART],
        MACOS,
        f"path '{E_ACUTE}' refused: it differs from '{CAPITAL_E_ACUTE_APART}' beside it only in case and Unicode "
        "normalisation, which macOS cannot hold",
    ),
    (
        ["\u00c9", E_ACUTE, E_ACUTE_APART],
        WINDOWS,
        "path '\u00e9' refused: it differs from '\u00c9' beside it only in case, which Windows cannot hold",
    ),
]


@pytest.mark.parametrize(("paths", "target", "expected"), TREES)
def test_tree_is_decided_as_a_whole(paths, target, expected):
    if not isinstance(expected, str):
        assert check_tree(paths, target) == expected
        return
    with pytest.raises(ShoalError) as caught:
        check_tree(paths, target)
    assert (caught.value.code, caught.value.message) == (ERR_PATH, f"{expected}; rename it where it is shared")


def test_tree_is_read_once_so_that_a_generator_will_do():
    assert check_tree(name for name in ("b", "a", "B")) == (TreeWarning("case-twin", 1, "b"),)


def test_lone_surrogate_in_a_tree_is_refused_like_anywhere():
    with pytest.raises(ShoalError, match="not valid UTF-8"):
        check_tree(["b", "\ud800", "a"])


def test_every_path_accepted_here_can_be_made_and_nothing_appears_beside_its_folder(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    for name, target, expected in ROWS:
        if (
            target is not POSIX or isinstance(expected, str) or len(name) > 1000
        ):  # the kernel counts the root's path too
            continue
        safe = safe_relpath(name)
        place = root / f"row{ROWS.index((name, target, expected))}"
        file = place.joinpath(*safe.parts)
        file.parent.mkdir(parents=True)
        file.write_text(safe.path)
        assert [found.relative_to(place).as_posix() for found in place.rglob("*") if found.is_file()] == [safe.path]
    assert list(tmp_path.iterdir()) == [root]
