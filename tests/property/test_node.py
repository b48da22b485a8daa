"""A peer amid noise: whatever valid messages and shell events come, nothing escapes, and honest downloads end.

A seed, two leechers and a tracker (all production cores) move a small file in virtual time. Strangers on links of
their own say anything that the wire format allows, the tracker lies, links come and go, the disk answers what was
never asked, users pause and verify. Then the noise ends, and every leecher must come to have the file.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from msgspec import Struct

from bus.boundary import DialFailed, LinkBlocked, LinkId, LinkLost, LinkUp, LinkWritable, Misbehaved, Received
from bus.codec import decode, encode
from bus.errors import RemoteProtocolError
from bus.messages import (
    Cancel,
    Closed,
    Credit,
    Data,
    Found,
    FoundContent,
    Have,
    Hello,
    JudgePeer,
    ListFiles,
    Message,
    Open,
    Opened,
    Pause,
    Ping,
    Refused,
    Registered,
    Rejected,
    Resume,
    SearchContents,
    Swarm,
    SwarmChanged,
    SwarmPeer,
    TrackerFailed,
    TrackerPing,
    Verify,
    Want,
    WantManifest,
)
from experiments.sim.network import CORRUPT
from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import Host, HostRates
from peer.core.bitmap import chunks_in
from peer.core.download import DownloadState
from peer.core.interface import (
    CheckChunk,
    ChunkChecked,
    Command,
    DataRemoved,
    ManifestParsed,
    ManifestRejected,
    PartRead,
    Read,
    ReadFailed,
    ReadManifest,
    Stored,
    StoreFailed,
    Verified,
    VerifyData,
)
from peer.core.node import PeerNode
from peer.core.source import Asked, SourceState

T = TypeVar("T")

MIB = 2**20
SCENARIO = SwarmScenario(
    leechers=2, size=4 * MIB + 1000, seed_rates=HostRates(up=MIB / 4), leecher_rates=HostRates(up=MIB / 4), seed=3
)
STRANGERS = ["d" * 64, "e" * 64]
OTHER = "9" * 64
SEED, LEECHER = 0, 1
CONTROL = LinkId(1)
PATIENCE = 600.0
"""Virtual seconds from the end of the noise to the last byte: some waits of honest peers are 30 s, timeouts 300 s."""


class Saying(Struct, frozen=True):
    """A stranger says something to a node."""

    node: int
    stranger: int
    message: Message
    stream: str
    """Which stream it speaks of: `down` and `up` are the node's own, anything else is left as it is."""
    newest_want: bool
    """Speak of the newest want that the node has out, and of where its stream stands."""


class Happening(Struct, frozen=True):
    """Something in a node's shell."""

    node: int
    event: Any


class Linking(Struct, frozen=True):
    """What becomes of a stranger's link."""

    node: int
    stranger: int
    what: str


class Passing(Struct, frozen=True):
    """Virtual seconds go by."""

    seconds: float


