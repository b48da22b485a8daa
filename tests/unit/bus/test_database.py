"""Opening a database, whatever is or is not there; the stores' own tests damage real ones in every page."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from bus.database import Schema, open_database
from bus.errors import ERR_DATABASE, ERR_DISK, ShoalError

OLD = Schema(1, "CREATE TABLE words (word TEXT) STRICT")
NEW = Schema(
    3,
    "CREATE TABLE words (word TEXT, length INTEGER, language TEXT) STRICT",
    ("ALTER TABLE words ADD COLUMN length INTEGER", "ALTER TABLE words ADD COLUMN language TEXT"),
)


def words(connection: sqlite3.Connection) -> list[str]:
    return [word for (word,) in connection.execute("SELECT word FROM words")]


def made(path: Path, schema: Schema, *kept: str) -> None:
    connection, _, notice = open_database(path, schema, words)
    assert notice == ""
    connection.executemany("INSERT INTO words (word) VALUES (?)", [(word,) for word in kept])
    connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "words.db"


def test_a_missing_database_is_made_for_its_owner_only(path: Path):
    made(path, NEW, "north")
    assert path.stat().st_mode & 0o777 == 0o600
    connection, found, notice = open_database(path, NEW, words)
    connection.close()
    assert (found, notice) == (["north"], "")


def test_an_older_database_is_brought_up_step_by_step(path: Path):
    made(path, OLD, "north")
    connection, found, notice = open_database(path, NEW, words)
    with closing(connection):
        assert (found, notice) == (["north"], "")
        assert connection.execute("SELECT length, language FROM words").fetchall() == [(None, None)]
        assert connection.execute("PRAGMA user_version").fetchall() == [(3,)]


def test_a_newer_database_is_refused_and_left_as_it_is(path: Path):
    made(path, NEW, "north")
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    with pytest.raises(ShoalError, match="version 3, this one knows 1") as raised:
        open_database(path, OLD, words)
    assert raised.value.code == ERR_DATABASE
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_python_with_an_old_sqlite_is_told_so_and_no_file_is_touched(path: Path, monkeypatch: pytest.MonkeyPatch):
    made(path, NEW, "north")
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.36.0")
    for place in (path, path.with_name("new.db")):
        with pytest.raises(ShoalError) as raised:
            open_database(place, NEW, words)
        assert (raised.value.code, raised.value.message) == (
            ERR_DATABASE, "this Python has SQLite 3.36.0, 3.37 is needed: use another Python"
        )  # fmt: skip
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


@pytest.mark.parametrize("content", [b"no database at all" * 400, b"SQLite format 3\0" + b"\xff" * 4096])
def test_what_is_no_database_is_set_aside_and_said(path: Path, content: bytes):
    path.write_bytes(content)
    connection, found, notice = open_database(path, NEW, words)
    connection.close()
    [aside] = path.parent.glob("words.db.corrupt-*")
    assert (found, str(aside) in notice, "\n" in notice) == ([], True, False)
    assert aside.read_bytes() == content


@pytest.mark.parametrize("error", [msgspec.DecodeError("bad"), msgspec.ValidationError("bad"), sqlite3.DatabaseError()])
def test_what_cannot_be_read_is_damaged(path: Path, error: Exception):
    made(path, NEW, "north")

    def read(connection: sqlite3.Connection) -> list[str]:
        found = words(connection)
        if found:
            raise error
        return found

    connection, found, notice = open_database(path, NEW, read)
    connection.close()
    assert (found, "set aside" in notice) == ([], True)


def test_a_bug_while_reading_is_no_damage(path: Path):
    made(path, NEW, "north")
    with pytest.raises(ZeroDivisionError):
        open_database(path, NEW, lambda _: 1 // 0)
    assert [file.name for file in path.parent.iterdir()] == ["words.db"]


def test_a_link_or_a_folder_in_its_place_is_one_line(path: Path, tmp_path: Path):
    path.symlink_to(tmp_path / "elsewhere.db")
    for place in (path, tmp_path, tmp_path / "missing" / "words.db"):
        with pytest.raises(ShoalError) as raised:
            open_database(place, NEW, words)
        assert (raised.value.code, "\n" in raised.value.message) == (ERR_DISK, False)
    assert not (tmp_path / "elsewhere.db").exists()
