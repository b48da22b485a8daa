"""Files of contents are opened without following any link at or below the content's own place."""

from __future__ import annotations

import os

import pytest

from gateway.reader import open_below


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


def test_no_descriptor_is_left_open(root):
    before = len(os.listdir("/proc/self/fd"))
    read(root, "deep/file")
    with pytest.raises(FileNotFoundError):
        open_below(str(root), "deep/none/file")
    assert len(os.listdir("/proc/self/fd")) == before
