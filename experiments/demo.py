"""`make demo`: two peers on this machine share, search, download, verify and rate each other, told step by step."""

from __future__ import annotations

import filecmp
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from bus.codec import event_of
from bus.errors import ERR_FAILURE, ERR_INTEGRITY, ERR_NOT_FOUND, ERR_TIMEOUT, INTERRUPTED, OK, ShoalError
from bus.events import Transfer, TransferCompleted, TransferFailed
from bus.messages import (
    Done,
    ExplainReputation,
    FoundContent,
    Get,
    ReputationExplained,
    SearchContents,
    SearchResults,
    Shared,
    SharePath,
)
from bus.ready import PeerUp
from bus.tap import EventTap
from bus.units import format_rate, format_size
from experiments.fleet import Fleet
from experiments.material import write_material

FILES: Final = {
    "report.txt": 12_345,
    "pictures/harbour.raw": 96 * 2**20,
    "pictures/empty.raw": 0,
    "data/a/b/c.bin": 700,
}
"""Path -> bytes of what is shared."""
PATIENCE: Final = 10.0
"""Seconds for each step."""
_LOOK: Final = 0.05

T = TypeVar("T")


def main() -> int:
    try:
        with tempfile.TemporaryDirectory(prefix="shoal-demo-") as made:
            show(Path(made))
    except ShoalError as error:
        print(f"shoal: {error}", file=sys.stderr)
        return error.outcome.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    return OK


def show(folder: Path) -> None:
    """The whole tour; raises ShoalError if anything is not as it should be."""
    begin = time.monotonic()
    say(1, "Starting a tracker and two peers, each a process of its own")
    with Fleet(folder / "state", 2) as fleet:
        north, south = fleet.peers
        tell(f"tracker  {fleet.tracker.endpoint}  pid {fleet.tracker.pid}")
        for name, peer in (("north", north), ("south", south)):
            tell(f"{name}    {peer.data}  pid {peer.pid}  id {peer.id[:16]}...")
        source = make_tree(folder / "holiday")
        say(2, "north shares a folder, in place")
        shared = fleet.ask(north, SharePath(0, str(source)), Shared)
        tell(f"{shared.name}: {shared.files} files, {format_size(shared.size)}, {shared.chunks} chunks")
        tell(f"id {shared.id[:32]}... is the BLAKE3 of its manifest, which holds the digest of every file")
        say(3, 'south searches for "holi"')
        found = search(fleet, south, "holi")
        tell(f"found {found.name}, a {found.kind} of {format_size(found.size)}, seeds: {found.seeds}")
        say(4, "south downloads it, encrypted, and checks every chunk before it counts")
        done = download(fleet, south, found.id)
        rate = format_rate(done.size / max(done.seconds, 1e-3))
        tell(f"{format_size(done.bytes_done)} in {done.seconds:.2f} s ({rate}), rejected bytes: {done.rejected_bytes}")
        say(5, "Comparing both folders, byte by byte")
        tell(f"{compare_trees(source, Path(done.path))} files and folders are the same")
        say(6, "What south now thinks of north, and why")
        reputation(fleet, south, north)
        say(7, "Stopping everything")
    tell("all processes have ended")
    print(f"\nDone in {time.monotonic() - begin:.1f} s. `make run` starts peers that stay, with a page for each.")


def say(number: int, line: str) -> None:
    print(f"\n{number}. {line}", flush=True)


def tell(line: str) -> None:
    print(f"   {line}", flush=True)


def make_tree(root: Path) -> Path:
    """A small folder with a large, an empty and a deep file."""
    for seed, (name, size) in enumerate(FILES.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_material(path, size, seed)
    return root


def search(fleet: Fleet, peer: PeerUp, words: str) -> FoundContent:
    """The first result with a seed; what was just shared may still be on its way to the tracker."""

    def look() -> FoundContent | None:
        results = fleet.ask(peer, SearchContents(0, words), SearchResults).results
        return next((row for row in results if row.seeds), None)

    return wait_for(look, "the search to find what was shared")


def download(fleet: Fleet, peer: PeerUp, content: str) -> TransferCompleted:
    """Fetch, with a line whenever a quarter more is there."""
    with EventTap(fleet.context, peer.events, ("heartbeat", "transfer")) as tap:
        wait_for(lambda: tap.poll(_LOOK), "a heartbeat")
        fleet.ask(peer, Get(0, content), Done)
        quarters = 0
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for envelope in tap.poll(_LOOK):
                event = event_of(envelope)
                if isinstance(event, TransferCompleted):
                    return event
                if isinstance(event, TransferFailed):
                    raise ShoalError(ERR_FAILURE, f"the download failed: {event.error}")
                if isinstance(event, Transfer) and event.size and 4 * event.bytes_done // event.size > quarters:
                    quarters = 4 * event.bytes_done // event.size
                    tell(f"{100 * event.bytes_done // event.size:3} %  {format_rate(event.down_rate)}")
    raise ShoalError(ERR_TIMEOUT, f"the download did not end within {PATIENCE:g} s")


def compare_trees(one: Path, other: Path) -> int:
    """How many entries there are; raises ShoalError if any differs."""
    names = [sorted(path.relative_to(root) for path in root.rglob("*")) for root in (one, other)]
    if names[0] != names[1]:
        raise ShoalError(ERR_INTEGRITY, f"{other} has other entries than {one}")
    for name in names[0]:
        if (one / name).is_file() and not filecmp.cmp(one / name, other / name, shallow=False):
            raise ShoalError(ERR_INTEGRITY, f"{other / name} differs from {one / name}")
    return len(names[0])


def reputation(fleet: Fleet, judge: PeerUp, judged: PeerUp) -> None:
    """Print a score and the events behind it."""

    def look() -> ReputationExplained | None:
        try:
            explained = fleet.ask(judge, ExplainReputation(0, judged.id), ReputationExplained)
        except ShoalError as error:
            if error.code == ERR_NOT_FOUND:  # it was not written down yet
                return None
            raise
        return explained if explained.events else None

    explained = wait_for(look, "south to have an opinion of north")
    tell(f"score {explained.score:.3f} (0 to 1; a newcomer has 0.5)")
    for event in explained.events:
        tell(f"{event.type}: {event.change:+.3f} for {format_size(event.bytes)}")


def wait_for(look: Callable[[], T | None], what: str) -> T:
    """What `look` returns once it is something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            raise ShoalError(ERR_TIMEOUT, f"waited {PATIENCE:g} s for {what}")
        time.sleep(_LOOK)
    return found


if __name__ == "__main__":
    sys.exit(main())
