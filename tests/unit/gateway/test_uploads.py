"""Uploads: what is stored, what is refused, and that a refusal leaves nothing behind."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from bus import errors
from gateway import uploads

BOUNDARY = "simple"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
ROOM = 2**20


def form(*files: tuple[str, bytes], folders: tuple[str, ...] = ()) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="folder"\r\n\r\n{path}\r\n'.encode() for path in folders
    ]
    parts += [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{path}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for path, data in files
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def receive(body: bytes, into: Path, limit: int = ROOM) -> Path:
    return uploads.receive(io.BytesIO(body), FORM, len(body), into, limit)


def stored(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_file_is_stored_under_its_name_in_a_folder_of_its_own(tmp_path):
    path = receive(form(("a b.txt", b"hello")), tmp_path)
    assert (path.name, path.read_bytes(), path.parent.parent) == ("a b.txt", b"hello", tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_two_uploads_of_one_name_do_not_meet(tmp_path):
    first, second = (receive(form(("same", content)), tmp_path) for content in (b"1", b"2"))
    assert (first.read_bytes(), second.read_bytes()) == (b"1", b"2")


def test_a_folder_keeps_its_tree_with_empty_files_and_folders(tmp_path):
    body = form(("top/deep/er/x", b"1"), ("top/empty", b""), folders=("top/hollow",))
    path = receive(body, tmp_path)
    assert path.name == "top"
    assert stored(path) == {"deep/er/x": b"1", "empty": b""}
    assert (path / "hollow").is_dir()


def test_every_byte_arrives_whatever_it_is(tmp_path):
    content = os.urandom(700_000) + f"\r\n--{BOUNDARY}".encode()[:-2] + b"\r\n--\n\r"
    assert receive(form(("x", content)), tmp_path).read_bytes() == content


def test_a_name_with_quotes_as_browsers_escape_them_is_the_name(tmp_path):
    assert receive(form(("say %22hi%22.txt", b"")), tmp_path).name == 'say "hi".txt'


@pytest.mark.parametrize(
    "name",
    [
        "../x", "/etc/passwd", "a/../../b", "a//b", "a/./b", "", "a/", ".", "..", "top/../../x", "a\x00b", "a\x7fb",
        "x" * 256, "\u202efdp.exe", "a/" * 2100 + "b",
    ],
)  # fmt: skip
def test_a_hostile_name_is_refused_and_leaves_nothing(name, tmp_path):
    inside = tmp_path / "uploads"
    with pytest.raises(errors.ShoalError) as refusal:
        receive(form(("good/first", b"1"), (name, b"2")), inside)
    assert refusal.value.code in {errors.ERR_PATH, errors.ERR_USAGE}
    assert [path.name for path in tmp_path.iterdir()] == ["uploads"]
    assert list(inside.iterdir()) == []


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([("a", b""), ("a", b"")], errors.ERR_PATH),
        ([("a", b""), ("a/b", b"")], errors.ERR_PATH),
        ([("a/b", b""), ("a", b"")], errors.ERR_PATH),
        ([("a", b""), ("b", b"")], errors.ERR_USAGE),
        ([], errors.ERR_USAGE),
    ],
)
def test_what_is_not_one_file_or_one_folder_is_refused(files, code, tmp_path):
    with pytest.raises(errors.ShoalError) as refusal:
        receive(form(*files), tmp_path)
    assert refusal.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_an_upload_cut_off_anywhere_leaves_nothing(tmp_path):
    body = form(("top/a", b"x" * 100), ("top/b", b"y" * 100))
    for length in range(0, len(body) - 4, 7):
        with pytest.raises(errors.ShoalError):
            uploads.receive(io.BytesIO(body[:length]), FORM, len(body), tmp_path, ROOM)
        assert list(tmp_path.iterdir()) == []


def test_a_lost_connection_is_not_called_a_disk_error(tmp_path):
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            if not data:
                raise ConnectionResetError("reset by peer")
            return data

    body = form(("a", b"x" * 100))[:-20]
    with pytest.raises(errors.ShoalError) as refusal:
        uploads.receive(Breaking(body), FORM, None, tmp_path, ROOM)
    assert refusal.value.code == errors.ERR_USAGE
    assert list(tmp_path.iterdir()) == []


def test_an_upload_is_at_most_as_long_as_allowed_announced_or_not(tmp_path):
    body = form(("a", b"x" * 1000))
    assert receive(body, tmp_path, limit=len(body)).stat().st_size == 1000
    for length in (len(body), None):
        with pytest.raises(errors.ShoalError) as refusal:
            uploads.receive(io.BytesIO(body), FORM, length, tmp_path, len(body) - 1)
        assert refusal.value.code == errors.ERR_TOO_LARGE
    assert len(list(tmp_path.iterdir())) == 1


def test_an_upload_that_cannot_fit_is_refused_before_a_byte_is_read(tmp_path):
    body = io.BytesIO(b"x")
    with pytest.raises(errors.ShoalError) as refusal:
        uploads.receive(body, FORM, 2**60, tmp_path, 2**61)
    assert (refusal.value.code, body.tell()) == (errors.ERR_DISK_FULL, 0)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(uploads, "FileIO", type("Full", (io.FileIO,), {"write": full}))
    with pytest.raises(errors.ShoalError) as refusal:
        receive(form(("a", b"x" * 1000)), tmp_path)
    assert refusal.value.code == errors.ERR_DISK_FULL
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", f"multipart/form-data; boundary={'b' * 71}", ""])
def test_what_is_no_form_is_refused(kind, tmp_path):
    with pytest.raises(errors.ShoalError) as refusal:
        uploads.receive(io.BytesIO(b""), kind, 0, tmp_path, ROOM)
    assert refusal.value.code == errors.ERR_USAGE


def test_what_a_killed_gateway_left_is_removed_and_what_is_complete_stays(tmp_path):
    kept = receive(form(("a", b"1")), tmp_path)
    (tmp_path / f"{uploads.INCOMING}left" / "deep").mkdir(parents=True)
    uploads.remove_unfinished(tmp_path)
    assert stored(tmp_path) == {str(kept.relative_to(tmp_path)): b"1"}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_discarded_upload_is_gone(tmp_path):
    uploads.discard(receive(form(("top/a", b"1")), tmp_path))
    assert list(tmp_path.iterdir()) == []
