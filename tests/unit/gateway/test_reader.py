"""Files of contents are opened without following any link at or below the content's own place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bus.errors import ERR_NOT_FOUND, ShoalError
from bus.messages import Locate, Located
from gateway.reader import Reader, open_below


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "tree"
    (root / "deep").mkdir(parents=True)
    (root / "deep" / "file").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    return root


def read(root: object, inside: str) -> bytes:
    descriptor = open_below(str(root), inside)
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def test_a_file_is_found_in_its_tree_or_by_itself(root):
    assert read(root, "deep/file") == b"inside"
    assert read(root / "deep" / "file", "") == b"inside"


def test_a_link_at_any_place_is_not_followed(root, tmp_path):
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    (tmp_path / "other").symlink_to(root)
    (tmp_path / "alias").symlink_to(tmp_path / "secret")
    for top, inside in ((root, "link"), (root, "folder/secret"), (tmp_path / "other", "deep/file")):
        with pytest.raises(OSError, match=r"Too many levels|Not a directory"):
            open_below(str(top), inside)
    with pytest.raises(OSError, match="Too many levels"):
        open_below(str(tmp_path / "alias"), "")


class JustBegun:
    """A peer that knows of a download, though no event of it was heard yet; and live state without a row of it."""

    def __init__(self, path: Path, knows: bool) -> None:
        self.path = path
        self.knows = knows
        self.asked = 0
        self.live = self

    def ask(self, message: Locate, _kind: type[Located]) -> Located:
        self.asked += 1
        if not self.knows:
            raise ShoalError(ERR_NOT_FOUND, "its files are not known")
        ready = 6 if self.asked > 1 else 0
        return Located(0, message.content, "file", 0, "", 6, str(self.path), "", ready, 0)

    def row(self, *_: object) -> None:
        return None

    def wait_for(self, _predicate: object, _seconds: float) -> None:
        pass


def test_a_download_whose_first_event_is_still_on_its_way_is_waited_for(root):
    just_begun = JustBegun(root / "deep" / "file", knows=True)
    assert b"".join(Reader(just_begun, "c" * 64, 0).blocks(0, 6)) == b"inside"  # type: ignore[arg-type]  # what it uses


def test_what_neither_the_peer_nor_its_events_know_is_not_waited_for(root):
    with pytest.raises(ShoalError, match="not among this peer's contents"):
        Reader(JustBegun(root, knows=False), "c" * 64, 0).wait(0)  # type: ignore[arg-type]  # what it uses


def test_no_descriptor_is_left_open(root):
    before = len(os.listdir("/proc/self/fd"))
    read(root, "deep/file")
    with pytest.raises(FileNotFoundError):
        open_below(str(root), "deep/none/file")
    assert len(os.listdir("/proc/self/fd")) == before
