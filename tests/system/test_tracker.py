"""A real tracker process: real sockets with CURVE, its database, signals, and what goes wrong."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from bus.boundary import Dial, DialFailed, LinkId, LinkLost, LinkUp, Received
from bus.codec import encode, event_of
from bus.errors import ERR_DUPLICATE_KEY, ERR_PROTOCOL
from bus.events import ContentAnnounced, Event, MetricsSample, PeerExpired, PeerRegistered, TrackerHeartbeat
from bus.forms import split_host_port
from bus.identity import Identity
from bus.messages import (
    Found,
    Message,
    Query,
    Registered,
    Renew,
    Search,
    Swarm,
    SwarmChanged,
    SwarmPeer,
    TrackerFailed,
    TrackerPing,
    TrackerPong,
    Version,
    Watch,
)
from bus.ready import READY_VARIABLE, TrackerReady
from bus.tap import EventTap
from tests.integration.test_links import unseeded_routing_ids
from tests.kit.bench import PATIENCE, Bench, End, Stranger
from tests.kit.waiting import eventually
from tests.unit.tracker.world import announce, entry, identity, register, renew
from tracker.schema import SCHEMA

pytestmark = pytest.mark.system


class Running:
    """A tracker process that serves."""

    def __init__(self, base: Path, **environment: str) -> None:
        self.base = base
        self._ready_file = base / "ready.json"
        self._ready_file.unlink(missing_ok=True)
        self.process = start(base, **{READY_VARIABLE: str(self._ready_file), **environment})
        eventually(lambda: self._ready_file.exists() or self.process.poll() is not None, within=20)
        assert self._ready_file.exists(), self.log()
        self.ready = msgspec.json.decode(self._ready_file.read_bytes(), type=TrackerReady)
        self.port = split_host_port(self.ready.endpoint)[1]

    def log(self) -> str:
        return (self.base / "log").read_text()

    def stop(self, number: int = signal.SIGTERM, within: float = 5.0) -> int:
        self.process.send_signal(number)
        return self.process.wait(within)


def start(base: Path, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    base.mkdir(exist_ok=True)
    with (base / "log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tracker", "--base-dir", str(base), *arguments],
            env={**os.environ, "SHOAL__TRACKER__LISTEN": "tcp://127.0.0.1:0", **environment},
            cwd=base, stderr=log,
        )  # fmt: skip


@contextmanager
def running(base: Path, **environment: str) -> Iterator[Running]:
    tracker = Running(base, **environment)
    try:
        yield tracker
    finally:
        tracker.process.kill()
        tracker.process.wait()
        sys.stderr.write(tracker.log())  # shown when the test fails


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "base") as one:
        yield one
        assert one.process.poll() is None, f"the tracker died during the test: {one.log()}"
        assert one.stop() == 0, one.log()


class Client:
    """A peer as far as a tracker sees it."""

    def __init__(self, bench: Bench, tracker: Running, seed: int, hwm: int = 256) -> None:
        self.bench = bench
        self.end = End(bench, seed, hwm)
        self.id = self.end.identity.peer_id
        self.link = self.dial(tracker)

    def dial(self, tracker: Running) -> LinkId:
        before = len(self.end.of(LinkUp))
        self.end.links.perform(Dial("tracker", tracker.ready.public_key, (tracker.ready.endpoint,)))
        self.bench.until(lambda: len(self.end.of(LinkUp)) > before)
        self.link = self.end.of(LinkUp)[-1].link
        return self.link

    def say(self, *messages: Message) -> None:
        for message in messages:
            self.end.send(self.link, message)

    def ask(self, *messages: Message, within: float = PATIENCE) -> Message:
        """Send, and return the next message that is no ping."""
        before = len(self.heard())
        self.say(*messages)
        self.bench.until(lambda: len(self.heard()) > before, within)
        return self.heard()[before]

    def heard(self) -> list[Message]:
        return [message for message in self.end.messages() if not isinstance(message, TrackerPing)]


def test_a_thread_of_the_tracker_that_wakes_up_interrupts_no_other(tmp_path):
    with running(tmp_path) as tracker:
        threads = os.listdir(f"/proc/{tracker.process.pid}/task")
        assert len(threads) > 2
        assert {os.sched_getscheduler(int(thread)) for thread in threads} == {os.SCHED_BATCH}


def test_peers_register_find_and_are_told_of_one_another(tracker: Running):
    with Bench() as bench:
        north, south = Client(bench, tracker, 1), Client(bench, tracker, 2)
        assert north.ask(register(entry("x", name="Holiday 2024"), port=4001)) == Registered(1, "ok", 90.0)
        assert isinstance(found := south.ask(Search(4, "day holi", 10)), Found)
        assert [(one.id, one.name, one.seeds, one.leechers) for one in found.results] == [
            (identity("x"), "Holiday 2024", 1, 0)
        ]
        assert isinstance(swarm := south.ask(Query(5, identity("x"))), Swarm)
        assert swarm.peers == [SwarmPeer(north.id, ["tcp://@tracker:4001"], complete=True)]
        north.say(Watch([identity("x")]))
        assert north.ask(TrackerPing(7)) == TrackerPong(7)
        assert south.ask(register(entry("x", complete=False), port=4002)) == Registered(1, "ok", 90.0)
        bench.until(lambda: any(isinstance(one, SwarmChanged) for one in north.heard()))
        assert north.heard()[-1] == SwarmChanged(
            identity("x"), 1, 1, [SwarmPeer(south.id, ["tcp://@tracker:4002"], complete=False)], []
        )


def test_ten_thousand_contents_register_in_pages(tracker: Running):
    entries = [entry(f"c{n}", name=f"data set number {n}") for n in range(10_000)]
    pages = [entries[start : start + 250] for start in range(0, len(entries), 250)]
    messages = [register(*page, page=n, last=n == len(pages) - 1) for n, page in enumerate(pages)]
    assert max(len(encode(message)[1]) for message in messages) < 48 * 1024
    with Bench() as bench:
        client = Client(bench, tracker, 1)
        assert client.ask(*messages, within=30) == Registered(1, "ok", 90.0)
        assert isinstance(found := client.ask(Search(2, "number 9999", 10), within=30), Found)
        assert [one.id for one in found.results] == [identity("c9999")]


def test_an_old_link_that_answers_keeps_the_route(tracker: Running):
    with Bench() as bench:
        old, copy = Client(bench, tracker, 1), Client(bench, tracker, 1)
        assert old.ask(register(entry("x"))) == Registered(1, "ok", 90.0)
        copy.say(renew(1))
        bench.until(lambda: any(isinstance(one, TrackerPing) for one in old.end.messages()))
        [ping] = [one for one in old.end.messages() if isinstance(one, TrackerPing)]
        old.say(TrackerPong(ping.nonce))
        bench.until(copy.heard)
        [answer] = copy.heard()
        assert isinstance(answer, TrackerFailed)
        assert answer.code == ERR_DUPLICATE_KEY
        assert old.ask(renew(1)) == Registered(3, "ok", 90.0)


def test_a_link_that_is_lost_makes_room_for_the_next_at_once(tracker: Running):
    with Bench() as bench:
        client = Client(bench, tracker, 1)
        assert client.ask(register(entry("x"))) == Registered(1, "ok", 90.0)
        for _ in range(5):
            client.end.links.close(0)
            client = Client(bench, tracker, 1)
            assert client.ask(renew(1), within=3) == Registered(3, "ok", 90.0)


# --- death and restart ----------------------------------------------------------------------------


def test_a_tracker_killed_and_started_again_knows_its_swarms(tmp_path: Path):
    base, holiday = tmp_path / "base", "Holiday 2024"
    with Bench() as bench:
        with running(base) as tracker:
            north, south = Client(bench, tracker, 1), Client(bench, tracker, 2)
            seed, leecher = entry("x", name=holiday), entry("x", name=holiday, complete=False)
            assert north.ask(register(seed, entry("y"), port=4001)) == Registered(1, "ok", 90.0)
            assert north.ask(announce(entry("z"), removed=("y",), n=2)) == Registered(2, "ok", 90.0)
            assert south.ask(register(leecher, port=4002)) == Registered(1, "ok", 90.0)
            with closing(sqlite3.connect(base / "tracker" / "tracker.db")) as database:
                count = "SELECT count(*) FROM offers"
                eventually(lambda: database.execute(count).fetchone() == (3,), within=5)
            os.kill(tracker.process.pid, signal.SIGKILL)
            tracker.process.wait(5)
            bench.until(lambda: north.end.of(LinkLost) and south.end.of(LinkLost))
        again = {"SHOAL__TRACKER__LISTEN": tracker.ready.endpoint}
        with running(base, **again) as second:
            assert second.ready.public_key == tracker.ready.public_key
            stranger = Client(bench, second, 3)
            assert isinstance(swarm := stranger.ask(Query(5, identity("x"))), Swarm)
            assert (swarm.name, swarm.seeds, swarm.leechers) == (holiday, 1, 1)
            assert sorted(one.peer for one in swarm.peers) == sorted([north.id, south.id])
            assert isinstance(found := stranger.ask(Search(4, "holiday", 10)), Found)
            assert [one.seeds for one in found.results] == [1]
            assert isinstance(gone := stranger.ask(Query(6, identity("y"))), Swarm)
            assert gone.seeds == 0
            north.dial(second)
            assert north.ask(renew(2)) == Registered(3, "ok", 90.0)
            assert second.stop() == 0


def test_a_lease_ends_after_a_restart_too(tmp_path: Path):
    short = {"SHOAL__TRACKER__LEASE": "1 s", "SHOAL__TRACKER__RENEW": "500 ms"}
    with Bench() as bench:
        with running(tmp_path / "base") as tracker:
            client = Client(bench, tracker, 1)
            assert client.ask(register(entry("x"))) == Registered(1, "ok", 90.0)
            assert tracker.stop() == 0
        with running(tmp_path / "base", **short) as tracker, EventTap(bench.context, tracker.ready.events) as tap:
            expired: list[Event | None] = []

            def hear() -> bool:
                expired.extend(event for one in tap.poll(0.2) if isinstance(event := event_of(one), PeerExpired))
                return bool(expired)

            eventually(hear, within=10)
            assert expired == [PeerExpired(client.id, "silent for 1 s")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_within_2_s_with_clients_connected_and_nothing_is_lost(tmp_path: Path, number: int):
    with Bench() as bench, running(tmp_path / "base") as tracker:
        clients = [Client(bench, tracker, seed) for seed in range(1, 31)]
        for client in clients:
            client.say(register(entry("x")), *[Query(9, identity("x"))] * 20)
        bench.until(lambda: all(client.heard() for client in clients))
        assert tracker.stop(number, within=2.0) == 0
        assert "Traceback" not in tracker.log()
        with closing(sqlite3.connect(tmp_path / "base" / "tracker" / "tracker.db")) as database:
            assert database.execute("SELECT count(*) FROM offers").fetchone() == (30,)


def test_it_stops_while_a_client_reads_nothing(tmp_path: Path):
    with Bench() as bench, running(tmp_path / "base", SHOAL__NETWORK__HWM="1") as tracker:
        deaf = Stranger(
            bench.context, tracker.ready.endpoint, server=tracker.ready.public_key, identity=Identity(b"d" * 32)
        )
        for nonce in range(500):
            deaf.say(*encode(TrackerPing(nonce)))
        other = Client(bench, tracker, 1)
        assert other.ask(TrackerPing(1)) == TrackerPong(1)
        assert tracker.stop(within=2.0) == 0
        deaf.close()


# --- hostile and broken clients -------------------------------------------------------------------


def test_a_thousand_claimed_routing_ids_leave_the_tracker_alive(tracker: Running):
    with Bench() as bench:
        liar = Identity(b"l" * 32)
        strangers = [
            Stranger(
                bench.context, tracker.ready.endpoint, server=tracker.ready.public_key, identity=liar, routing_id=one
            )
            for one in unseeded_routing_ids(1000)
        ]
        for nonce, stranger in enumerate(strangers):
            stranger.say(*encode(TrackerPing(nonce)))
        answered: dict[int, list[bytes]] = {}

        def all_are_answered() -> bool:
            for nonce, stranger in enumerate(strangers):
                if nonce not in answered and (answer := stranger.hear()) is not None:
                    answered[nonce] = answer
            return len(answered) == len(strangers)

        bench.until(all_are_answered, within=60)
        assert answered == {nonce: encode(TrackerPong(nonce)) for nonce in range(1000)}
        for seed in range(1, 21):
            assert Client(bench, tracker, seed).ask(TrackerPing(seed)) == TrackerPong(seed)
        for stranger in strangers:
            stranger.close()


def test_the_third_broken_message_ends_the_link_and_others_are_served(tracker: Running):
    with Bench() as bench:
        client, other = Client(bench, tracker, 1), Client(bench, tracker, 2)
        answer = client.ask(register(page=3))
        assert isinstance(answer, TrackerFailed)
        assert answer.code == ERR_PROTOCOL
        client.say(register(page=4), register(page=5))
        bench.until(lambda: client.end.of(LinkLost))
        assert other.ask(TrackerPing(1)) == TrackerPong(1)


def test_bytes_that_are_no_message_end_the_link_at_the_third_time(tracker: Running):
    broken = [[b"\x01\x00\x0d", b"\xc1"], [*encode(TrackerPing(5))[:1], b"\x81"], [b""] * 8]
    with Bench() as bench:
        endpoint, key = tracker.ready.endpoint, tracker.ready.public_key
        cut, warned = (
            Stranger(bench.context, endpoint, server=key, identity=Identity(bytes([n]) * 32)) for n in (1, 2)
        )
        for frames in [*broken, encode(TrackerPing(5))]:
            cut.say(*frames)
        for frames in [*broken[:2], encode(TrackerPing(6))]:
            warned.say(*frames)
        answers: list[list[bytes] | None] = []

        def warned_hears() -> bool:
            answers.append(warned.hear())
            return answers[-1] is not None

        bench.until(warned_hears)
        assert answers[-1] == encode(TrackerPong(6))
        assert cut.hear() is None
        cut.close()
        warned.close()


def test_a_private_tracker_lets_in_only_the_keys_it_lists(tmp_path: Path):
    friend = Identity((1).to_bytes(32, "big")).peer_id
    private = {"SHOAL__SECURITY__ACCESS": "private", "SHOAL__SECURITY__ALLOW": f"[{friend}]"}
    with Bench() as bench, running(tmp_path / "base", **private) as tracker:
        assert Client(bench, tracker, 1).ask(TrackerPing(1)) == TrackerPong(1)
        stranger = End(bench, 2)
        stranger.links.perform(Dial("tracker", tracker.ready.public_key, (tracker.ready.endpoint,)))
        bench.until(lambda: stranger.of(DialFailed), within=10)
        assert stranger.of(LinkUp) == []
        assert tracker.stop() == 0


def test_every_request_is_answered_once_and_in_order_at_a_high_water_mark_of_1(tmp_path: Path):
    with Bench() as bench, running(tmp_path / "base", SHOAL__NETWORK__HWM="1") as tracker:
        client = Client(bench, tracker, 1, hwm=1)
        client.say(register(entry("x")), *[Query(n, identity("x")) for n in range(300)])
        bench.until(lambda: len(client.heard()) == 301, within=20)
        assert [one.request for one in client.heard()[1:] if isinstance(one, Swarm)] == list(range(300))
        assert tracker.stop() == 0


# --- what it tells --------------------------------------------------------------------------------


def test_events_tell_of_peers_contents_and_counters(tracker: Running):
    with Bench() as bench, EventTap(bench.context, tracker.ready.events) as tap:
        events: list[Event] = []

        def hear(kind: type[Event]) -> bool:
            events.extend(event for one in tap.poll(0.2) if (event := event_of(one)) is not None)
            return any(isinstance(event, kind) for event in events)

        eventually(lambda: hear(TrackerHeartbeat), within=10)
        client = Client(bench, tracker, 1)
        client.ask(register(entry("x", size=5), name="north"))
        eventually(lambda: hear(PeerRegistered), within=10)
        eventually(lambda: hear(ContentAnnounced), within=10)
        assert PeerRegistered(client.id, "north", "127.0.0.1", 1) in events
        assert ContentAnnounced(identity("x"), "x", "file", 5, 1, 0) in events
        events.clear()
        eventually(lambda: hear(MetricsSample), within=10)
        [sample] = [event for event in events if isinstance(event, MetricsSample)][-1:]
        counted = ("tracker_peers", "tracker_contents", "tracker_links", "tracker_register_requests_total")
        assert [sample.values[name] for name in counted] == [1, 1, 1, 1]
        assert tap.gaps == 0


def test_the_wire_stream_shows_headers_while_somebody_watches(tracker: Running):
    with Bench() as bench, EventTap(bench.context, tracker.ready.wire) as tap:
        client = Client(bench, tracker, 1)
        seen: list[tuple[str, str]] = []

        def hear() -> bool:
            client.ask(TrackerPing(1))
            seen.extend((one.direction, one.message) for one in tap.poll_wire(0.2))
            return ("in", "TrackerPing") in seen and ("out", "TrackerPong") in seen

        eventually(hear, within=10)


# --- errors at the start --------------------------------------------------------------------------


def refusal(base: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code and last line of a tracker that cannot start."""
    process = start(base, *arguments, **environment)
    try:
        code = process.wait(20)
    finally:
        process.kill()
        process.wait()
    lines = (base / "log").read_text().splitlines()
    assert not any("Traceback" in line for line in lines), lines
    return code, lines[-1]


