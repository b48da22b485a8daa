"""Commands that become another program: the supervisor, one process, an experiment."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from bus.errors import ERR_USAGE, ShoalError
from peer.cli.session import Command, Session


def become(module: str, *arguments: str) -> NoReturn:
    """Replace this process by `python -m module`: same pid, same terminal, and none of it is imported here."""
    if importlib.util.find_spec(module) is None:
        raise ShoalError(ERR_USAGE, f"this installation has no module {module}")
    sys.stdout.flush()
    # -P: a folder of that name where the user stands is not our package.
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])


def common(session: Session) -> list[str]:
    """The options that every process takes."""
    chosen = []
    if session.config:
        chosen += ["--config", str(session.config)]
    if session.base_dir:
        chosen += ["--base-dir", str(session.base_dir)]
    return chosen


@click.command(cls=Command)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--peers", type=int, metavar="N", help="Run N peers; more than are configured get free ports.")
@click.option("--no-gateway", is_flag=True, help="No pages.")
@click.option("--ready-file", type=click.Path(path_type=Path), metavar="FILE", help="Write the addresses as JSON too.")
@click.pass_obj
def up(session: Session, names: Sequence[str], peers: int | None, no_gateway: bool, ready_file: Path | None) -> None:
    """Run the tracker, the peers and their pages until Ctrl-C."""
    arguments = [*common(session), *(["--json"] if session.json else []), *(["--quiet"] if session.quiet else [])]
    arguments += ["--peers", str(peers)] if peers is not None else []
    arguments += ["--no-gateway"] if no_gateway else []
    arguments += ["--ready-file", str(ready_file)] if ready_file else []
    become("supervisor", *arguments, "--", *names)


@click.command(cls=Command)
@click.pass_obj
def tracker(session: Session) -> None:
    """Run the tracker alone."""
    become("tracker", *common(session))


@click.command(cls=Command)
@click.argument("name")
@click.pass_obj
def peer(session: Session, name: str) -> None:
    """Run one peer alone."""
    become("peer", *common(session), "--", name)


@click.command(cls=Command)
@click.argument("name")
@click.pass_obj
def gateway(session: Session, name: str) -> None:
    """Run one peer's page alone."""
    become("gateway", *common(session), "--", name)


@click.command(
    cls=Command, add_help_option=False, context_settings={"ignore_unknown_options": True},
    short_help="Run experiments and report them.",
)  # fmt: skip
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def experiment(session: Session, arguments: Sequence[str]) -> None:
    """Run experiments and report them: run or sweep SCENARIO.yaml -o DIR, report DIR, compare A B."""
    become("experiments", *arguments, *(["--json"] if session.json else []))


COMMANDS = (up, tracker, peer, gateway, experiment)
