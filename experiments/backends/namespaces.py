"""A network of the kernel's for the peers of one run: each in a namespace of its own, shaped by `tc`.

    user namespace            made by `unshare` around the supervisor: no root is needed
      hub                     its network namespace: the tracker, and a bridge that all cables end at
      one for each peer       which the peer makes and enters at its start, with a cable (veth) to the bridge
                              tbf at its own end: what it uploads; at the hub's: what it downloads; netem: latency

They have no names, so the kernel removes each with its last process, cables too, however a run ends: nothing is left to
be removed later, and outside nothing of it is ever seen.  Sockets in the file system reach across.  The plans are
lists of commands; what carries them out is below them.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from bus.errors import ERR_CONFIG, ERR_FAILURE, ShoalError

Command = list[str]

BRIDGE: Final = "shoal"
HUB: Final = "10.231.0.1"
"""The tracker's address."""
PREFIX: Final = 16
TOOLS: Final = ("unshare", "nsenter", "ip", "tc")
BURST: Final = 64 * 1024
"""Bytes that pass at once: what TCP hands to the interface in one piece."""
TICKS: Final = 100
"""A second; in each the kernel must be able to pass its part of a rate as one burst."""
QUEUE: Final = "200ms"
"""Of traffic at most waits for its rate; what is more is dropped, which TCP takes as its cue."""
DELAYED: Final = 100_000
"""Packets that may be on their way at once."""
CLONE_NEWNET: Final = 0x40000000
"""linux/sched.h"""
SYSTEM_TOOLS: Final = ":/usr/sbin:/sbin"
"""What some users' PATH leaves out."""


class Wire(Struct, frozen=True):
    """The cable of one peer."""

    number: int
    """Of the peer, from 1."""
    up: int = 0
    """Bytes a second; 0: unlimited."""
    down: int = 0
    """Likewise."""
    latency: float = 0.0
    """Seconds, of everything that it sends."""

    @property
    def address(self) -> str:
        return f"10.231.{1 + self.number // 250}.{1 + self.number % 250}"

    @property
    def hardware(self) -> str:
        """The same whenever it comes back, so that nobody has an old one in mind."""
        return f"02:00:00:00:{self.number // 256:02x}:{self.number % 256:02x}"


def hub_plan() -> list[Command]:
    """In the hub, before anybody comes."""
    return [
        ["ip", "link", "set", "lo", "up"],
        ["ip", "link", "add", BRIDGE, "type", "bridge"],
        ["ip", "address", "add", f"{HUB}/{PREFIX}", "dev", BRIDGE],
        ["ip", "link", "set", BRIDGE, "up"],
    ]


def peer_plan(wire: Wire, hub: Command, pid: int) -> list[Command]:
    """In the namespace of a peer's process.

    Args:
        wire: its cable.
        hub: what runs a command in the hub instead: the beginning of its line.
        pid: of the process.
    """
    end = f"peer{pid}"
    return [
        ["ip", "link", "set", "lo", "up"],
        [*hub, "ip", "link", "add", end, "type", "veth", "peer", "eth0", "address", wire.hardware, "netns", str(pid)],
        [*hub, "ip", "link", "set", end, "master", BRIDGE, "up"],
        ["ip", "address", "add", f"{wire.address}/{PREFIX}", "dev", "eth0"],
        ["ip", "link", "set", "eth0", "up"],
        *shaping("eth0", wire.up, wire.latency),
        *([*hub, *command] for command in shaping(end, wire.down, 0.0)),
    ]


def shaping(device: str, rate: int, latency: float) -> list[Command]:
    """What leaves by a device is late, and then no faster than a rate; 0: neither."""
    add, place = ["tc", "qdisc", "add", "dev", device], ["root"]
    plan = []
    if latency:
        plan.append([*add, *place, "handle", "1:", "netem", "delay", f"{latency * 1e6:.0f}us", "limit", str(DELAYED)])
        place = ["parent", "1:1"]
    if rate:
        burst = max(BURST, rate // TICKS)
        # To tc `bps` is bytes a second.
        plan.append([*add, *place, "tbf", "rate", f"{rate}bps", "burst", str(burst), "latency", QUEUE])
    return plan


def probe_plan(wires: Sequence[Wire]) -> list[Command]:
    """Everything that the kernel must have for such wires, tried in a hub that is thrown away."""
    end = "trial"
    rate = max((max(wire.up, wire.down) for wire in wires), default=0)
    latency = max((wire.latency for wire in wires), default=0.0)
    cable = ["ip", "link", "add", end, "type", "veth", "peer", "eth0"]
    bridged = ["ip", "link", "set", end, "master", BRIDGE, "up"]
    return [*hub_plan(), cable, bridged, *shaping(end, rate, latency), ["unshare", "--net", "true"]]


def inside(plan: Sequence[Command], command: Sequence[str]) -> Command:
    """The line that makes a hub, carries a plan out in it, and then becomes the command."""
    path = f'PATH="$PATH{SYSTEM_TOOLS}"'
    script = "\n".join(["set -e", path, *map(shlex.join, plan), 'exec "$@"'])
    # As the same user as outside, so that files are everybody's who takes part.
    return ["unshare", "--user", "--map-current-user", "--keep-caps", "--net", "--", "sh", "-c", script, "sh", *command]


def check_offered(wires: Sequence[Wire]) -> None:
    """Raises ShoalError, ERR_CONFIG, unless this machine lets this user have such a network."""
    path = os.environ.get("PATH", os.defpath) + SYSTEM_TOOLS
    if missing := [tool for tool in TOOLS if shutil.which(tool, path=path) is None]:
        raise _refused(f"{', '.join(missing)} not found; they are in util-linux and iproute2")
    tried = _run(inside([["set", "-x"], *probe_plan(wires)], ["true"]))
    if tried.returncode:
        told = [line.removeprefix("+ ") for line in tried.stderr.splitlines() if line.strip()]
        raise _refused("; ".join(told[-2:]) or f"unshare: exit code {tried.returncode}")


def enter(wire: Wire) -> None:
    """Move this process, which is in the hub and has one thread, into a namespace of its own.

    Raises:
        ShoalError: ERR_FAILURE, the kernel refuses something.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    hub = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(CLONE_NEWNET):
            raise ShoalError(ERR_FAILURE, f"no namespace for a peer: {os.strerror(ctypes.get_errno())}")
        pid = os.getpid()
        for command in peer_plan(wire, ["nsenter", f"--net=/proc/{pid}/fd/{hub}", "--"], pid):
            done = _run(command)
            if done.returncode:
                raise ShoalError(ERR_FAILURE, f"no network for a peer: {shlex.join(command)}: {done.stderr.strip()}")
    finally:
        os.close(hub)


def _refused(why: str) -> ShoalError:
    return ShoalError(ERR_CONFIG, f"network.shaped_by: kernel is not offered here ({why}); choose limits")


def _run(command: Command) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
