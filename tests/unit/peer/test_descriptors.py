from __future__ import annotations

import os
from pathlib import Path

import pytest

from bus.errors import ERR_PATH, ERR_SYMLINK, ShoalError
from peer.descriptors import Folder, OpenFiles
from peer.files import ANY_FOLDER, CREATE, CREATE_NEW, READ, FileOps


class Owner:
    """Somebody who opens files."""


@pytest.fixture
def opened():
    cache = OpenFiles(FileOps(), limit=3)
    yield cache
    cache.close()


def opener(path: Path, calls: list[Path] | None = None):
    def open_it() -> int:
        if calls is not None:
            calls.append(path)
        return os.open(path, os.O_RDWR | os.O_CREAT)

    return open_it


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def test_a_file_is_opened_once(opened, tmp_path):
    owner = Owner()
    calls: list[Path] = []
    for _ in range(3):
        with opened.take(owner, 1, opener(tmp_path / "a", calls)) as number:
            assert is_open(number)
    assert len(calls) == 1


def test_the_least_recently_used_is_closed_beyond_the_limit(opened, tmp_path):
    owner = Owner()
    numbers = {}
    for name in (0, 1, 2, 0, 3):
        with opened.take(owner, name, opener(tmp_path / str(name))) as number:
            numbers[name] = number
    assert [is_open(numbers[name]) for name in (0, 2, 3)] == [True, True, True]
    calls: list[Path] = []
    with opened.take(owner, 1, opener(tmp_path / "1", calls)):
        assert len(calls) == 1


def test_what_is_used_or_pinned_is_never_closed_for_others(opened, tmp_path):
    owner = Owner()
    with opened.take(owner, "pinned", opener(tmp_path / "p"), pinned=True) as pinned:
        pass
    with opened.take(owner, "used", opener(tmp_path / "u")) as used:
        for name in range(10):
            with opened.take(owner, name, opener(tmp_path / str(name))):
                pass
        assert (is_open(pinned), is_open(used)) == (True, True)


def test_a_dropped_file_is_closed_when_its_last_user_is_done(opened, tmp_path):
    owner, other = Owner(), Owner()
    with opened.take(other, 1, opener(tmp_path / "other")) as others:
        pass
    with opened.take(owner, 1, opener(tmp_path / "a")) as one, opened.take(owner, 1, opener(tmp_path / "a")) as two:
        opened.drop(owner)
        assert (one == two, is_open(one)) == (True, True)
    assert (is_open(one), is_open(others)) == (False, True)


def test_an_owner_that_was_dropped_leaves_nothing_open(opened, tmp_path):
    owner = Owner()
    opened.drop(owner)
    with opened.take(owner, 1, opener(tmp_path / "a"), pinned=True) as number:
        assert is_open(number)
    assert not is_open(number)


def test_a_passing_file_is_closed_after_its_use(opened, tmp_path):
    with opened.take(Owner(), 1, opener(tmp_path / "a"), passing=True) as number:
        assert is_open(number)
    assert not is_open(number)


def test_what_nobody_used_for_a_while_is_closed(opened, tmp_path):
    owner = Owner()
    with opened.take(owner, "pinned", opener(tmp_path / "p"), pinned=True) as pinned:
        pass
    with opened.take(owner, "idle", opener(tmp_path / "i")) as idle:
        pass
    with opened.take(owner, "used", opener(tmp_path / "u")) as used:
        opened.close_idle(60.0)
        assert is_open(idle)
        opened.close_idle(-1.0)
        assert [is_open(number) for number in (pinned, idle, used)] == [True, False, True]


# --- folders ----------------------------------------------------------------------------------


@pytest.fixture
def folder(opened, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    return Folder(FileOps(), opened, Owner(), str(root), lambda: os.open(root, ANY_FOLDER))


def test_folders_are_made_on_the_way_only_if_told_to(folder):
    with pytest.raises(FileNotFoundError):
        folder.open("a/b/c", CREATE_NEW)
    os.close(folder.open("a/b/c", CREATE_NEW, make=True))
    assert folder.look("a/b/c").st_size == 0
    with pytest.raises(FileNotFoundError):
        folder.look("a/x/c")


@pytest.mark.parametrize("flags", [READ, CREATE, CREATE_NEW])
@pytest.mark.parametrize("place", ["link", "link/secret", "sub/link/secret"])
def test_no_link_is_followed_wherever_it_is(folder, tmp_path, flags, place):
    (tmp_path / "root" / "sub").mkdir()
    target = tmp_path / "outside" / "secret" if place == "link" else tmp_path / "outside"
    (tmp_path / "root" / place.split("/secret")[0]).symlink_to(target)
    with pytest.raises(ShoalError) as caught:
        folder.open(place, flags, make=True)
    assert (caught.value.code, str(tmp_path / "root") in caught.value.message) == (ERR_SYMLINK, True)
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"


def test_a_link_planted_after_a_folder_was_entered_leads_nowhere_else(folder, tmp_path):
    os.close(folder.open("sub/one", CREATE_NEW, make=True))
    (tmp_path / "root" / "sub").rename(tmp_path / "root" / "moved")
    (tmp_path / "root" / "sub").symlink_to(tmp_path / "outside")
    os.close(folder.open("sub/two", CREATE_NEW, make=True))
    assert sorted(os.listdir(tmp_path / "root" / "moved")) == ["one", "two"]
    assert os.listdir(tmp_path / "outside") == ["secret"]


def test_what_is_not_a_file_of_its_own_is_not_opened(folder, tmp_path):
    root = tmp_path / "root"
    (root / "folder").mkdir()
    os.mkfifo(root / "pipe")
    os.link(tmp_path / "outside" / "secret", root / "hard")
    (root / "file").touch()
    for place in ("folder", "pipe", "hard", "file/below"):
        with pytest.raises(ShoalError) as caught:
            folder.open(place, READ)
        assert caught.value.code == ERR_PATH, place