class Noise:
    """Random actions.  (Own draws instead of strategies: long runs of unlike actions find more than short ones.)"""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def actions(self, count: int) -> Iterator[Any]:
        weighted = [(self._saying, 8), (self._linking, 3), (self._answer, 1), (self._lie, 1), (self._command, 1)]
        makers = [maker for maker, weight in [*weighted, (self._passing, 3)] for _ in range(weight)]
        for node, stranger in [(SEED, 0), (SEED, 1), (LEECHER, 0), (LEECHER, 1)]:
            yield Linking(node, stranger, "open")
        for _ in range(count):
            yield self._one(makers)()

    def _one(self, choices: Sequence[T]) -> T:
        return self._rng.choice(choices)

    def _some(self, make: Callable[[], T], least: int, most: int) -> list[T]:
        return [make() for _ in range(self._rng.randint(least, most))]

    # -- numbers --

    def _content(self) -> str:
        return self._one([CONTENT, CONTENT, CONTENT, OTHER])

    def _stream(self) -> int:
        return self._one([1, 2, 3, 4, 5, 6, 2**31 - 2, 2**31 - 1])

    def _want(self) -> int:
        return self._one([1, 2, 3, 2**31 - 1])

    def _count(self) -> int:
        return self._one([0, 1, self._rng.randrange(8 * MIB), 2**62, 2**63 - 1])

    def _chunk(self) -> int:
        return self._one([self._rng.randrange(40), self._rng.randrange(40), 2**22 - 1])

    def _range(self) -> tuple[int, int]:
        return self._chunk(), self._one([1, 3, 40, 2**22])

    def _part(self) -> tuple[int, int, int]:
        offset = self._one([0, 0, 0, 0, 1, 1000, 64 * 1024, 128 * 1024, 16 * MIB])
        return self._chunk(), offset, self._one([1, 1000, 64 * 1024, 128 * 1024, 128 * 1024, 128 * 1024 + 1])

    def _name(self) -> str:
        return self._one(["", "x", "../x", "\x1b[31m\u202e", "y" * 255])

    # -- actions --

    def _passing(self) -> Passing:
        return Passing(self._one([0.001, 0.02, 0.3, 1.0, 6.0]))

    def _linking(self) -> Linking:
        rare = ["up", "dialled", "greeted", "lost", "blocked", "writable", "misbehaved", "second"]
        return Linking(self._one([SEED, LEECHER]), self._one([0, 1]), self._one([*["open"] * 12, *rare]))

    def _saying(self) -> Saying:
        stream = self._one(["down", "down", "up", "up", "any"])
        return Saying(self._one([SEED, LEECHER]), self._one([0, 1]), self._message(), stream, self._one([True, False]))

    def _message(self) -> Message:
        stream, want, content = self._stream(), self._want(), self._content()
        bits = self._one([b"", b"\xff" * 5, b"\0\x0f", b"\xff" * 2**19])
        reason: Any = self._one(["cancelled", "withdrawn", "not_held", "unreadable", "closing"])
        ended: Any = self._one(["done", "choked", "queued_out", "reputation", "idle", "closing", "protocol"])
        return self._one(
            [
                Hello(self._name(), self._name()),
                Have(content, self._one([0, 0, 8, 32, 2**22 - 8]), bits),
                Open(stream),
                Opened(stream),
                Credit(stream, self._count(), self._count()),
                Want(stream, want, content, self._some(self._range, 1, 4)),
                WantManifest(stream, want, content, self._content()),
                Data(stream, self._count(), want, self._some(self._part, 1, 4), self._one([0, 1, 1000, 16 * MIB])),
                Data(stream, self._count(), want, self._some(self._part, 1, 4), self._one([0, 1, 1000, 16 * MIB])),
                Cancel(stream, want, self._some(self._range, 1, 4)),
                Refused(stream, want, self._some(self._range, 0, 3), reason),
                Rejected(content, self._chunk()),
                Closed(stream, self._count(), ended),
                Ping(self._count()),
            ]
        )

    def _member(self) -> SwarmPeer:
        endpoints = ["tcp://10.9.9.9:1", "@tracker", "", "ipc:///x", "tcp://@tracker:99999"]
        peer = self._one([*STRANGERS, peer_id(SEED), peer_id(LEECHER), OTHER])
        return SwarmPeer(peer, self._some(lambda: self._one(endpoints), 0, 2), self._one([True, False]))

    def _lie(self) -> Happening:
        content, members = self._content(), self._some(self._member, 0, 4)
        seeds, leechers, size, request = self._count(), self._count(), self._count(), self._rng.randrange(12)
        status: Any = self._one(["ok", "resync"])
        row = FoundContent(content, self._name(), "file", size, seeds, leechers)
        message = self._one(
            [
                SwarmChanged(content, seeds, leechers, members, [OTHER]),
                Swarm(request, content, self._name(), "file", size, seeds, leechers, members),
                Found(request, [row]),
                Registered(request, status, self._one([0.0, 1.0, 90.0, 1e9])),
                TrackerFailed(request, self._name(), self._name()),
                TrackerPing(size),
            ]
        )
        return Happening(self._one([SEED, LEECHER]), message)

    def _answer(self) -> Happening:
        """What the shell says of things that are not, or not any more."""
        job, link = self._one([0, 10**6]), LinkId(10**6)
        stranger = self._one([*STRANGERS, OTHER])
        return Happening(
            self._one([SEED, LEECHER]),
            self._one(
                [
                    PartRead(job, None, 1000),
                    ReadFailed(job, self._one([True, False]), "never asked"),
                    Stored(job, (0,), (1,)),
                    StoreFailed(self._content(), 0, "ERR_DISK", "the disk failed"),
                    ManifestParsed(OTHER, self._content()),
                    ManifestRejected(OTHER, self._content(), "never asked"),
                    ChunkChecked(OTHER, self._chunk(), self._one([True, False])),
                    Verified(OTHER, 1, self._name()),
                    DataRemoved(OTHER, self._name()),
                    LinkLost(link, "never up"),
                    LinkBlocked(link),
                    LinkWritable(link),
                    DialFailed("data", stranger, "never dialled"),
                    DialFailed("tracker", OTHER, "never dialled", True),
                    Misbehaved(link, "never up"),
                ]
            ),
        )

    def _command(self) -> Happening:
        verdict: Any = self._one(["trust", "block", "clear", "forget"])
        judge = JudgePeer(1, self._one([peer_id(SEED), peer_id(2), OTHER]), verdict)
        look = ListFiles(1, self._one([CONTENT, OTHER, f"shoal:{OTHER}"]))
        about = [Pause(1, CONTENT), Resume(1, CONTENT), Verify(1, CONTENT), SearchContents(1, "x"), judge, look]
        message = self._one(about)
        return Happening(LEECHER, Command((CONTROL, 1), message))


