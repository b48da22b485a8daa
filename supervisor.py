"""Starts, watches and restarts the processes of one base directory: `shoal up`, or `python -m supervisor`.

    start   the tracker, then the peers, then each peer's gateway
    crash   started again after 0.5 s, then 1 s, and so on up to 30 s; the fifth crash within 60 s is the last
    stop    gateways, peers, tracker by SIGTERM; what is left after 3.5 s by SIGKILL

One thread and one loop. Signals are bytes in a socket pair (`signal.set_wakeup_fd`), so they are handled in the loop
and nowhere else. `bus/process.py` sees to it that nothing outlives this process.
"""

from __future__ import annotations

import argparse
import itertools
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from bus.config import TOLD_VARIABLE, PeerSettings, Settings, load
from bus.errors import ERR_FAILURE, ERR_PATH, ERR_USAGE, INTERRUPTED, OK, USAGE, ShoalError
from bus.forms import split_host_port
from bus.places import SUPERVISOR_LOCK, DirectoryLock, PeerPlaces, TrackerPlaces
from bus.process import Process, told_by
from bus.program import Arguments
from bus.ready import AnyReady, GatewayReady, PeerReady, PeerUp, Report, TrackerReady, for_people, write_record

Role = Literal["tracker", "peer", "gateway"]
R = TypeVar("R", bound=AnyReady)

GRACE: Final = 3.5
"""Seconds from the request to stop until what still runs is killed; the user is promised 5."""
STOP_ORDER: Final[tuple[tuple[Role, float], ...]] = (("gateway", 1.0), ("peer", 2.5), ("tracker", GRACE))
"""Who is told to stop, and how long after the request the next is told at the latest."""
FIRST_DELAY: Final = 0.5
LONGEST_DELAY: Final = 30.0
CRASHES: Final = 5
CRASH_WINDOW: Final = 60.0
READY_POLL: Final = 0.05
"""Seconds between two looks for a ready file; only while something starts."""
SLOW_START: Final = 15.0
"""Seconds after which a start that is not over is mentioned."""
MAX_PEERS: Final = 1000
"""A typing error rather than a wish: each is two processes."""
PEER_PROGRAM: Final = "SHOAL_PEER_PROGRAM"
"""In the environment: a module to run instead of `peer`. Experiments put something around a peer's core so."""
READY: Final[dict[Role, type[AnyReady]]] = {"tracker": TrackerReady, "peer": PeerReady, "gateway": GatewayReady}


class Program(Struct, frozen=True):
    """One process to keep running."""

    role: Role
    name: str
    """The peer's; empty for the tracker."""
    command: tuple[str, ...]
    ready_file: Path
    log: Path

    @property
    def label(self) -> str:
        return f"{self.role} {self.name}".rstrip()

    @property
    def needs(self) -> str:
        """Label of what must have served before this is started."""
        return {"tracker": "", "peer": "tracker", "gateway": f"peer {self.name}"}[self.role]


class Child:
    """A program, the process that runs it now, and how often it crashed."""

    def __init__(self, program: Program, first_delay: float = FIRST_DELAY) -> None:
        self.program = program
        self.process: Process | None = None
        self.ready: AnyReady | None = None
        """What the newest process that served wrote; kept while the next one starts."""
        self.serves = False
        self.down = False
        """Not started again."""
        self.started = self.due = 0.0
        self.crashes: deque[float] = deque(maxlen=CRASHES)
        self.mentioned = False
        self._first_delay = self._delay = first_delay

    def crashed(self, now: float) -> float | None:
        """Count a crash: the seconds until the next start, or None if there is none."""
        if now - self.started > CRASH_WINDOW:
            self._delay = self._first_delay
        self.crashes.append(now)
        self.down = len(self.crashes) == CRASHES and now - self.crashes[0] < CRASH_WINDOW
        delay, self._delay = self._delay, min(2 * self._delay, LONGEST_DELAY)
        self.due = now + delay
        return None if self.down else delay


