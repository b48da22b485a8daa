"""The list of docs/COMMANDS.md: every command of `shoal`, from the objects that parse the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from bus.wording import one_line
from docs.wording import table
from peer.cli.entry import shoal


def command_list() -> str:
    """Every command of `shoal`, with its arguments and options."""
    parts = [f"## Options of every command\n\n{_options(shoal, {})}"]
    common: dict[str | None, None] = dict.fromkeys(option.name for option in shoal.params)
    for path, command in commands_of("shoal", shoal):
        usage = " ".join(command.collect_usage_pieces(click.Context(command))).replace("[OPTIONS]", "").strip()
        call = f"`{path} {usage}`".replace(" `", "`")
        name = path.removeprefix("shoal ")
        parts += [f"## {name}", call, one_line(command.help or ""), _options(command, common)]
    return "\n\n".join(part for part in parts if part)


def commands_of(path: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands_of(f"{path} {name}", command)
        else:
            yield f"{path} {name}", command


def _options(command: click.Command, known: Mapping[str | None, None]) -> str:
    options = [option for option in command.params if isinstance(option, click.Option) and option.name not in known]
    rows = ((f"`{_spelling(option)}`", one_line(option.help or "")) for option in options)
    return table("option", "meaning", rows=rows) if options else ""


def _spelling(option: click.Option) -> str:
    value = "" if option.is_flag or option.count else f" {option.metavar or 'N'}"
    return ", ".join([*option.opts, *option.secondary_opts]) + value
