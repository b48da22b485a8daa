"""Real peers in processes of their own, under the supervisor, without pages and without root."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from bus.ready import PeerReady, PeerUp
from experiments.acting import Role, stay_away, write_roles
from experiments.backends.namespaces import HUB, hub_plan, inside
from experiments.backends.real import Actors

PROGRAM: Final = "experiments.actor"
WIRED: Final = {"network": {"bind": "0.0.0.0"}, "tracker": {"listen": f"tcp://{HUB}:0"}}
"""Settings of peers that meet on a network of the kernel's."""


class Processes(Actors):
    """A tracker and actors, each a process.

    Args:
        base_dir: folder for all state.
        roles: by the peers' names.
    """

    def __init__(self, base_dir: Path, roles: dict[str, Role]) -> None:
        base_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = base_dir / "roles.json"
        write_roles(file, roles)
        environment = {"SHOAL_PEER_PROGRAM": PROGRAM, "SHOAL_ROLES": str(file)}
        wired = any(role.wire for role in roles.values())
        super().__init__(base_dir, list(roles), WIRED if wired else {}, environment)
        self._wired = wired

    def _command(self) -> list[str]:
        command = super()._command()
        return inside(hub_plan(), command) if self._wired else command

    def kill(self, peer: PeerUp, away: float) -> None:
        stay_away(Path(peer.data_dir), away)
        self._signal(peer, signal.SIGKILL)

    def pause(self, peer: PeerUp, lasts: float, later: Callable[[float, Callable[[], None]], None]) -> None:
        self._signal(peer, signal.SIGSTOP)
        if lasts:
            later(lasts, lambda: self._signal(peer, signal.SIGCONT))

    def _signal(self, peer: PeerUp, number: signal.Signals) -> None:
        """To the process that is the peer now: the supervisor may have started it again."""
        ready = Path(peer.data_dir) / "ready.json"
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(msgspec.json.decode(ready.read_bytes(), type=PeerReady).pid, number)
