"""share, unshare, search: what this peer offers, and what others do."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from bus.errors import ERR_NOT_FOUND, ERR_PATH, ERR_UNREADABLE, ERR_USAGE, ShoalError
from bus.units import format_duration, format_size
from peer.cli.control import act_on
from peer.cli.session import Command, Session
from peer.cli.show import Column, plain, print_json, print_table, short, stderr_is_terminal
from peer.core.sharelink import MAX_NAME

if TYPE_CHECKING:
    from bus.messages import Progress, Shared


class SharedRow(Struct, frozen=True):
    """One path that is now offered."""

    id: str
    name: str
    kind: str
    size: int
    files: int
    chunks: int
    seconds: float
    link: str
    skipped: list[str]
    hashed_files: int
    hashed_bytes: int


def absolute(path: str) -> str:
    """The path as the peer, which stands elsewhere, can use it.

    Raises:
        ShoalError: ERR_USAGE if it is empty; ERR_NOT_FOUND, ERR_UNREADABLE or ERR_PATH if nothing there can be shared.
    """
    from bus.names import MAX_PATH

    if not path:
        raise ShoalError(ERR_USAGE, "an empty path is not shared (a shell variable that is not set?); give . for here")
    full = os.path.abspath(path)
    shown = plain(full)
    try:
        if len(full.encode()) > MAX_PATH:
            raise ShoalError(ERR_PATH, f"{shown[:100]}... has over {MAX_PATH} bytes; share it by a shorter path")
        mode = os.stat(full).st_mode
    except UnicodeEncodeError:
        raise ShoalError(ERR_PATH, f"{path!a} is not UTF-8; rename it, then share it") from None
    except FileNotFoundError:
        raise ShoalError(ERR_NOT_FOUND, f"{shown} does not exist; check the path") from None
    except OSError as error:
        raise ShoalError(ERR_UNREADABLE, f"{shown} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ShoalError(ERR_PATH, f"{shown} is neither a file nor a folder; only these can be shared")
    return full


@contextmanager
def hashing_bar(session: Session, path: str) -> Iterator[Callable[[Progress], None] | None]:
    """What to call with the peer's progress, or None where no bar is to be seen."""
    if session.json or session.quiet or not stderr_is_terminal():
        yield None
        return
    from peer.cli.bars import bar

    text = f"{os.path.basename(path) or path}  hashing"
    with bar(text) as moved:
        yield lambda progress: moved(progress.bytes_done, progress.bytes_total, text + _files_of(progress))


@click.command(cls=Command)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--name", metavar="N", help="Offer it under this name (one path only).")
@click.pass_obj
def share(session: Session, paths: Sequence[str], name: str | None) -> None:
    """Hash files or folders and offer them where they lie.

    Left out of a folder, each named in one line: links to what is not a file of it, what is neither file nor folder,
    downloads in progress, and the folders where Shoal keeps its own state and private keys.
    """
    from bus.messages import Shared, SharePath

    _check_name(name, len(paths))
    rows: list[SharedRow] = []
    for path in [absolute(path) for path in paths]:
        try:
            with hashing_bar(session, path) as on_progress:
                reply = session.ask(SharePath(0, path, name or ""), Shared, on_progress=on_progress)
        except KeyboardInterrupt:
            session.note(_goes_on(session.command, path, len(paths) - len(rows) - 1))
            raise
        for line in reply.skipped:
            session.note(f"skipped {plain(line)}")
        rows.append(_row(reply))
        if not session.json:
            _show(rows[-1])
    if session.json:
        print_json(rows)


@click.command(cls=Command)
@click.argument("contents", nargs=-1, required=True, metavar="ID...")
@click.pass_obj
def unshare(session: Session, contents: Sequence[str]) -> None:
    """Stop offering; your files stay."""
    from bus.messages import Unshare

    act_on(session, contents, lambda content: Unshare(0, content), "no longer offered")


@click.command(cls=Command)
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Results at most.")
@click.pass_obj
def search(session: Session, words: Sequence[str], limit: int) -> None:
    """Find contents by all words of their names, or by the first digits of an id."""
    from bus.messages import SearchContents, SearchResults

    text = " ".join(words).strip()
    if not text or len(text) > 512:
        raise ShoalError(ERR_USAGE, f"expected 1 to 512 characters to search for, found {len(text)}")
    results = session.ask(SearchContents(0, text, limit), SearchResults, timeout=20.0).results
    if session.json:
        print_json(results)
    elif not results:
        session.note("nothing found")
    else:
        columns = [Column("ID"), Column("NAME", elastic=True), Column("KIND"), Column("SIZE", True),
                   Column("SEEDS", True), Column("LEECHERS", True)]  # fmt: skip
        cells = [
            (short(one.id), one.name, one.kind, format_size(one.size), str(one.seeds), str(one.leechers))
            for one in results
        ]
        print_table(columns, cells)


def _check_name(name: str | None, paths: int) -> None:
    if name is None:
        return
    if not name:
        raise ShoalError(ERR_USAGE, "--name is empty (a shell variable that is not set?); leave it out or give a name")
    if paths > 1:
        raise ShoalError(ERR_USAGE, f"--name fits one path, found {paths}; share them one by one")
    if len(name) > MAX_NAME:
        raise ShoalError(ERR_USAGE, f"--name has {len(name)} characters, the limit is {MAX_NAME}; choose a shorter one")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ShoalError(ERR_USAGE, f"--name {name!a} is not UTF-8; choose another one") from None


def _goes_on(command: str, path: str, left: int) -> str:
    others = f"; {left} further path{'s were' if left != 1 else ' was'} not shared" if left else ""
    name = plain(os.path.basename(path) or path)
    return f"the peer goes on hashing {name} and then offers it; see it with: {command} ls{others}"


def _row(reply: Shared) -> SharedRow:
    return SharedRow(
        reply.id,
        reply.name,
        reply.kind,
        reply.size,
        reply.files,
        reply.chunks,
        reply.seconds,
        reply.link,
        reply.skipped,
        reply.hashed_files,
        reply.hashed_bytes,
    )


def _files_of(progress: Progress) -> str:
    """How many files are hashed, where there are several."""
    return f" {progress.files_done:,}/{progress.files_total:,} files" if progress.files_total > 1 else ""


def _files(count: int) -> str:
    return f"{count:,} file{'s' if count != 1 else ''}"


def _show(row: SharedRow) -> None:
    files = f"{_files(row.files)}, " if row.kind == "tree" else ""
    took = f"in {format_duration(row.seconds)}"
    if row.hashed_bytes == row.size:
        how = f"hashed {took}"
    elif not row.hashed_bytes:
        how = f"as it was, looked at {took}"
    else:
        how = f"of which {_files(row.hashed_files)}, {format_size(row.hashed_bytes)}, hashed anew {took}"
    click.echo(f"{plain(row.name)}: {files}{format_size(row.size)}, {how}")
    click.echo(f"  {row.id}\n  {row.link}")


COMMANDS = (share, unshare, search)
