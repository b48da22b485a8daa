"""A stand-in for a peer: the real bus (publisher, control socket) in a process of its own, before a made-up swarm.

    python -m tests.kit.fake_peer NAME --base-dir DIR [--rate BYTES] [--slow]

It shares what it is told to (without chunks), finds what it was told of, and "downloads" at a fixed rate.  A slow one
does not answer the first snapshot that is asked for.  Each line on its standard input is one order of a test:

    publish TOPIC JSON      publishes an event
    found JSON              lets a content be found (FoundContent)
    tree ID JSON            that content has these files, [[path, size], ...]
    lies ID READY PATH      the first READY bytes of that download may be read at PATH
    shares N                shares N files that are not there
    skip STREAM N ...       counts N events of a stream that it does not publish, and publishes one as `publish` does
    flood N                 publishes N events as fast as it can, then one that sets a known last state
    storm RATE SECONDS      publishes so many events a second for so long; see tests/kit/storm.py
    hang                    answers nothing any more, and is silent
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from bus import errors, events, messages
from bus.boundary import LinkEvent, LinkId, Received, Send
from bus.identity import Identity
from bus.link import Links
from bus.places import PeerPlaces
from bus.publisher import PeerPublisher
from bus.reactor import Reactor
from bus.ready import PeerReady, announce_ready
from bus.sockets import make_context
from tests.kit.orders import ORDERS

CHUNK = 2**20
STEP = 0.1
"""Seconds between two steps of a download."""
REFUSED = "refuse me"
"""A file of this name is not shared."""
READING = (messages.Snapshot, messages.ControlPing, messages.SearchContents)
"""Requests that change nothing and that nobody counts."""
SOURCES = ("5" * 64, "7" * 64)
"""Ids of the two peers that every download comes from."""

EXPLAINED = [
    messages.ReputationEvent("2026-01-02T03:04:04Z", "DECAY", "", 0, -0.00001, 0.52),
    messages.ReputationEvent("2026-01-02T03:04:04Z", "DECAY", "", 0, -0.02, 0.5),
    messages.ReputationEvent("2026-01-02T03:04:05Z", "SUCCESSFUL_UPLOAD", "a" * 64, 2**26, 0.01, 0.51),
]
"""Why anybody's score is what it is."""

VERDICTS: dict[str, tuple[list[str], str]] = {
    "trust": (["trusted"], "TRUSTED"),
    "block": (["blocked"], "BLOCKED"),
    "clear": ([], "CLEARED"),
}
"""Flags and cause of a verdict."""


