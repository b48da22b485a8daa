"""The configuration file is replaced in one step: after a crash it is the old one or the new one."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from bus.errors import ERR_DISK_FULL, ERR_PATH, ERR_STATE, ShoalError
from gateway.config_file import ConfigFile

OLD, NEW = b"a: 1  # old\n", b"a: 2  # old\n"
STEPS = ("open", "unlink", "fchmod", "fsync", "stat", "rename")
"""What the operating system is asked for; the writing itself is between them."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "config.yaml"
    found.write_bytes(OLD)
    found.chmod(0o640)
    return found


def replace(path: Path) -> None:
    with ConfigFile(path) as file:
        file.replace(NEW)


def plant(monkeypatch: pytest.MonkeyPatch, number: int, fault: Callable[[], NoReturn]) -> list[str]:
    """Whatever step is the n-th comes to nothing but `fault`; the steps so far."""
    seen: list[str] = []

    def planted(name: str) -> Callable[..., Any]:
        original = getattr(os, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            seen.append(name)
            if len(seen) == number:
                fault()
            return original(*args, **kwargs)

        return step

    for name in STEPS:
        monkeypatch.setattr(os, name, planted(name))
    return seen


def disk_error() -> NoReturn:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_it_is_replaced_with_its_mode_and_nothing_is_left(path: Path) -> None:
    replace(path)
    assert path.read_bytes() == NEW
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(path.parent) == ["config.yaml"]


def test_what_is_there_already_is_not_written_again(path: Path) -> None:
    before = path.stat()
    with ConfigFile(path) as file:
        file.replace(OLD)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_one_that_is_not_there_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with ConfigFile(tmp_path / "config.yaml") as file:
        assert file.content == b""
        file.replace(NEW)
    assert (tmp_path / "config.yaml").read_bytes() == NEW
    assert stat.S_IMODE((tmp_path / "config.yaml").stat().st_mode) == 0o600


def test_a_link_is_followed_and_stays(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "config.yaml"
    link.symlink_to(path)
    replace(link)
    assert link.is_symlink()
    assert path.read_bytes() == NEW


def test_only_one_may_change_it_at_a_time(path: Path) -> None:
    with ConfigFile(path), pytest.raises(ShoalError) as refused:
        replace(path)
    assert (refused.value.code, path.read_bytes()) == (ERR_STATE, OLD)
    replace(path)


def test_a_change_by_who_knows_no_lock_is_not_overwritten(path: Path) -> None:
    with ConfigFile(path) as file:
        path.write_bytes(b"another's\n")
        with pytest.raises(ShoalError) as refused:
            file.replace(NEW)
    assert (refused.value.code, path.read_bytes()) == (ERR_STATE, b"another's\n")
    assert os.listdir(path.parent) == ["config.yaml"]


def test_it_is_on_the_disk_before_it_gets_its_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = plant(monkeypatch, 0, disk_error)
    replace(path)
    assert seen[-4:] == ["fsync", "stat", "rename", "fsync"]


@pytest.mark.parametrize("number", range(1, 12))
def test_a_crash_at_any_moment_leaves_the_old_file_or_the_new_one(path: Path, number: int) -> None:
    child = os.fork()
    if child == 0:
        try:
            with pytest.MonkeyPatch.context() as monkeypatch:
                plant(monkeypatch, number, lambda: os._exit(9))
                replace(path)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    died = os.waitstatus_to_exitcode(status) == 9
    assert path.read_bytes() in ((OLD, NEW) if died else (NEW,))
    assert died or number > len(STEPS)
    replace(path)
    assert (path.read_bytes(), os.listdir(path.parent)) == (NEW, ["config.yaml"])


@pytest.mark.parametrize("number", range(1, 12))
def test_a_disk_that_fails_leaves_a_whole_file_and_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with monkeypatch.context() as faults:
        seen = plant(faults, number, disk_error)
        try:
            replace(path)
            refusal = None
        except ShoalError as error:
            refusal = error
    if refusal is None:  # what is not there need not be removed, and whoever looked after it was here
        assert len(seen) < number or seen[number - 1] == "unlink"
    else:
        assert refusal.code == ERR_PATH
        assert "by hand" in refusal.message
    assert path.read_bytes() in ((OLD, NEW) if refusal else (NEW,))
    assert os.listdir(path.parent) == ["config.yaml"]


def test_a_full_disk_has_a_code_of_its_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    seen = plant(monkeypatch, 5, full)
    with pytest.raises(ShoalError) as refused:
        replace(path)
    monkeypatch.undo()
    assert (refused.value.code, seen[4], path.read_bytes()) == (ERR_DISK_FULL, "fchmod", OLD)