def test_a_second_tracker_on_one_folder_is_refused_and_the_first_goes_on(tracker: Running):
    code, line = refusal(tracker.base)
    assert (code, line.startswith("shoal: ERR_ALREADY_RUNNING: "), str(tracker.process.pid) in line) == (2, True, True)
    with Bench() as bench:
        assert Client(bench, tracker, 1).ask(TrackerPing(1)) == TrackerPong(1)


def test_a_port_in_use_is_named(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = refusal(tmp_path / "base", SHOAL__TRACKER__LISTEN=f"tcp://127.0.0.1:{port}")
    assert (code, line.startswith("shoal: ERR_PORT_IN_USE: "), str(port) in line) == (2, True, True)


def test_an_unknown_setting_is_named(tmp_path: Path):
    code, line = refusal(tmp_path / "base", SHOAL__TRACKER__LEESE="90 s")
    assert (code, line.startswith("shoal: ERR_CONFIG: "), "tracker.leese" in line) == (2, True, True)


def test_an_unknown_argument_is_named(tmp_path: Path):
    code, line = refusal(tmp_path / "base", "--prot", "1")
    assert (code, line.startswith("shoal: ERR_USAGE: "), "--prot" in line) == (2, True, True)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path):
    folder = tmp_path / "base" / "tracker"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "identity.key").write_bytes(b"k" * 32)
    (folder / "identity.key").chmod(0o644)
    code, line = refusal(tmp_path / "base")
    assert (code, line.startswith("shoal: ERR_KEY_FILE: ")) == (2, True)


