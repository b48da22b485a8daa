"""What of a tree is fetched: what was asked for, less what was left out; and what is refused."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bus.errors import ERR_LIMIT, ERR_NOT_FOUND, ERR_STATE, ERR_USAGE, ShoalError
from peer.core import selection
from peer.core.layout import Entry, Layout
from peer.core.records import DownloadRecord
from peer.core.selection import is_less, wanted_chunks, wanted_entries, with_less, with_more

CHUNK = 128 * 1024
SIZES = {"a/x": 2 * CHUNK, "a/y": CHUNK, "b/empty": 0, "b/z": CHUNK, "c": CHUNK}
LAYOUT = Layout("tree", [Entry(path, size, False, f"{n:064x}") for n, (path, size) in enumerate(SIZES.items())])
RECORD = DownloadRecord("c" * 64, "tree", "/d", "", (), (), False, 0.0)


def left(record: DownloadRecord) -> list[str]:
    """The paths that are fetched."""
    return [LAYOUT.entries[number].path for number in wanted_entries(LAYOUT, record)]


def without(*paths: str, held: int = 0, record: DownloadRecord = RECORD) -> DownloadRecord:
    return with_less(record, LAYOUT, held, paths)


def test_files_and_folders_are_left_out_of_whatever_was_asked_for() -> None:
    assert left(without("a/y", "c")) == ["a/x", "b/empty", "b/z"]
    assert left(without("b")) == ["a/x", "a/y", "c"]
    assert left(without("a/x", record=replace(RECORD, only=("a", "b")))) == ["a/y", "b/empty", "b/z"]
    assert wanted_chunks(LAYOUT, without("a")) == 0b11000
    assert wanted_chunks(LAYOUT, without("a/x", record=replace(RECORD, only=("a",)))) == 0b00100


def test_what_is_left_out_already_is_left_out_once() -> None:
    once = without("a")
    assert without("a", record=once) == without("a/x", record=once) == once


def test_of_a_folder_what_is_complete_stays() -> None:
    assert left(without("a", held=0b00011)) == ["a/x", "b/empty", "b/z", "c"]
    assert left(without("a", held=0b00101)) == ["a/y", "b/empty", "b/z", "c"]


@pytest.mark.parametrize(
    ("paths", "held", "code", "says"),
    [
        (["a/y"], 0b00100, ERR_STATE, "a/y is complete, and stays"),
        (["c", "a"], 0b00111, ERR_STATE, "a is complete, and stays"),
        (["a", "b", "c"], 0, ERR_STATE, "no file of tree would be left"),
        (["nowhere"], 0, ERR_NOT_FOUND, "nowhere is not in tree"),
    ],
)
def test_what_cannot_be_left_out_is_refused_in_one_line(paths: list[str], held: int, code: str, says: str) -> None:
    with pytest.raises(ShoalError) as refused:
        without(*paths, held=held)
    assert refused.value.code == code
    assert says in refused.value.message
    assert "\n" not in refused.value.message


def test_the_last_file_of_what_was_asked_for_stays_even_if_others_were_left_out_before() -> None:
    with pytest.raises(ShoalError, match="no file of tree would be left"):
        without("a/y", record=without("a/x", record=replace(RECORD, only=("a",))))


def test_what_is_one_file_or_not_known_yet_has_nothing_to_leave_out() -> None:
    for layout, code in ((None, ERR_STATE), (Layout("file", [Entry("", CHUNK, False, "a" * 64)]), ERR_USAGE)):
        with pytest.raises(ShoalError) as refused:
            with_less(RECORD, layout, 0, ["c"])
        assert refused.value.code == code


def test_how_much_is_kept_of_it_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "MOST_LEFT_OUT", 1)
    assert without("a").left_out == ((0, 2),)
    with pytest.raises(ShoalError, match="name their folders") as refused:
        without("a/x", "c")
    assert refused.value.code == ERR_LIMIT


def test_what_was_left_out_is_fetched_after_all() -> None:
    less = without("a", "c")
    assert left(with_more(less, LAYOUT, ["a/y"])) == ["a/y", "b/empty", "b/z"]
    assert left(with_more(less, LAYOUT, ["b"])) == left(less)
    assert with_more(less, None, []) == RECORD
    part = without("a/x", record=replace(RECORD, only=("a",)))
    assert left(with_more(part, LAYOUT, ["b"])) == ["a/y", "b/empty", "b/z"]
    assert left(with_more(part, LAYOUT, ["a"])) == ["a/x", "a/y"]


def test_before_its_files_are_known_nothing_that_was_left_out_can_be_named() -> None:
    with pytest.raises(ShoalError) as refused:
        with_more(without("a"), None, ["a/x"])
    assert refused.value.code == ERR_STATE
    assert with_more(RECORD, None, ["a/x"]) == RECORD


@pytest.mark.parametrize(
    ("only", "paths", "less"),
    [((), ["a"], True), ((), [], False), (("a",), ["a/x"], True), (("a",), ["a", "b"], False), (("a",), [], False)],
)
def test_less_is_what_names_a_part_of_what_was_asked_for(only: tuple[str, ...], paths: list[str], less: bool) -> None:
    assert is_less(replace(RECORD, only=only), paths) is less
