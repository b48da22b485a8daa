"""`python -m peer NAME`: one peer.  Reads the configuration once and runs it until a signal."""

from __future__ import annotations

import gc
import os
import sys

from bus.config import Loaded, load
from bus.log import setup
from bus.places import DirectoryLock
from bus.program import Arguments, exit_code, give_up_later, stop_on_signals
from bus.ready import announce_ready
from peer.allocator import keep_freed_memory
from peer.running import RunningPeer, places_of


def serve(name: str, loaded: Loaded) -> None:
    """Run one peer until a signal."""
    places = places_of(loaded, name)
    places.prepare()
    with DirectoryLock(places.lock_file):
        peer = RunningPeer(loaded, name, places)
        peer.start()
        stop_on_signals(peer.stop)
        gc.freeze()
        announce_ready(peer.record, os.environ)
        try:
            peer.run()
        finally:
            give_up_later(f"peer {name}")
            peer.close()


def main() -> int:
    """Run until a signal; the exit code."""

    def program() -> None:
        parser = Arguments("shoal peer", "Run one peer until SIGTERM or Ctrl-C.")
        parser.add_argument("name", metavar="NAME", help="the peer, as config.yaml names it")
        chosen = parser.parse_args()
        keep_freed_memory(os.environ)
        loaded = load(chosen.config, os.environ, chosen.base_dir)
        setup(loaded.settings.logging, f"peer {chosen.name}")
        serve(chosen.name, loaded)

    return exit_code(program)


if __name__ == "__main__":
    sys.exit(main())