class Noisy:
    """A swarm that strangers trouble."""

    def __init__(self) -> None:
        self.swarm = SimulatedSwarm(SCENARIO)
        self.links: dict[tuple[int, int], LinkId] = {}
        self._numbers = itertools.count(10_000)
        for number in (SEED, LEECHER, 2):
            self._answer_verify(self.host(number))

    def host(self, number: int) -> Host:
        return self.swarm.world.hosts[peer_id(number)]

    def node(self, number: int) -> PeerNode:
        return self.swarm.nodes[peer_id(number)]

    def _answer_verify(self, host: Host) -> None:
        """What the simulated disk does not do: nothing on it is ever damaged."""
        perform: Callable[[Host, Any], None] = host.perform
        node = self.swarm.nodes[host.name]

        def also(host: Host, effect: Any) -> None:
            if isinstance(effect, VerifyData):
                download = node.downloads.active.get(effect.content)
                held = download.held if download else self.swarm.layout.all_chunks
                self.swarm.world.at(0.01, lambda: self.feed_to(host, Verified(effect.content, held, "")))
            elif isinstance(effect, ReadManifest) and effect.manifest != effect.content:
                self.feed_later(host, ReadFailed(effect.job, False, "no such manifest"))
            elif isinstance(effect, Read) and any(chunk >= self.swarm.layout.chunks for chunk, _, _ in effect.parts):
                self.feed_later(host, ReadFailed(effect.job, False, "no such chunk"))
            elif isinstance(effect, CheckChunk):
                good = effect.chunk < self.swarm.layout.chunks
                self.feed_later(host, ChunkChecked(effect.content, effect.chunk, good))
            else:
                perform(host, effect)

        host.perform = also

    def feed_later(self, host: Host, event: Any) -> None:
        self.swarm.world.at(0.001, lambda: self.feed_to(host, event))

    def feed_to(self, host: Host, event: Any) -> None:
        self.swarm.world.feed(host, event)

    def feed(self, number: int, event: Any) -> None:
        self.feed_to(self.host(number), event)

    def pass_time(self, seconds: float) -> None:
        until = self.swarm.world.now + seconds
        self.swarm.world.run(until, lambda: False)
        self.swarm.world.now = until

    # -- noise --

    def make(self, action: Any) -> None:
        match action:
            case Passing():
                self.pass_time(action.seconds)
            case Happening(event=Message()):
                for session in self.node(action.node).trackers.sessions.values():
                    if session.link is not None:
                        self.feed(action.node, Received(session.link, action.event))
            case Happening():
                self.feed(action.node, action.event)
            case Linking():
                self._change_link(action)
            case Saying():
                self._say(action)

    def _link(self, number: int, stranger: int, *, dialled: bool = False, greet: bool = True) -> LinkId:
        link = self.links.get((number, stranger))
        if link is None or link not in self.node(number).neighbours.by_link:
            link = self.links[number, stranger] = LinkId(next(self._numbers))
            self.feed(number, LinkUp(link, "data", STRANGERS[stranger], "10.9.9.9", dialled))
            if greet:
                self.feed(number, Received(link, Hello("noise", "stranger")))
        return link

    def _change_link(self, action: Linking) -> None:
        number, key = action.node, (action.node, action.stranger)
        if action.what in ("up", "dialled", "second"):
            if action.what == "second":
                self.links.pop(key, None)
            self._link(*key, dialled=action.what == "dialled", greet=action.what == "second")
            return
        link = self._link(*key)
        if action.what == "open":
            self._open(number, link)
            return
        event = {
            "greeted": Received(link, Hello("noise", "again")),
            "lost": LinkLost(link, "noise"),
            "blocked": LinkBlocked(link),
            "writable": LinkWritable(link),
            "misbehaved": Misbehaved(link, "noise"),
        }[action.what]
        self.feed(number, event)

    def _open(self, number: int, link: LinkId) -> None:
        """Streams both ways: the stranger asks for a slot, and grants one to whoever wants what it claims."""
        node = self.node(number)
        upload = node.uploads._uploads.get(link)
        if upload is None or upload.stream < 1000:
            stream = (upload.stream if upload else 0) + 2
            stream -= (stream % 2) == node.neighbours.by_link[link].dialled
            self.feed(number, Received(link, Open(stream)))
            self.feed(number, Received(link, Credit(stream, 8 * MIB, 0)))
        self.feed(number, Received(link, Have(CONTENT, 0, b"\xff" * 5)))
        source = node.downloads.fetching.sources.get(link)
        if source is not None and source.state is SourceState.WAITING:
            self.feed(number, Received(link, Opened(source.stream)))

    def _say(self, saying: Saying) -> None:
        number = saying.node
        link = self._link(number, saying.stranger)
        dialled = self.node(number).neighbours.by_link[link].dialled
        message = self._fitted(saying, link)
        size = sum(length for _, _, length in message.parts) if isinstance(message, Data) else 0
        frames: list[Any] = [*encode(message), *([range(size)] if size else [])]
        try:
            decoded = decode(frames, "data", "server" if dialled else "client")
        except RemoteProtocolError as error:
            self.feed(number, Misbehaved(link, str(error)))
            return
        assert decoded is not None
        self.feed(number, Received(link, decoded, CORRUPT if size else None, size))

    def _fitted(self, saying: Saying, link: LinkId) -> Message:
        """The message, made to fit the streams there are as far as the saying wants it."""
        message, node = saying.message, self.node(saying.node)
        source = node.downloads.fetching.sources.get(link)
        upload = node.uploads._uploads.get(link)
        fields = {name: getattr(message, name) for name in message.__struct_fields__}
        if saying.stream == "down" and source is not None and source.stream and "stream" in fields:
            fields["stream"] = source.stream
            if saying.newest_want and "want" in fields and source.asked:
                fields["want"] = max(source.asked)
            if isinstance(message, Data) and saying.newest_want:
                fields["position"] = source.window.received
                fields["parts"] = _of_want(message.parts, source.asked.get(fields["want"]))
        if saying.stream == "up" and upload is not None and upload.stream and "stream" in fields:
            fields["stream"] = upload.stream + (2 if isinstance(message, Open) else 0)
            if isinstance(message, Credit) and saying.newest_want:
                fields["consumed"] = upload.window.sent
        return type(message)(**fields)

    # -- and after it --

    def end_noise(self) -> None:
        """All strangers go; the user lets the download go on, and has nothing against anybody."""
        for number in (SEED, LEECHER):
            for link, neighbour in list(self.node(number).neighbours.by_link.items()):
                if neighbour.peer in STRANGERS:
                    self.feed(number, LinkLost(link, "the noise is over"))
        self.pass_time(1.0)
        self.feed(LEECHER, Command((CONTROL, 1), Resume(1, CONTENT)))
        for number in (SEED, 2):
            self.feed(LEECHER, Command((CONTROL, 1), JudgePeer(1, peer_id(number), "clear")))

    def check_books(self, number: int) -> None:
        """Every count is what a recount gives."""
        node = self.node(number)
        fetching, uploads = node.downloads.fetching, node.uploads
        for source in fetching.sources.values():
            source.check_invariants()
        streams = [source for source in fetching.sources.values() if source.state is SourceState.OPEN]
        assert fetching.asking.streams == len(streams)
        for upload in uploads._uploads.values():
            upload.check_invariants()
        reading, dropped = uploads.sending.reading_bytes, sum(uploads.sending._dropped.values())
        assert reading == dropped + sum(upload.reading_bytes for upload in uploads._uploads.values())
        for download in node.downloads.active.values():
            download.check_invariants()
            if download.state is DownloadState.FETCHING and not fetching.jobs:
                wanted = 0
                for source in fetching.sources.values():
                    if source.state is SourceState.OPEN:
                        for asked in source.asked.values():
                            wanted |= asked.mask if asked.content == download.record.id else 0
                assert not download.asked & ~wanted, "chunks are asked of nobody, and nobody else may be asked"


