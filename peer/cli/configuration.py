"""config show: the settings that are in force, and where each came from."""

from __future__ import annotations

import click
import msgspec

from peer.cli.session import Command, Group, Session
from peer.cli.show import plain, print_json


@click.group(cls=Group)
def config() -> None:
    """Settings."""


@config.command(cls=Command)
@click.option("--origin", is_flag=True, help="Say where each value came from.")
@click.pass_obj
def show(session: Session, origin: bool) -> None:
    """The effective settings: sizes in bytes, durations in seconds."""
    loaded = session.loaded
    values, origins = loaded.as_flat(), loaded.origins
    if session.json:
        print_json(
            {key: {"value": value, "origin": origins[key]} for key, value in values.items()} if origin else values
        )
        return
    for key, value in values.items():
        line = f"{key} = {msgspec.json.encode(value).decode()}"
        click.echo(plain(f"{line:<44}  # {origins[key]}" if origin else line))


COMMANDS = (config,)
