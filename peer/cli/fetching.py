"""get: start a download, or find the one that runs, and wait until it is complete."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from bus.errors import CODES, ERR_FAILURE, ERR_PATH, ERR_STATE, ERR_TIMEOUT, ERR_UNREACHABLE, ERR_USAGE, ShoalError
from bus.names import MAX_PATH
from bus.units import format_duration, format_rate, format_size
from peer.cli.control import paths_after
from peer.cli.session import Command, Session
from peer.cli.show import plain, print_json, stderr_is_terminal
from peer.core.sharelink import parse_reference

if TYPE_CHECKING:
    from bus.events import Transfer
    from peer.cli.bars import Moved
    from peer.cli.rows import Fetched

POLL: Final = 0.15
"""Seconds between two looks at the peer's state."""
PATIENCE: Final = 30.0
"""Seconds for which a peer may be gone (it may be starting again, and the download goes on by itself)."""
APPEARS_WITHIN: Final = 5.0
"""Seconds within which a download that was accepted must be seen."""
SETTLES_WITHIN: Final = 2.0
"""Seconds for which nothing may come before that is said; every download begins without sources."""
GONE: Final = "nothing lies there any more; verify it, or remove it and get it again"
WAITS: Final = {
    "queued": "its sources are busy with downloads of higher priority; waiting for its turn",
    "stalled": "its sources send nothing; waiting for them",
    "no_sources": "nobody reached has what is missing; waiting for somebody",
    "paused": "it is paused; it goes on after: {command} resume {content}",
}
"""States in which nothing comes, and what is said of them where no bar shows them."""


class Wait:
    """Waiting for one download."""

    def __init__(self, session: Session, content: str, moved: Moved | None) -> None:
        self._session = session
        self._content = content
        self._moved = moved
        self.finished = 0.0
        """Wall clock; 0 if it was never a download."""
        self._heard = self._seen = time.monotonic()
        self._mentioned = False
        self._state = self._told = ""
        """The state last heard, and the state and reason last told."""
        self._since = 0.0

    def run(self) -> Fetched:
        """Wait until the download is complete.

        Raises:
            ShoalError: it failed, was removed, or the peer is gone for too long.
        """
        while True:
            fetched = self._look()
            if fetched is not None:
                return fetched
            time.sleep(POLL)

    def _look(self) -> Fetched | None:
        from peer.cli.rows import already_here, fetched, shared_of, transfer_of

        try:
            transfer = transfer_of(self._session.state("transfers"), self._content)
            shared = None if transfer else shared_of(self._session.state("contents"), self._content)
        except ShoalError as error:
            self._bear_with(error)
            return None
        self._heard = time.monotonic()
        self._mentioned = False
        if transfer is None:
            if shared is not None:
                return already_here(shared)
            if self._heard - self._seen > APPEARS_WITHIN:
                raise ShoalError(ERR_STATE, f"the download of {self._content} was removed")
            return None
        self._seen = self._heard
        self._show(transfer)
        self._tell(transfer)
        if transfer.state == "error":
            code = transfer.error_code if transfer.error_code in CODES else ERR_FAILURE
            raise ShoalError(code, plain(transfer.error))
        self.finished = transfer.finished
        return fetched(transfer) if transfer.state == "seeding" else None

    def _bear_with(self, error: ShoalError) -> None:
        gone = time.monotonic() - self._heard
        if error.code not in (ERR_UNREACHABLE, ERR_TIMEOUT) or gone > PATIENCE:
            raise error
        if not self._mentioned:
            self._mentioned = True
            self._session.note(f"the peer does not answer; waiting up to {PATIENCE:g} s for it to come back")

    def _show(self, transfer: Transfer) -> None:
        if self._moved is not None:
            sources = sum(source.state == "open" for source in transfer.sources)
            text = f"{transfer.name or self._content[:16]}  {transfer.state.replace('_', ' ')}"
            self._moved(transfer.bytes_done, transfer.size, f"{text} from {sources}" if sources else text)

    def _tell(self, transfer: Transfer) -> None:
        state = transfer.state
        if state != self._state:
            self._state, self._since, self._told = state, self._heard, ""
        lasts = self._heard - self._since >= SETTLES_WITHIN
        now = f"{state} {transfer.error}"
        if self._moved is None and state in WAITS and lasts and self._told != now:
            self._told = now
            said = WAITS[state].format(command=self._session.command, content=self._content[:16])
            reason = f" ({plain(transfer.error)})" if transfer.error else ""
            self._session.note(f"{plain(transfer.name) or self._content[:16]}: {said}{reason}")


@contextmanager
def download_bar(session: Session) -> Iterator[Moved | None]:
    """A progress bar, or None where none is to be seen."""
    if session.json or session.quiet or not stderr_is_terminal():
        yield None
        return
    from peer.cli.bars import bar

    with bar("starting") as moved:
        yield moved


@click.command(cls=Command)
@click.argument("content", metavar="ID_OR_LINK")
@click.argument("more", nargs=-1, metavar="")
@click.option("-o", "--output", "folder", default="", metavar="DIR", help="Where to put it (default: download folder).")
@click.option("--only", multiple=True, metavar="PATH...", help="Of a folder, only these paths; later: these too.")
@click.option("--sequential", is_flag=True, help="Fetch from first to last, to use it while it comes.")
@click.pass_obj
def get(
    session: Session, content: str, more: Sequence[str], folder: str, only: Sequence[str], sequential: bool
) -> None:
    """Download and verify. Ctrl-C stops the waiting, not the download."""
    from bus.messages import Done, Get

    reference = parse_reference(content)
    if more and not only:
        raise ShoalError(ERR_USAGE, f"one content at a time, found {1 + len(more)}; paths inside it go after --only")
    request = Get(0, reference, _folder(folder), paths_after("--only", [*only, *more]), sequential)
    began = time.time()
    found = session.ask(request, Done).content
    try:
        with download_bar(session) as moved:
            waiting = Wait(session, found, moved)
            fetched = waiting.run()
    except KeyboardInterrupt:
        shoal = session.command
        session.note(f"the download goes on; see it with: {shoal} ls, wait again with: {shoal} get {found[:16]}")
        raise
    if session.json:
        print_json(fetched)
    else:
        _report(fetched, began <= waiting.finished, before=0 < waiting.finished < began)


def _folder(folder: str) -> str:
    full = os.path.abspath(folder) if folder else ""
    try:
        full.encode()
    except UnicodeEncodeError:
        raise ShoalError(ERR_PATH, f"{folder!a} is not UTF-8; choose another folder") from None
    if len(full) > MAX_PATH:
        raise ShoalError(ERR_PATH, f"{plain(full[:100])}... has over {MAX_PATH} characters; choose another folder")
    return full


def _report(fetched: Fetched, now: bool, before: bool) -> None:
    size, seconds = format_size(fetched.size), format_duration(fetched.seconds)
    rate, peers = format_rate(fetched.bytes_per_second), len(fetched.sources)
    how = f"{size} in {seconds}" if now else "was here already"  # an empty content comes from nobody
    if peers:
        how = f"{size} in {seconds} ({rate}) from {peers} peer{'s' if peers != 1 else ''}"
    if before:
        how = "was here already" if os.path.lexists(fetched.path) else f"was here already, but {GONE}"
    elif fetched.optimum_share and fetched.optimum_seconds:
        how += f", {100 * fetched.optimum_share:.0f}% of the optimum ({format_duration(fetched.optimum_seconds)})"
    click.echo(f"{plain(fetched.name)}: {how}\n  {plain(fetched.path)}")


COMMANDS = (get,)