def test_a_database_of_a_newer_program_is_refused(tmp_path: Path):
    with running(tmp_path / "base") as tracker:
        assert tracker.stop() == 0
    with closing(sqlite3.connect(tmp_path / "base" / "tracker" / "tracker.db", isolation_level=None)) as database:
        database.execute(f"PRAGMA user_version = {SCHEMA.version + 1}")
    code, line = refusal(tmp_path / "base")
    assert (code, line.startswith("shoal: ERR_DATABASE: ")) == (1, True)


def test_a_database_that_is_none_is_set_aside_and_the_tracker_serves(tmp_path: Path):
    folder = tmp_path / "base" / "tracker"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "tracker.db").write_bytes(b"junk" * 5000)
    with running(tmp_path / "base") as tracker:
        assert tracker.stop() == 0
        assert "was set aside" in tracker.log()
    assert len(list(folder.glob("tracker.db.corrupt-*"))) == 1


def test_a_long_folder_name_is_no_obstacle(tmp_path: Path):
    base = tmp_path / ("d" * 120)
    try:
        with running(base) as tracker, Bench() as bench:
            assert Client(bench, tracker, 1).ask(Renew(1, Version(1, 1))) == Registered(1, "resync", 90.0)
            assert tracker.stop() == 0
    finally:
        shutil.rmtree(base)


def test_answers_come_while_the_database_writes_much(tracker: Running):
    with Bench() as bench:
        busy, other = Client(bench, tracker, 1), Client(bench, tracker, 2)
        for n in range(1, 6):
            busy.say(register(*[entry(f"c{k}", name=f"n{n}") for k in range(400)], n=n))
        assert isinstance(other.ask(Query(1, identity("c1")), within=3), Swarm)
        bench.until(lambda: len(busy.heard()) == 5, within=20)
        assert {type(one) for one in busy.end.of(Received)} == {Received}