class FakePeer:
    """All of it; everything happens in the reactor's thread."""

    def __init__(self, places: PeerPlaces, rate: int, slow: bool) -> None:
        places.prepare()
        self.places, self.rate, self.slow = places, rate, slow
        self.reactor = Reactor()
        self.context = make_context()
        self.identity = Identity.load_or_create(places.identity_file)
        self.publisher = PeerPublisher(self.reactor, self.context, places.events, self.identity.peer_id, 1.0)
        self.links = Links(self.reactor, self.context, self.identity, self.hear, hwm=256)
        self.links.listen("control", places.control)
        self.found: dict[str, messages.FoundContent] = {}
        self.trees: dict[str, list[messages.FileRow]] = {}
        self.transfers: dict[str, events.TransferProgress] = {}
        self.limits: dict[str, tuple[int, int]] = {}
        self.schedule: messages.ScheduledLimits | None = None
        self.lies: dict[str, tuple[str, int]] = {}
        """Where the bytes of a download are, and how many of them from the beginning on."""
        self.sizes: dict[str, tuple[int, int]] = {}
        """Size and modification time of each shared file when somebody first asked where it is."""
        self.only: list[str] = []
        """Paths that were asked for."""
        self.left_out: list[str] = []
        """Paths that were left out since."""
        self.levels: dict[str, messages.Priority] = {}
        """Of files and folders in whatever is fetched."""
        self.hanging = False
        self.publish(
            events.PeerStarted(
                places.name,
                self.identity.peer_id,
                "0.1.0",
                time.time(),
                "tcp://127.0.0.1:0",
                str(places.download_dir),
            )
        )
        self.publish(events.MetricsSample({"sent_bytes_total": 7.0, "links": 2.0}))
        self.reactor.every(STEP, self.step)

    def publish(self, event: events.Event) -> None:
        if not self.hanging:
            self.publisher.publish(event)

    def hear(self, event: LinkEvent) -> None:
        if isinstance(event, Received) and not self.hanging:
            if not isinstance(event.message, READING):
                about = getattr(event.message, "content", "")
                print(type(event.message).__name__, about, flush=True)  # noqa: T201  for tests that count what was asked for
            try:
                answer = self.answer(event.link, event.message)
            except errors.ShoalError as error:
                request = getattr(event.message, "request", 0)
                answer = messages.ControlFailed(request, error.code, error.message)
            if answer is not None:
                self.links.perform(Send(event.link, answer))

    def answer(self, link: LinkId, message: messages.Message) -> messages.Message | None:  # noqa: C901
        match message:
            case messages.Snapshot():
                slow, self.slow = self.slow, False
                return None if slow else self.publisher.answer(message)
            case messages.ControlPing(request):
                return messages.Done(request)
            case messages.SearchContents(request, words, limit):
                wanted = words.lower().split()
                named = [one for one in self.found.values() if all(word in one.name.lower() for word in wanted)]
                return messages.SearchResults(request, named[:limit])
            case messages.SharePath(request, path, name, upload):
                self.share(link, request, Path(path), name, upload)
                return None
            case messages.Unshare(request, content):
                return messages.Done(request, self.withdraw(content))
            case messages.Get(request, content, _, only):
                self.only += only
                self.left_out = [path for path in self.left_out if only and path not in only]
                return messages.Done(request, self.get(content.removeprefix("shoal:").partition("?")[0]))
            case messages.Pause(request, content) | messages.Resume(request, content):
                state = "paused" if isinstance(message, messages.Pause) else "downloading"
                return messages.Done(request, self.change(content, state))
            case messages.Verify(request, content):
                return messages.Done(request, self.verify(content))
            case messages.Remove(request, content, data):
                if content not in self.transfers:
                    return messages.Done(request, self.withdraw(content))
                del self.transfers[content]
                self.publish(events.TransferRemoved(content, data))
                return messages.Done(request, content)
            case messages.ExplainReputation(request, peer):
                check_id(peer)
                return messages.ReputationExplained(request, peer, 0.51, EXPLAINED)
            case messages.ListFiles():
                return self.list_files(message)
        return self.steer(message)

    def steer(self, message: messages.Message) -> messages.Message:
        match message:
            case messages.ChangeDownload(request, content):
                self.reorder(message)
                return messages.Done(request, content)
            case messages.ChangeLimits(request, content, up, down, schedule):
                if schedule:
                    self.schedule = schedule if isinstance(schedule, messages.ScheduledLimits) else None
                up, down = (
                    self.limits.get(content, (0, 0))[n] if rate < 0 else rate for n, rate in enumerate((up, down))
                )
                self.limits[content] = (up, down)
                self.publish(events.LimitsChanged(content, up, down))
                own = [messages.ContentLimits(one, *rates) for one, rates in self.limits.items() if one]
                return messages.Limits(request, content, up, down, True, True, up, down, own, self.schedule)
            case messages.JudgePeer(request, peer, verdict):
                check_id(peer)
                self.judge(peer, verdict)
                return messages.Done(request, peer)
            case messages.Explain(request, content):
                check_id(content)
                if content in self.transfers and self.transfers[content].state == "paused":
                    line = "it is paused; `shoal resume` lets it go on"
                    return messages.Explained(
                        request, content, "n", "paused", "paused", line, 0.0, 4, 4, 0, 0, 0, "", []
                    )
                source = messages.SourceExplained(SOURCES[0], "choked", "no slot yet", 0.0, 4, 0, 0, 0)
                return messages.Explained(
                    request, content, "n", "stalled", "choked", "no slot", 0.0, 4, 4, 0, 0, 0, "", [source]
                )
            case messages.Locate():
                return self.locate(message)
            case messages.ListHeld(request, content):
                level = self.levels.get("docs/read me.txt", self.levels.get("docs", "normal"))
                left = self.left_out
                rows = [
                    messages.HeldFile("docs" not in left and "docs/read me.txt" not in left, 6, level),
                    messages.HeldFile("run" in self.only and "run" not in left, 0, self.levels.get("run", "normal")),
                ]
                return messages.Held(request, rows, 0)
            case messages.ShowPieces(request, content):
                check_id(content)
                seed = messages.PeerPieces(SOURCES[0], True, 4, bytes([255] * 4))
                half = messages.PeerPieces(SOURCES[1], False, 2, bytes([255, 255, 0, 0]))
                return messages.Pieces(
                    request, content, 4, bytes([255, 128, 0, 0]), bytes([2, 2, 1, 0]), [seed, half], 2
                )
        raise errors.ShoalError(errors.ERR_PROTOCOL, f"the stand-in does not know {type(message).__name__}")

    def reorder(self, message: messages.ChangeDownload) -> None:
        transfer = self.running(message.content)
        level, order, paths = message.priority, message.order, message.paths
        if paths and (not level or transfer.kind == "file"):
            raise errors.ShoalError(errors.ERR_USAGE, f"{transfer.name} is one file, or no priority is named")
        if unknown := [
            path for path in (*paths, *message.leave_out) if path not in ("docs", "docs/read me.txt", "run")
        ]:
            raise errors.ShoalError(errors.ERR_NOT_FOUND, f"{unknown[0]} is not in {transfer.name}")
        self.left_out += message.leave_out
        if paths and level:
            self.levels = {path: had for path, had in self.levels.items() if path.partition("/")[0] not in paths}
            self.levels |= dict.fromkeys(paths, level)
        self.transfers[message.content] = msgspec.structs.replace(
            transfer,
            priority=transfer.priority if paths or not level else level,
            sequential=order == "sequential" if order else transfer.sequential,
        )
        self.publish(self.transfers[message.content])

    def judge(self, peer: str, verdict: str) -> None:
        if verdict == "forget":
            self.publish(events.ReputationForgotten(peer))
            return
        known = self.publisher.state.sections["reputation"].get((peer,))
        before = (
            known if isinstance(known, events.ReputationChanged) else events.ReputationChanged(peer, 0.5, [], {}, "")
        )
        flags, cause = VERDICTS[verdict]
        self.publish(msgspec.structs.replace(before, flags=flags, cause=cause))

    def list_files(self, message: messages.ListFiles) -> messages.Files:
        """A page of files: those a test told of, or two; of what nobody shares none."""
        content = message.content.removeprefix("shoal:").partition("?")[0]
        if re.fullmatch("9+", content):
            raise errors.ShoalError(errors.ERR_NOT_FOUND, f"no peer shares {content}; check the id, or share it first")
        two = [messages.FileRow("docs/read me.txt", 12, False), messages.FileRow("run", 3, True)]
        files, found = self.trees.get(content, two), self.found.get(content)
        if found is not None and found.kind == "file":
            files = [messages.FileRow("", found.size, False)]
        last = message.first + 200
        name = found.name if found else ""
        size = sum(file.size for file in files)
        page = files[message.first : last]
        following = last if last < len(files) else 0
        kind = found.kind if found else "tree"
        return messages.Files(message.request, page, following, content, name, kind, size, len(files))

    def locate(self, message: messages.Locate) -> messages.Located:
        """A share lies where it was shared from; a download where a test said, with as much of it as it said."""
        shared = self.publisher.state.sections["contents"].get((message.content,))
        if not isinstance(shared, events.ContentShared):
            return self.locate_download(message)
        root = Path(shared.path)
        files = sorted(path for path in root.rglob("*") if path.is_file()) if root.is_dir() else [root]
        names = [str(path.relative_to(root)) if path != root else "" for path in files]
        if (message.path or names[0]) not in names or message.file >= len(names):
            raise errors.ShoalError(errors.ERR_NOT_FOUND, "there is no such file")
        file = names.index(message.path) if message.path else message.file
        status = files[file].lstat()
        size = self.sizes.setdefault(str(files[file]), (status.st_size, status.st_mtime_ns))
        return messages.Located(
            message.request, message.content, shared.kind, file, names[file], size[0], shared.path, names[file],  # type: ignore[arg-type]
            max(0, size[0] - message.offset), size[1],
        )  # fmt: skip

    def locate_download(self, message: messages.Locate) -> messages.Located:
        transfer = self.running(message.content)
        path, ready = self.lies.get(message.content, ("", 0))
        if not path:
            raise errors.ShoalError(errors.ERR_NOT_FOUND, "its files are not known")
        return messages.Located(
            message.request, message.content, "file", 0, "", transfer.size, path, "", max(0, ready - message.offset), 0
        )

    def running(self, content: str) -> events.TransferProgress:
        transfer = self.transfers.get(content)
        if transfer is None:
            raise errors.ShoalError(errors.ERR_NOT_FOUND, f"{content} is no download of this peer")
        if transfer.finished:
            raise errors.ShoalError(errors.ERR_STATE, f"{transfer.name} is complete")
        return transfer

    def share(self, link: LinkId, request: int, path: Path, name: str, upload: bool) -> None:
        """Two steps of pretended hashing, then the answer."""
        # A generated path such as "/" would be hashed in earnest.
        if len(path.parts) < 3 or not path.is_absolute() or not path.exists() or path.name == REFUSED:
            raise errors.ShoalError(errors.ERR_UNREADABLE, f"{path} cannot be read")
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        size = sum(file.stat().st_size for file in files)
        name = name or path.name
        content = hashlib.sha256(name.encode() + b"".join(file.read_bytes() for file in sorted(files))).hexdigest()
        self.publish(events.ContentHashing(str(path), name, size // 2, size, 0, len(files)))
        self.links.perform(Send(link, messages.Progress(request, size // 2, size)))

        def finish() -> None:
            kind = "tree" if path.is_dir() else "file"
            self.publish(events.ContentHashed(str(path), ""))
            chunks = -(-size // CHUNK)
            shared = events.ContentShared(
                content, name, kind, size, len(files), chunks, str(path), upload, "seeding", "", time.time()
            )
            self.publish(shared)
            self.publish(events.SwarmHasChanged(content, 1, 0))
            answer = messages.Shared(request, content, name, kind, size, len(files), chunks, 0.1, f"shoal:{content}")  # type: ignore[arg-type]
            self.links.perform(Send(link, answer))

        self.reactor.call_later(STEP, finish)

    def withdraw(self, content: str) -> str:
        shared = self.publisher.state.sections["contents"].get((content,))
        if not isinstance(shared, events.ContentShared):
            raise errors.ShoalError(errors.ERR_NOT_FOUND, f"{content} is not shared here")
        self.publish(events.ContentWithdrawn(content, "unshared"))
        return content

    def get(self, content: str) -> str:
        found = self.found.get(content)
        if found is None:
            raise errors.ShoalError(errors.ERR_NOT_FOUND, f"no tracker knows {content}")
        if content not in self.transfers:
            chunks = -(-found.size // CHUNK)
            sources = [events.SourceRow(peer, 0, 0.0, chunks, "open") for peer in SOURCES]
            path = str(self.places.download_dir / found.name)
            self.transfers[content] = events.TransferProgress(
                content, found.name, found.kind, found.size, path, "downloading", 0, chunks, 0, 0.0, -1.0, 0.0, 0, 0,
                sources, "", "", "", time.time(), 0.0,
            )  # fmt: skip
            self.publish(events.TransferStarted(**_fields(self.transfers[content])))
        return content

    def change(self, content: str, state: str) -> str:
        published = self.publisher.state.sections["transfers"].get((content,))
        transfer = self.transfers.get(content)
        if transfer is None and isinstance(published, events.Transfer):  # a test told of it
            transfer = events.TransferProgress(**_fields(published))
        if transfer is None:
            raise errors.ShoalError(errors.ERR_NOT_FOUND, f"{content} is no download of this peer")
        if transfer.finished:
            raise errors.ShoalError(errors.ERR_STATE, f"{transfer.name} is complete; it cannot be {state}")
        self.transfers[content] = msgspec.structs.replace(transfer, state=state, down_rate=0.0, error="", error_code="")
        self.publish(self.transfers[content])
        return content

    def verify(self, content: str) -> str:
        """A share turns out to be well; a download is verified for ever."""
        shared = self.publisher.state.sections["contents"].get((content,))
        if not isinstance(shared, events.ContentShared):
            return self.change(content, "verifying")
        self.publish(msgspec.structs.replace(shared, state="seeding", error=""))
        return content

    def step(self) -> None:
        for content, transfer in self.transfers.items():
            if transfer.state == "downloading":
                self.transfers[content] = self.advance(transfer)

    def advance(self, transfer: events.TransferProgress) -> events.TransferProgress:
        done = min(transfer.size, transfer.bytes_done + int(self.rate * STEP))
        held = done // CHUNK if done < transfer.size else transfer.chunks
        shares = [min(255, max(0, int(256 * (64 * done / max(1, transfer.size) - part)))) for part in range(64)]
        moved = msgspec.structs.replace(
            transfer,
            bytes_done=done,
            chunks_done=held,
            down_rate=float(self.rate),
            eta=(transfer.size - done) / self.rate,
            seconds=transfer.seconds + STEP,
            have=bytes(shares).hex(),
            sources=[
                events.SourceRow(SOURCES[0], done * 2 // 3, self.rate * 2 / 3, transfer.chunks, "open"),
                events.SourceRow(SOURCES[1], done - done * 2 // 3, self.rate / 3, transfer.chunks, "open"),
            ],
        )
        if done < transfer.size:
            self.publish(moved)
            return moved
        moved = msgspec.structs.replace(moved, state="seeding", down_rate=0.0, eta=0.0, finished=time.time())
        self.publish(events.TransferCompleted(**_fields(moved)))
        self.publish(events.ReputationChanged(SOURCES[0], 0.51, [], {"SUCCESSFUL_UPLOAD": 1}, "SUCCESSFUL_UPLOAD"))
        return moved

    def obey(self, line: str) -> None:
        order, _, rest = line.strip().partition(" ")
        ORDERS[order](self, rest)

    def run(self) -> None:
        self.reactor.run()
        self.links.close(0)
        if not self.hanging:
            self.publisher.close()
        self.context.term()


def check_id(text: str) -> None:
    """An answer with anything else for an id would not be understood."""
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise errors.ShoalError(errors.ERR_NOT_FOUND, "nothing has that id")


def _fields(transfer: events.Transfer) -> dict[str, Any]:
    return msgspec.structs.asdict(transfer)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--base-dir", type=Path, required=True)
    parser.add_argument("--rate", type=int, default=50 * CHUNK)
    parser.add_argument("--slow", action="store_true")
    chosen = parser.parse_args()
    places = PeerPlaces(chosen.base_dir, chosen.name)
    peer = FakePeer(places, chosen.rate, chosen.slow)
    signal.signal(signal.SIGTERM, lambda *_: peer.reactor.stop())

    def read_orders() -> None:
        with contextlib.suppress(ValueError):  # the interpreter closes it at the end
            for line in sys.stdin:
                peer.reactor.post(lambda line=line: peer.obey(line))  # type: ignore[misc]

    threading.Thread(target=read_orders, daemon=True).start()
    ready = PeerReady(
        chosen.name, peer.identity.peer_id, "tcp://127.0.0.1:0", places.control, places.events, places.wire,
        os.getpid(), str(places.data_dir), str(places.download_dir),
    )  # fmt: skip
    announce_ready(ready, os.environ)
    peer.run()


if __name__ == "__main__":
    main()
