"""Directories and sockets of a process, and who may have them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bus import places
from bus.errors import ERR_ALREADY_RUNNING, ERR_PATH, ShoalError
from bus.places import LONGEST_SOCKET_PATH, DirectoryLock, PeerPlaces, TrackerPlaces


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def socket_path(endpoint: str) -> Path:
    assert endpoint.startswith("ipc://")
    return Path(endpoint.removeprefix("ipc://"))


def test_every_peer_has_a_directory_of_its_own_below_the_base(tmp_path: Path):
    north, south, tracker = PeerPlaces(tmp_path, "north"), PeerPlaces(tmp_path, "south"), TrackerPlaces(tmp_path)
    assert north.data_dir == tmp_path / "peers" / "north"
    assert tracker.data_dir == tmp_path / "tracker"
    everything = [
        path
        for place in (north, south, tracker)
        for path in vars(place).values()
        if path not in (place.data_dir, place.socket_dir)
    ]
    assert len(set(everything)) == len(everything)
    assert socket_path(north.control).parent == north.data_dir
    assert north.download_dir == north.data_dir / "downloads"


def test_the_download_folder_may_lie_elsewhere(tmp_path: Path):
    assert PeerPlaces(tmp_path, "north", tmp_path / "films").download_dir == tmp_path / "films"


def test_directories_are_for_their_owner_only_whatever_the_umask(tmp_path: Path):
    north, tracker = PeerPlaces(tmp_path, "north"), TrackerPlaces(tmp_path)
    before = os.umask(0)
    try:
        north.prepare()
        tracker.prepare()
        north.prepare()
    finally:
        os.umask(before)
    assert mode(north.data_dir) == mode(north.uploads_dir) == mode(tracker.data_dir) == 0o700
    assert north.download_dir.is_dir()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a\0b", "n" * 256])
def test_a_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ShoalError) as raised:
        PeerPlaces(tmp_path, name)
    assert raised.value.code == ERR_PATH


def base_of_length(tmp_path: Path, length: int) -> Path:
    """A base directory with which the longest socket path of peer `n` has so many bytes."""
    rest = length - len(str(tmp_path)) - len("//peers/n/control.ipc")
    base = tmp_path / ("d" * min(rest, 200))
    assert rest > 0
    assert len(str(base / "peers/n/control.ipc")) == length
    return base


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "rt"
    root.mkdir()
    monkeypatch.setattr(places, "_RUNTIME_ROOT", root)
    return root


def test_the_longest_path_that_a_socket_can_have_is_used(tmp_path: Path, runtime: Path):
    last = PeerPlaces(base_of_length(tmp_path, LONGEST_SOCKET_PATH), "n")
    assert last.socket_dir == last.data_dir
    first_too_long = PeerPlaces(base_of_length(tmp_path, LONGEST_SOCKET_PATH + 1), "n")
    assert first_too_long.socket_dir.is_relative_to(runtime)


def test_a_longer_path_moves_the_sockets_to_a_short_private_directory(tmp_path: Path, runtime: Path):
    base = tmp_path / ("d" * 150)
    north, again, south = PeerPlaces(base, "north"), PeerPlaces(base, "north"), PeerPlaces(base, "south")
    north.prepare()
    south.prepare()
    assert north.control == again.control != south.control
    assert all(
        len(os.fsencode(socket_path(endpoint))) <= LONGEST_SOCKET_PATH + len(str(runtime))
        for endpoint in (north.control,)
    )
    assert mode(north.socket_dir) == mode(north.socket_dir.parent) == 0o700
    assert north.identity_file.parent == north.data_dir


def test_the_short_directory_is_short_enough_in_its_real_place(tmp_path: Path):
    north = PeerPlaces(tmp_path / ("d" * 150), "north")
    assert len(os.fsencode(socket_path(north.control))) <= LONGEST_SOCKET_PATH


def refused(peer: PeerPlaces) -> str:
    with pytest.raises(ShoalError) as raised:
        peer.prepare()
    assert raised.value.code == ERR_PATH
    assert "\n" not in raised.value.message
    return raised.value.message


def test_a_short_directory_that_is_a_link_or_open_to_others_is_refused(tmp_path: Path, runtime: Path):
    north = PeerPlaces(tmp_path / ("d" * 150), "north")
    trap = tmp_path / "trap"
    trap.mkdir(mode=0o700)
    north.socket_dir.parent.symlink_to(trap)
    assert "is no directory of its own (a link, perhaps)" in refused(north)
    assert list(trap.iterdir()) == []
    north.socket_dir.parent.unlink()
    north.socket_dir.parent.mkdir(mode=0o755)
    north.socket_dir.parent.chmod(0o755)
    assert "is open to others (mode 0755); run: chmod 700" in refused(north)


def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    north = PeerPlaces(tmp_path, "north")
    north.prepare()
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    assert f"belongs to user {uid}, not {uid + 1}" in refused(north)


def test_a_data_directory_that_is_a_link_or_open_or_a_file_is_refused(tmp_path: Path):
    north = PeerPlaces(tmp_path, "north")
    north.data_dir.parent.mkdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    north.data_dir.symlink_to(tmp_path / "elsewhere")
    assert "a link, perhaps" in refused(north)
    north.data_dir.unlink()
    north.data_dir.write_text("")
    assert "cannot be made: File exists" in refused(north)
    north.data_dir.unlink()
    north.data_dir.mkdir(mode=0o750)
    assert "is open to others (mode 0750)" in refused(north)


def test_a_second_lock_is_refused_with_the_pid_of_the_first(tmp_path: Path):
    path = tmp_path / "lock"
    with DirectoryLock(path):
        with pytest.raises(ShoalError, match=f"is already running \\(pid {os.getpid()}\\)") as raised:
            DirectoryLock(path)
        assert raised.value.code == ERR_ALREADY_RUNNING
    DirectoryLock(path).release()


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path: Path):
    path = tmp_path / "lock"
    program = f"from bus.places import *; lock = DirectoryLock(Path({str(path)!r})); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ShoalError, match=f"pid {holder.pid}"):
            DirectoryLock(path)
        holder.kill()
    DirectoryLock(path).release()