def trouble(actions: list[Any]) -> None:
    """Let a swarm live through these, and see it recover.

    Raises:
        AssertionError: it did not; anything else: it escaped from a node.
    """
    noisy = Noisy()
    noisy.pass_time(1.5)
    for action in actions:
        noisy.make(action)
        noisy.check_books(SEED)
        noisy.check_books(LEECHER)
    noisy.end_noise()
    noisy.swarm.world.run(noisy.swarm.world.now + PATIENCE, noisy.swarm.all_finished)
    assert noisy.swarm.all_finished(), (noisy.node(LEECHER).downloads.active, noisy.node(SEED).shelf.offers.keys())
    noisy.pass_time(20.0)
    for number in (SEED, LEECHER):
        noisy.check_books(number)
        assert not noisy.node(number).downloads.fetching.jobs
        assert not noisy.node(number).uploads.sending.jobs
        assert not noisy.node(number).uploads.sending.reading_bytes
    for number in (LEECHER, 2):
        assert not noisy.node(number).opinions.refused(peer_id(SEED))


def shortened(actions: list[Any], fails: Callable[[list[Any]], bool]) -> list[Any]:
    """As few of these as still fail, taken away in ever smaller pieces."""
    piece = len(actions) // 2
    while piece:
        start = 0
        while start < len(actions):
            fewer = actions[:start] + actions[start + piece :]
            if fails(fewer):
                actions = fewer
            else:
                start += piece
        piece //= 2
    return actions


