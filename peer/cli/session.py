"""What every command has: the options that all of them take, the configuration, and the peer to talk to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from bus.errors import ERR_FAILURE, ERR_UNREACHABLE, ERR_USAGE, ShoalError

if TYPE_CHECKING:
    from bus.config import Loaded
    from bus.messages import Message, Progress
    from bus.places import PeerPlaces
    from bus.rpc import RpcClient
    from bus.state import PublishedState

M = TypeVar("M", bound="Message")

TIMEOUT: Final = 10.0
"""Seconds without a word from the peer after which a command gives up. It answers within a turn of its reactor."""
PEER_VARIABLE: Final = "SHOAL_PEER"


class Session:
    """One invocation: its options, and what is made of them when a command first asks."""

    def __init__(self) -> None:
        self.peer = ""
        self.base_dir: Path | None = None
        self.config: Path | None = None
        self.json = False
        self.quiet = False
        self.verbose = 0
        self.opened = ExitStack()
        """What is closed when the command has ended, however it ends."""

    @cached_property
    def loaded(self) -> Loaded:
        """The configuration."""
        from bus.config import load

        return load(self.config, os.environ, self.base_dir)

    @cached_property
    def places(self) -> PeerPlaces:
        """Where the picked peer's sockets are.

        Raises:
            ShoalError: ERR_NOT_FOUND if no such peer is configured, nor was ever run here.
        """
        from bus.places import PeerPlaces

        settings = self.loaded.settings
        name = self.peer or self._default_peer
        if not name:
            raise ShoalError(ERR_USAGE, "the configuration has no peer; name one with --peer")
        places = PeerPlaces(self.loaded.base_dir, name)
        # `shoal up --peers N` makes peers that no file knows.
        if not places.data_dir.is_dir():
            settings.peer(places.name)
        return places

    @property
    def _default_peer(self) -> str:
        """Whom a command without --peer talks to; empty if nobody."""
        peers = self.loaded.settings.peers
        return os.environ.get(PEER_VARIABLE, "") or (peers[0].name if peers else "")

    @property
    def command(self) -> str:
        """How the user begins another command to the same peer."""
        return "shoal" if self.places.name == self._default_peer else f"shoal --peer {self.places.name}"

    @cached_property
    def client(self) -> RpcClient:
        """A connection to the picked peer's control socket."""
        from bus.rpc import RpcClient
        from bus.sockets import make_context

        context = make_context()
        self.opened.callback(context.destroy, linger=0)
        return RpcClient(context, self.places.control)

    def ask(
        self,
        message: Message,
        answer: type[M],
        timeout: float = TIMEOUT,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> M:
        """Send a request to the picked peer and wait for its answer; `timeout` seconds start again at each progress.

        Raises:
            ShoalError: what the peer answered; ERR_UNREACHABLE if it does not run; ERR_TIMEOUT if it is silent.
        """
        with self._naming_who_is_silent():
            reply = self.client.call(message, timeout, on_progress)
        if not isinstance(reply, answer):
            raise ShoalError(ERR_FAILURE, f"the peer answered with {type(reply).__name__}, not {answer.__name__}")
        return reply

    def state(self, *sections: str) -> PublishedState:
        """Some sections of the picked peer's published state; errors as in `ask`."""
        with self._naming_who_is_silent():
            return self.client.snapshot(sections)

    @contextmanager
    def _naming_who_is_silent(self) -> Iterator[None]:
        """A peer that runs and does not answer is not to be started."""
        from bus.places import holder_of
        from bus.rpc import NobodyThereError

        try:
            yield
        except NobodyThereError:
            if not (pid := holder_of(self.places.lock_file)):
                raise
            text = f"peer {self.places.name} runs (pid {pid}) but does not answer; if it was stopped: kill -CONT {pid}"
            raise ShoalError(ERR_UNREACHABLE, f"{text}, else end it and start it again") from None

    def note(self, text: str) -> None:
        """A line about what happens, for people."""
        if not self.quiet:
            click.echo(f"shoal: {text}", err=True)


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Put a given option into the session; one that is not given must not undo what stood before the command."""
    session = context.ensure_object(Session)
    if parameter.name == "verbose":
        session.verbose += int(str(value))
    elif parameter.name and value:
        setattr(session, parameter.name, value)


def _version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"shoal {version('shoal')}")
        context.exit()


def _complete_peer(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The configured peers' names, and those of which there is state; none if the configuration cannot be read."""
    session = context.find_object(Session) or Session()
    try:
        loaded = session.loaded
        found = [*(peer.name for peer in loaded.settings.peers), *_names_in(loaded.base_dir / "peers")]
    except (ShoalError, OSError):
        return []
    return [name for name in dict.fromkeys(found) if name.startswith(incomplete)]


def _names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _options(hidden: bool) -> list[click.Parameter]:
    def option(*names: str, **attributes: object) -> click.Option:
        kept = {"callback": _keep, **attributes}
        return click.Option(names, expose_value=False, hidden=hidden, **kept)  # type: ignore[arg-type]

    path = click.Path(path_type=Path)
    return [
        option(
            "--peer",
            metavar="NAME",
            shell_complete=_complete_peer,
            help="The local peer to talk to (default: $SHOAL_PEER, else the first).",
        ),
        option("--base-dir", type=path, metavar="DIR", help="Folder of all state (default: $SHOAL_BASE_DIR)."),
        option("--config", type=path, metavar="FILE", help="Configuration (default: $SHOAL_CONFIG, ./config.yaml)."),
        option("--json", is_flag=True, help="Print JSON: one object or array, or one object a line for streams."),
        option("-v", "--verbose", count=True, help="Say more; -vv shows the traceback of a crash."),
        option("-q", "--quiet", is_flag=True, help="No messages and no progress bar."),
        option("--version", is_flag=True, is_eager=True, callback=_version, help="Print the version."),
    ]


class Command(click.Command):
    """A command that takes the common options too, wherever they stand."""

    def __init__(self, *args: object, **attributes: object) -> None:
        super().__init__(*args, **attributes)  # type: ignore[arg-type]
        self.params += _options(hidden=True)
        self.epilog = self.epilog or "The options of `shoal` itself (`shoal --help`) are taken here too."


class Group(click.Group):
    """The commands, with the common options before them."""

    command_class = Command
    group_class = type

    def __init__(self, *args: object, **attributes: object) -> None:
        super().__init__(*args, **attributes)  # type: ignore[arg-type]
        self.params += _options(hidden=False)