class Signals:
    """The signals that the loop waits for, as numbers to read."""

    STOPPING: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        for number in (*self.STOPPING, signal.SIGCHLD):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup wants it ignored
                signal.signal(number, lambda *_: None)

    def wait(self, seconds: float | None) -> set[int]:
        """The numbers of the signals that came; waits for one, at most so long."""
        select.select([self._read], [], [], seconds)
        with suppress(BlockingIOError):
            return set(self._read.recv(4096))
        return set()


class Supervisor:
    """Keeps the programs running until a signal, or an error at the first start, ends it."""

    def __init__(
        self,
        programs: Sequence[Program],
        settings: Settings,
        peers: Sequence[PeerSettings],
        on_change: Callable[[Report, bool], None],
        first_delay: float = FIRST_DELAY,
    ) -> None:
        self.children = [Child(program, first_delay) for program in programs]
        self.settings = settings
        self.peers = peers
        """All that the children are to know: the configured ones and those that --peers adds."""
        self.on_change = on_change
        """Called with the report, and whether it is the first, when all serve and whenever one serves again."""
        self.signals = Signals()
        self._reported = False

    def run(self) -> int:
        """Supervise; the exit code.

        Raises:
            ShoalError: a program cannot be started, or does not stay up, at the first start; or none stays up.
        """
        try:
            while not self.signals.STOPPING & self._turn():
                pass
        finally:
            hurried = self._stop()
        return INTERRUPTED if hurried else OK

    def report(self) -> Report:
        """Everything that serves, or did until a moment ago."""
        pages = {page.name: page for page in self._ready(GatewayReady)}
        peers = []
        for peer in self._ready(PeerReady):
            page = pages.get(peer.name)
            seen = (page.url, page.token_file, page.pid) if page else (None, None, None)
            peers.append(PeerUp(*msgspec.structs.astuple(peer), *seen))
        return Report(next(iter(self._ready(TrackerReady)), None), peers)

    def _ready(self, kind: type[R]) -> list[R]:
        return [child.ready for child in self.children if isinstance(child.ready, kind)]

    def _turn(self) -> set[int]:
        """Do what is due, then wait for what comes next: a signal, a ready file, the time of a new start."""
        now = time.monotonic()
        changed = False
        for child in self.children:
            if child.process and (code := child.process.ended()) is not None:
                words, child.process, child.serves = child.process.last_words(), None, False
                self._crashed(child, code, words, now)
            elif child.process and not child.serves:
                changed |= self._look(child, now)
        for child in self._waiting():
            if child.due <= now:
                self._start(child, now)
        if changed and (self._reported or all(child.serves for child in self.children)):
            self.on_change(self.report(), not self._reported)
            self._reported = True
        return self.signals.wait(self._pause(now))

    def _waiting(self) -> list[Child]:
        """Those that start when their time has come: what they need serves, or did."""
        missing = {child.program.label for child in self.children if not child.ready}
        return [one for one in self.children if not (one.process or one.down or one.program.needs in missing)]

    def _start(self, child: Child, now: float) -> None:
        program = child.program
        child.started, child.mentioned = now, False
        try:
            child.process = Process(program.command, self._environment(program.role), program.ready_file, program.log)
        except OSError as error:
            self._crashed(child, error.strerror or str(error), "", now)

    def _look(self, child: Child, now: float) -> bool:
        """Whether the child has begun to serve."""
        ready = child.process and child.process.served(READY[child.program.role])
        if ready:
            child.ready, child.serves = ready, True
            if self._reported:
                say(f"{child.program.label} is back")
        elif now - child.started > SLOW_START and not child.mentioned:
            child.mentioned = True
            say(f"{child.program.label} is not ready after {SLOW_START:g} s; see {child.program.log}")
        return child.serves

    def _pause(self, now: float) -> float | None:
        """Seconds that the loop may sleep; None: until a signal."""
        if any(child.process and not child.serves for child in self.children):
            return READY_POLL
        due = [child.due for child in self._waiting()]
        return max(0.0, min(due) - now) if due else None

    def _environment(self, role: Role) -> dict[str, str]:
        """What the configuration file cannot say: more peers, the local tracker's address and key, and the ports that
        were chosen freely at the first start: peers know their tracker by its port, and browsers the page."""
        told = self._told(role)
        # What the user's own environment says too is what a start anew finds.
        return {**told, TOLD_VARIABLE: " ".join(name for name in told if name not in os.environ)}

    def _told(self, role: Role) -> dict[str, str]:
        tracker = next(iter(self._ready(TrackerReady)), None)
        if role == "tracker":
            host, _ = split_host_port(self.settings.tracker.listen)
            return {"SHOAL__TRACKER__LISTEN": f"tcp://{host}:{port_of(tracker.endpoint)}"} if tracker else {}
        ports = {page.name: port_of(page.url) for page in self._ready(GatewayReady)}
        peers = [msgspec.structs.replace(peer, web_port=ports.get(peer.name, peer.web_port)) for peer in self.peers]
        environment = {"SHOAL__PEERS": msgspec.json.encode(peers).decode()}
        if tracker and not self.settings.tracker.endpoint:
            environment["SHOAL__TRACKER__ENDPOINT"] = tracker.endpoint
            environment["SHOAL__TRACKER__PUBLIC_KEY"] = tracker.public_key
        return environment

    def _crashed(self, child: Child, code: int | str, words: str, now: float) -> None:
        label, log = child.program.label, child.program.log
        how = code if isinstance(code, str) else f"signal {-code}" if code < 0 else f"exit code {code}"
        if code == USAGE and child.ready is None:
            # A setting is wrong or a port is taken: trying again cannot help.
            raise told_by(words) or ShoalError(ERR_USAGE, f"{label} ended ({how}){words and ': '}{words}")
        delay = child.crashed(now)
        if delay is not None:
            say(f"{label} ended ({how}); it starts again in {delay:g} s")
            return
        line = f"{label} ended {CRASHES} times within {CRASH_WINDOW:g} s ({how}) and stays down; see {log}"
        if not self._reported or all(other.down for other in self.children):
            raise ShoalError(ERR_FAILURE, f"{line}{words and ': '}{words}")
        say(line)

    def _stop(self) -> bool:
        """End everything; True if a second signal came, after which nothing is waited for."""
        begin, told, hurried = time.monotonic(), set[Role](), False
        for role, until in STOP_ORDER:
            told.add(role)
            for child in self.children:
                if child.program.role == role and child.process:
                    child.process.terminate()
            while not hurried and self._run_still(told) and (left := begin + until - time.monotonic()) > 0:
                hurried = bool(self.signals.STOPPING & self.signals.wait(left))
        for child in self.children:
            if child.process:
                child.process.kill()
        return hurried

    def _run_still(self, roles: set[Role]) -> bool:
        return any(one.process and one.process.ended() is None for one in self.children if one.program.role in roles)