def fails(actions: list[Any]) -> bool:
    try:
        trouble(actions)
    except Exception:  # noqa: BLE001  whatever it is, it is what is looked for
        return True
    return False


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32 - 1))
def test_after_any_noise_honest_downloads_end(seed: int) -> None:
    actions = list(Noise(seed).actions(80))
    if fails(actions):
        fewest = shortened(actions, fails)
        for action in fewest:
            note(repr(action)[:300])
        trouble(fewest)


def _of_want(parts: list[tuple[int, int, int]], asked: Asked | None) -> list[tuple[int, int, int]]:
    """Parts that speak of chunks of a want, from where they stand, as long as they were."""
    wanted = list(chunks_in(asked.mask)) if asked is not None else []
    if asked is None or not wanted:
        return parts
    chosen = [wanted[number % len(wanted)] for number, _, _ in parts]
    return [
        (chunk, asked.progress.get(chunk, 0) if offset == 0 else offset, length)
        for chunk, (_, offset, length) in zip(chosen, parts, strict=True)
    ]


WHOLE = [(2**22 - 1, 2**22)] * 8192
SPREAD = [(512 * number, 1) for number in range(8192)]


@pytest.mark.parametrize("spans", [WHOLE, SPREAD], ids=["overlapping", "spread"])
@pytest.mark.parametrize("kind", [Want, Cancel, Refused])
def test_no_one_message_keeps_a_peer_busy(kind: type[Message], spans: list[tuple[int, int]]) -> None:
    noisy = Noisy()
    noisy.pass_time(1.0)
    number = LEECHER if kind is Refused else SEED
    link = noisy._link(number, 0)
    if kind is Refused:
        noisy.feed(number, Received(link, Have(CONTENT, 0, b"\xff" * 5)))
        stream = noisy.node(number).downloads.fetching.sources[link].stream
        noisy.feed(number, Received(link, Opened(stream)))
        message: Message = Refused(stream, 1, spans, "not_held")
    else:
        noisy.feed(number, Received(link, Open(1)))
        message = Want(1, 1, CONTENT, spans) if kind is Want else Cancel(1, 1, spans)
    began = time.thread_time()
    noisy.feed(number, Received(link, message))
    assert time.thread_time() - began < 0.25
