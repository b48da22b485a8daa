"""pause, resume, verify, remove: what is done to an item that is there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import click
from msgspec import Struct

from bus.errors import ERR_PATH, ERR_USAGE, ShoalError
from bus.names import MAX_PATH
from peer.cli.session import Command, Session
from peer.cli.show import plain, print_json
from peer.core.sharelink import is_link, parse_link, parse_reference

if TYPE_CHECKING:
    from bus.messages import Message


MOST_PATHS: Final = 1000
"""Paths that one request carries."""


class Acted(Struct, frozen=True):
    """An item that something was done to."""

    id: str


def content_of(text: str) -> str:
    """The id, or its first digits, of an item as a user names it."""
    return parse_link(text).content if is_link(text.strip()) else parse_reference(text)


def paths_after(option: str, paths: list[str]) -> list[str]:
    """Paths inside a content as a user names them.

    Raises:
        ShoalError: there are too many, or one can be in no content.
    """
    if len(paths) > MOST_PATHS:
        raise ShoalError(
            ERR_USAGE, f"{option} takes at most {MOST_PATHS} paths, found {len(paths)}; name their folders"
        )
    for path in paths:
        if not path:
            raise ShoalError(ERR_USAGE, f"an empty path after {option} (a shell variable that is not set?)")
        if len(path) > MAX_PATH:
            raise ShoalError(ERR_PATH, f"{plain(path[:100])}... has over {MAX_PATH} characters; name its folder")
        try:
            path.encode()
        except UnicodeEncodeError:
            raise ShoalError(ERR_PATH, f"{path!a} is not UTF-8, so no content has it; name its folder") from None
    return paths


def act_on(session: Session, contents: Sequence[str], request: Callable[[str], Message], done: str) -> None:
    """Send a request for each item and say what became of it."""
    from bus.messages import Done

    rows = []
    for content in [content_of(text) for text in contents]:
        answer = session.ask(request(content), Done)
        rows.append(Acted(answer.content or content))
        session.note(f"{rows[-1].id} {done}")
        if answer.note:
            session.note(answer.note)
    if session.json:
        print_json(rows)


@click.command(cls=Command)
@click.argument("contents", nargs=-1, required=True, metavar="ID...")
@click.pass_obj
def pause(session: Session, contents: Sequence[str]) -> None:
    """Stop fetching and offering until resume."""
    from bus.messages import Pause

    act_on(session, contents, lambda content: Pause(0, content), "paused")


@click.command(cls=Command)
@click.argument("contents", nargs=-1, required=True, metavar="ID...")
@click.pass_obj
def resume(session: Session, contents: Sequence[str]) -> None:
    """Go on after pause or an error."""
    from bus.messages import Resume

    act_on(session, contents, lambda content: Resume(0, content), "resumed")


@click.command(cls=Command)
@click.argument("contents", nargs=-1, required=True, metavar="ID...")
@click.pass_obj
def verify(session: Session, contents: Sequence[str]) -> None:
    """Hash what is on disk again: of a download what is damaged is fetched anew, a damaged share is withdrawn."""
    from bus.messages import Verify

    act_on(session, contents, lambda content: Verify(0, content), "is being verified")


@click.command(cls=Command)
@click.argument("contents", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--data", is_flag=True, help="Delete what Shoal downloaded or received as an upload, never a shared file."
)
@click.option("--yes", is_flag=True, help="Do not ask before data is deleted.")
@click.pass_obj
def remove(session: Session, contents: Sequence[str], data: bool, yes: bool) -> None:
    """Forget items. What was never finished is deleted; what was finished stays, unless --data."""
    from bus.messages import Remove

    if data and not yes:
        _confirm(contents)
    act_on(session, contents, lambda content: Remove(0, content, data), "removed")


def _confirm(contents: Sequence[str]) -> None:
    if not sys.stdin.isatty():
        raise ShoalError(ERR_USAGE, "remove --data deletes files and nobody is there to ask; say so with --yes")
    click.confirm(f"Delete the data of {', '.join(contents)}?", abort=True, err=True)


COMMANDS = (pause, resume, verify, remove)
