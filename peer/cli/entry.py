"""The commands together, and the one place where what goes wrong becomes a line and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import click

from bus.errors import (
    ERR_DISK_FULL,
    ERR_FAILURE,
    ERR_PROTOCOL,
    ERR_USAGE,
    FAILURE,
    INTERRUPTED,
    OK,
    USAGE,
    RemoteProtocolError,
    ShoalError,
)
from peer.cli import configuration, control, doctor, fetching, launching, sharing, steering, tapping, watching
from peer.cli.session import Group, Session

EPILOG: Final = """\b
Start with `shoal up`, then `shoal share PATH` here and `shoal search WORDS` and `shoal get ID` there.
Exit codes: 0 ok, 1 failure, 2 usage or configuration, 3 not found, 4 peer or tracker unreachable,
5 integrity failure, 6 timeout, 7 refused, 130 interrupted.
Completion: eval "$(_SHOAL_COMPLETE=bash_source shoal)" in ~/.bashrc; zsh_source and fish_source likewise.
"""
TRACEBACK_AT: Final = 2
"""How many -v show where a crash came from."""
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What writing the output ends with where there is no room for it."""


@click.group(cls=Group, epilog=EPILOG)
def shoal() -> None:
    """Share files between machines, peer to peer."""


for module in (launching, sharing, fetching, watching, control, steering, tapping, configuration, doctor):
    for command in module.COMMANDS:
        shoal.add_command(command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code."""
    session = Session()
    # None where who started us closed it, as in `shoal ls >&-`.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    with session.opened:
        return _run(session, arguments)


def _run(session: Session, arguments: Sequence[str] | None) -> int:
    try:
        code = shoal.main(arguments, prog_name="shoal", obj=session, standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()  # the reader has what it wanted
        return OK
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except click.ClickException as error:
        return _refused(error)
    except ShoalError as error:
        _say(str(error))
        return error.outcome.exit_code
    except RemoteProtocolError as error:
        _say(f"{ERR_PROTOCOL}: the peer's answer is not understood ({error}); is it of another version?")
        return FAILURE
    except OSError as error:
        if error.errno not in FULL:
            return _crashed(error, session.verbose)
        _drop_output()
        _say(f"{ERR_DISK_FULL}: the output cannot be written: {error.strerror}; free some room, or write it elsewhere")
        return FAILURE
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user who did not ask for it
        return _crashed(error, session.verbose)
    return code if isinstance(code, int) else OK


def _refused(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return USAGE
    path = context.command_path if isinstance(context, click.Context) else "shoal"
    _say(f"{ERR_USAGE}: {error.format_message().rstrip('.')}; see {path} --help")
    return USAGE


def _crashed(error: Exception, verbose: int) -> int:
    if verbose >= TRACEBACK_AT:
        import traceback

        traceback.print_exception(error)
    _say(f"{ERR_FAILURE}: this is a bug: {type(error).__name__}: {error}; run it again with -vv to see where")
    return FAILURE


def _say(text: str) -> None:
    # One line, whatever a message was made of; the exit code tells too, where nobody can read it.
    with suppress(OSError):
        click.echo(f"shoal: {' '.join(text.split())}", err=True)


def _drop_output() -> None:
    # Python would complain once more while it flushes at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
