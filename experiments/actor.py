"""`python -m experiments.actor NAME`: a peer of an experiment.  The supervisor starts it in place of `peer`
(SHOAL_PEER_PROGRAM); SHOAL_ROLES names the file that says what each peer plays."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Final

from bus.config import load
from bus.log import setup
from bus.places import DirectoryLock
from bus.program import Arguments, exit_code, give_up_later, stop_on_signals
from bus.ready import PeerReady, announce_ready
from experiments.acting import Actor, read_role
from experiments.backends.namespaces import enter
from peer.allocator import keep_freed_memory
from peer.running import places_of

ROLES_VARIABLE: Final = "SHOAL_ROLES"


def play() -> None:
    """Run one peer until a signal."""
    parser = Arguments("experiments.actor", "Run one peer of an experiment until SIGTERM or Ctrl-C.")
    parser.add_argument("name", metavar="NAME", help="the peer, as the roles name it")
    chosen = parser.parse_args()
    keep_freed_memory(os.environ)
    role = read_role(Path(os.environ.get(ROLES_VARIABLE, "")), chosen.name)
    if role.wire is not None:
        enter(role.wire)
    loaded = load(chosen.config, os.environ, chosen.base_dir, role.settings)
    setup(loaded.settings.logging, f"peer {chosen.name}")
    places = places_of(loaded, chosen.name)
    places.prepare()
    with DirectoryLock(places.lock_file):
        actor = Actor(loaded, chosen.name, places, role.part)

        def stop(reason: str) -> None:
            give_up_later(f"peer {chosen.name}")
            actor.stop(reason)

        def ready(record: PeerReady) -> None:
            gc.freeze()
            announce_ready(record, os.environ)

        stop_on_signals(stop)
        actor.run(ready)


if __name__ == "__main__":
    sys.exit(exit_code(play))