def port_of(url: str) -> int:
    """The port in an endpoint or a page's address."""
    port = urlsplit(url).port
    if port is None:
        raise ShoalError(ERR_FAILURE, f"a process says that it serves at {url!r}, which has no port")
    return port


def chosen_peers(settings: Settings, names: Sequence[str], count: int | None) -> list[PeerSettings]:
    """The peers to run: the named ones; or the first `count`, with new ones added; or all.

    Raises:
        ShoalError: ERR_NOT_FOUND for a name that is not in the configuration.
    """
    if names:
        return [settings.peer(name) for name in dict.fromkeys(names)]
    if count is None:
        return list(settings.peers)
    peers = list(settings.peers[:count])
    taken = {peer.name for peer in settings.peers}
    new = (name for number in itertools.count(len(taken) + 1) if (name := f"peer-{number}") not in taken)
    return peers + [PeerSettings(name) for name in itertools.islice(new, count - len(peers))]


def programs_for(
    settings: Settings, base_dir: Path, peers: Sequence[PeerSettings], gateways: bool, peer_program: str = "peer"
) -> list[Program]:
    """The tracker, if it is to run, and each peer with its gateway; `peer_program` is the module that is a peer."""

    def program(role: Role, name: str, ready_file: Path) -> Program:
        # -P: a folder named `peer` where the user stands is not our package.
        module = peer_program if role == "peer" else role
        command = (sys.executable, "-P", "-m", module, *([name] if name else []))
        return Program(role, name, command, ready_file, base_dir / "logs" / f"{'-'.join([role, name]).strip('-')}.log")

    programs = [program("tracker", "", TrackerPlaces(base_dir).data_dir / "ready.json")] if settings.tracker.run else []
    for peer in peers:
        data_dir = PeerPlaces(base_dir, peer.name).data_dir
        programs.append(program("peer", peer.name, data_dir / "ready.json"))
        if gateways:
            programs.append(program("gateway", peer.name, data_dir / "gateway-ready.json"))
    return programs


