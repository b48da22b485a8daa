"""limit, priority, leave-out: how fast, what first, and what not at all; all hold at once and for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

import click
from msgspec import Struct

from bus.errors import ERR_NOT_FOUND, ERR_USAGE, ShoalError
from bus.units import format_limit, parse_rate
from peer.cli.control import act_on, content_of, paths_after
from peer.cli.schedule import OFF, format_times, read_schedule
from peer.cli.session import Command, Session
from peer.cli.show import Column, plain, print_fields, print_json, print_table, short

if TYPE_CHECKING:
    from bus.events import Transfer
    from bus.messages import ChangeLimits, FilePriority, Limits

DEFAULT: Final = "default"
"""The word for the configuration's limit, or for no limit of a content's own."""
LEVELS: Final[dict[str, Literal["", "high", "normal", "low"]]] = {
    "": "",
    "high": "high",
    "normal": "normal",
    "low": "low",
}
ORDERS: Final[dict[bool | None, tuple[Literal["", "default", "sequential"], str]]] = {
    None: ("", ""),
    True: ("sequential", "from first to last"),
    False: ("default", "in any order"),
}


@click.command(cls=Command)
@click.argument("content", default="", metavar="[ID]")
@click.option("--up", metavar="RATE", help="Bytes a second sent: 2 MiB/s, unlimited, or default.")
@click.option("--down", metavar="RATE", help="Bytes a second received: as for --up.")
@click.option(
    "--schedule",
    metavar="WHEN",
    help="Let --up and --down hold only then, and instead of the others: 'mon-fri 08:00-18:00', 'daily 22:00-06:00', "
    "by the peer's local time; what is not given is unlimited. off: no such times.",
)
@click.pass_obj
def limit(session: Session, content: str, up: str | None, down: str | None, schedule: str | None) -> None:
    """Set or show rate limits: of one content, or of all together. What is set wins over config.yaml, and is kept."""
    from bus.messages import Limits
    from bus.readable import limits_in_force

    item = content_of(content) if content else ""
    reply = session.ask(_change(item, up, down, schedule), Limits)
    if session.json:
        print_json(limits_in_force(reply))
        return
    print_fields(
        [
            ("up", _said(reply.content, reply.up, reply.effective_up, reply.up_is_set, _origin(session, "up"))),
            (
                "down",
                _said(reply.content, reply.down, reply.effective_down, reply.down_is_set, _origin(session, "down")),
            ),
            *_scheduled(reply),
        ]
    )
    if reply.contents and not reply.content:
        columns = [Column("CONTENT"), Column("UP", True), Column("DOWN", True)]
        cells = [(short(one.content), format_limit(one.up), format_limit(one.down)) for one in reply.contents]
        print_table(columns, cells)


def _change(content: str, up: str | None, down: str | None, schedule: str | None) -> ChangeLimits:
    """What to ask of the peer."""
    from bus.messages import LIMIT_KEPT, ChangeLimits

    if schedule is None:
        return ChangeLimits(0, content, _rate("--up", up), _rate("--down", down))
    if schedule.strip() == OFF:
        return ChangeLimits(0, content, _rate("--up", up), _rate("--down", down), "none")
    if DEFAULT in (up, down):
        raise ShoalError(ERR_USAGE, "the limits of a schedule have no default; give a rate or unlimited")
    there = read_schedule(schedule, _rate("--up", up or "unlimited"), _rate("--down", down or "unlimited"))
    return ChangeLimits(0, content, LIMIT_KEPT, LIMIT_KEPT, there)


def _scheduled(reply: Limits) -> list[tuple[str, str]]:
    """The line about the schedule."""
    there = reply.schedule
    if there is None or reply.content:
        return []
    limits = f"up {format_limit(there.up)}, down {format_limit(there.down)}"
    return [("scheduled", f"{format_times(there)}: {limits}{'; they hold now' if reply.scheduled else ''}")]


def _origin(session: Session, direction: str) -> str:
    """Where a limit that was not set while running comes from."""
    return session.loaded.origins[f"limits.{direction}"]


def _rate(option: str, text: str | None) -> int:
    from bus.messages import LIMIT_DEFAULT, LIMIT_KEPT

    if text is None:
        return LIMIT_KEPT
    if text.strip() == DEFAULT:
        return LIMIT_DEFAULT
    try:
        return parse_rate(text.strip())
    except ValueError as error:
        raise ShoalError(ERR_USAGE, f"{option}: {error}; or default") from None


def _said(content: str, own: int, effective: int, is_set: bool, configured: str) -> str:
    if content:
        return format_limit(own) + (f" (all together: {format_limit(effective)})" if effective != own else "")
    return format_limit(own) + ("" if is_set else f" ({configured})")


def _complete_level(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [level for level in LEVELS if level and level.startswith(incomplete)]


@click.command(cls=Command)
@click.argument("content", metavar="ID")
@click.argument("level", default="", metavar="[high|normal|low]", shell_complete=_complete_level)
@click.option("--sequential/--any-order", default=None, help="Fetch its chunks from first to last, or not any more.")
@click.option(
    "--path",
    "paths",
    multiple=True,
    metavar="PATH",
    help="Of a folder, only this file or folder in it gets the priority, among its other files; may be repeated.",
)
@click.pass_obj
def priority(session: Session, content: str, level: str, sequential: bool | None, paths: Sequence[str]) -> None:
    """Of running downloads, which is fetched first, of their files too, and in which order; without any, show it."""
    from bus.messages import ChangeDownload

    if level not in LEVELS:
        raise ShoalError(ERR_USAGE, f"expected high, normal or low, found {level!a}")
    if paths and not level:
        raise ShoalError(ERR_USAGE, "say which priority --path gets: high, normal or low")
    inside = paths_after("--path", list(paths))
    if not level and sequential is None:
        _show_priority(session, content_of(content))
        return
    order, said = ORDERS[sequential]
    whose = "" if not inside else f" of {plain(inside[0])}" if len(inside) == 1 else f" of {len(inside)} paths in it"
    words = ", ".join(part for part in (level and f"with {level} priority{whose}", said) if part)
    act_on(
        session, [content], lambda item: ChangeDownload(0, item, LEVELS[level], order, inside), f"is fetched {words}"
    )


@click.command(cls=Command)
@click.argument("content", metavar="ID")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.pass_obj
def leave_out(session: Session, content: str, paths: Sequence[str]) -> None:
    """Of a running download of a folder, fetch these paths no more; get --only fetches them after all."""
    from bus.messages import ChangeDownload

    inside = paths_after("ID", list(paths))
    which = plain(inside[0]) if len(inside) == 1 else f"{len(inside)} paths in it"
    act_on(session, [content], lambda item: ChangeDownload(0, item, leave_out=inside), f"is fetched without {which}")


class Order(Struct, frozen=True):
    """When and how a running download is fetched."""

    id: str
    priority: str
    sequential: bool
    paths: list[FilePriority] | None
    """What is set for files and folders in it; null while its files are not known."""


def _show_priority(session: Session, content: str) -> None:
    from bus.events import Transfer

    running = [row for row in session.state("transfers").of(Transfer, "transfers") if row.id.startswith(content)]
    if not running:
        raise ShoalError(ERR_NOT_FOUND, f"no download {content} on this peer; `shoal ls` lists what there is")
    if len(running) > 1:
        raise ShoalError(ERR_USAGE, f"{len(running)} downloads begin with {content}; give more digits")
    row = running[0]
    paths = _set_in(session, row)
    if session.json:
        print_json(Order(row.id, row.priority, row.sequential, paths))
        return
    order = "from first to last" if row.sequential else "in any order"
    unknown = [("paths", "told when its files are known")] if paths is None else []
    print_fields([("id", row.id), ("priority", row.priority), ("chunks", order), *unknown])
    if paths:
        print_table([Column("PATH", elastic=True), Column("PRIORITY")], [(one.path, one.priority) for one in paths])


def _set_in(session: Session, row: Transfer) -> list[FilePriority] | None:
    """What is set for files and folders of a download; None while the peer does not know its files."""
    from bus.messages import Held, ListHeld

    if row.kind == "file":
        return []
    try:
        return session.ask(ListHeld(0, row.id), Held).priorities
    except ShoalError as error:
        if error.code != ERR_NOT_FOUND:
            raise
        return None


COMMANDS = (limit, priority, leave_out)
