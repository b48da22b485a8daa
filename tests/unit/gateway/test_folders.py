"""Looking into folders to choose what to share: what is told, and what cannot be reached."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bus.errors import ERR_NOT_FOUND, ERR_PATH, ERR_SYMLINK, ERR_UNREADABLE, ShoalError
from gateway import folders
from gateway.folders import Folders


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "music" / "live").mkdir(parents=True)
    (home / ".ssh").mkdir()
    (home / "b.txt").write_bytes(b"12345")
    (home / "A.txt").write_bytes(b"")
    (home / ".hidden").write_bytes(b"x")
    (home / "link").symlink_to("/etc")
    os.mkfifo(home / "pipe")
    (home / os.fsdecode(b"latin-\xe9")).write_bytes(b"x")
    (tmp_path / "beside").mkdir()
    (tmp_path / "home2").mkdir()
    return home


def refused(home: Path, path: str) -> str:
    with pytest.raises(ShoalError) as told:
        Folders([home]).look(path)
    return told.value.code


def test_folders_come_first_and_what_is_hidden_a_link_or_no_file_is_left_out(home):
    listing = Folders([home]).look(str(home))
    assert [(e.name, e.kind, e.size) for e in listing.items] == [
        ("music", "folder", 0),
        ("A.txt", "file", 0),
        ("b.txt", "file", 5),
    ]
    assert (listing.path, listing.parent, listing.more) == (str(home), None, False)
    assert listing.items[0].path == str(home / "music")


@pytest.mark.parametrize("seconds", [2**40, -(2**40), 2**63, -(2**63)])
def test_a_time_that_no_calendar_has_is_none(seconds):
    assert folders._moment(seconds) is None


@pytest.mark.parametrize("seconds", [2**40, -(2**40)])
def test_a_time_that_no_calendar_has_is_left_out(home, seconds):
    odd = home / "b.txt"
    os.utime(odd, (seconds, seconds))
    if odd.stat().st_mtime != seconds:
        pytest.skip("this file system keeps no such time")
    times = {entry.name: entry.modified for entry in Folders([home]).look(str(home)).items}
    assert times["b.txt"] is None
    assert times["A.txt"] is not None


def test_one_goes_down_and_up_again_but_not_above_what_was_configured(home):
    looked = Folders([home])
    down = looked.look(str(home / "music" / "live"))
    assert (down.items, down.parent) == ([], str(home / "music"))
    assert looked.look(str(home / "music")).parent == str(home)
    assert looked.look(str(home)).parent is None


def test_one_folder_is_where_to_begin_and_of_several_one_is_chosen(home, tmp_path):
    assert Folders([home, home]).look("").path == str(home)
    several = Folders([home, tmp_path / "beside", tmp_path / "missing"])
    assert [entry.path for entry in several.look("").items] == [str(home), str(tmp_path / "beside")]
    assert several.look(str(home)).parent == ""
    assert Folders([]).look("").items == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("{}/..", ERR_PATH), ("{}/music/../../beside", ERR_PATH), ("{}/", ERR_PATH), ("{}//music", ERR_PATH),
        ("{}2", ERR_PATH), ("/", ERR_PATH), ("/etc", ERR_PATH), ("music", ERR_PATH), ("{}/a\0b", ERR_PATH),
        ("{}/.ssh", ERR_PATH), ("{}/music/.x/y", ERR_PATH), ("{}/b.txt", ERR_PATH), ("{}/pipe", ERR_PATH),
        ("{}/link", ERR_SYMLINK), ("{}/link/passwd", ERR_SYMLINK), ("{}/none", ERR_NOT_FOUND), ("~", ERR_PATH),
        ("{}/" + "x" * 300, ERR_UNREADABLE),
    ],
)  # fmt: skip
def test_nothing_else_is_looked_into(home, path, code):
    assert refused(home, path.format(home)) == code


def test_of_a_huge_folder_only_some_is_told(home, monkeypatch):
    monkeypatch.setattr(folders, "MOST_ENTRIES", 2)
    listing = Folders([home]).look(str(home))
    assert listing.more
    assert len(listing.items) <= 2