def say(line: str) -> None:
    """One line for the user. A terminal that is gone is no reason to stop."""
    with suppress(OSError):
        print(f"shoal: {line}", file=sys.stderr, flush=True)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; `shoal up` gives the same options."""
    parser = Arguments("shoal up", "Run the tracker, the peers and their pages until Ctrl-C.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="peers to run (default: all in the configuration)")
    parser.add_argument("--peers", type=int, metavar="N", help="run N peers; more than are configured get free ports")
    parser.add_argument("--no-gateway", action="store_true", help="no pages")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="where to write the addresses as JSON")
    parser.add_argument("--json", action="store_true", help="print the addresses as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="print no addresses")
    chosen = parser.parse_args(arguments)
    if chosen.names and chosen.peers is not None:
        parser.error("give either names or --peers")
    if chosen.peers is not None and not 0 <= chosen.peers <= MAX_PEERS:
        parser.error(f"--peers: expected 0 to {MAX_PEERS}, found {chosen.peers}")
    return chosen


def supervise(chosen: argparse.Namespace) -> int:
    """Run what the command line and the configuration say; the exit code."""
    loaded = load(chosen.config, os.environ, chosen.base_dir)
    settings, base_dir = loaded.settings, loaded.base_dir
    peers = chosen_peers(settings, chosen.names, chosen.peers)
    programs = programs_for(settings, base_dir, peers, not chosen.no_gateway, os.environ.get(PEER_PROGRAM) or "peer")
    if not programs:
        raise ShoalError(ERR_USAGE, "there is nothing to run: tracker.run is false and no peer is chosen")
    if peers and not settings.tracker.known:
        say("the peers know no tracker; set tracker.run, or tracker.endpoint and tracker.public_key")
    if chosen.ready_file and not chosen.ready_file.parent.is_dir():
        raise ShoalError(ERR_PATH, f"--ready-file: there is no folder {chosen.ready_file.parent}; make it first")
    try:
        base_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"the folder of all state, {base_dir}, cannot be made: {error.strerror}"
        raise ShoalError(ERR_PATH, f"{reason}; choose another --base-dir or data_dir") from None
    # The children read the same file and use the same folder, whatever else they would find.
    os.environ["SHOAL_BASE_DIR"] = str(base_dir)
    os.environ["SHOAL_CONFIG"] = str(loaded.file or "")

    def show(report: Report, first: bool) -> None:
        try:
            if chosen.ready_file:
                write_record(chosen.ready_file, report)
            if first and not chosen.quiet:
                text = msgspec.json.encode(report).decode() if chosen.json else for_people(report, sys.stdout.isatty())
                print(text, flush=True)
        except OSError as error:  # a full disk or a reader that left: no reason to stop what runs
            say(f"the addresses cannot be written: {error}")

    with DirectoryLock(base_dir / SUPERVISOR_LOCK):
        if chosen.ready_file:
            chosen.ready_file.unlink(missing_ok=True)
        known = {peer.name: peer for peer in (*settings.peers, *peers)}
        return Supervisor(programs, settings, list(known.values()), show).run()


def main() -> int:
    """Run until a signal; the exit code."""
    try:
        return supervise(parse(sys.argv[1:]))
    except ShoalError as error:
        say(str(error))
        return error.outcome.exit_code
    except OSError as error:
        say(f"{ERR_PATH}: {error}")
        return USAGE
    except KeyboardInterrupt:  # before there was anything to stop
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
