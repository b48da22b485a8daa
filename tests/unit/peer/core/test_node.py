"""PeerNode among real cores: whatever goes wrong, streams go on and downloads end.

Each test drives a seed, leechers and a tracker (all production cores) in virtual time.
"""

from __future__ import annotations

from bus.boundary import DialFailed, LinkBlocked, LinkId, LinkUp, Misbehaved, Received
from bus.messages import Credit, Data, Have, Open, Opened, Pause, Refused, Rejected, Resume, WantManifest
from experiments.sim.swarm import CONTENT, TRACKER, SimulatedSwarm, SwarmScenario, peer_id
from experiments.sim.world import HostRates
from peer.core.interface import Command, ContentAdded, CoreEffect, CoreEvent, Forget, Reopened
from peer.core.records import DownloadRecord, KnownContent
from peer.core.source import SourceState
from peer.core.standing import CORRUPTED_DATA, SUCCESSFUL_DOWNLOAD, TIMED_OUT

MIB = 2**20
FAST = HostRates(up=10 * MIB)
PAIR = SwarmScenario(leechers=1, size=8 * MIB, seed_rates=FAST, leecher_rates=FAST)


def until_half(swarm: SimulatedSwarm, leecher: int = 1) -> None:
    """Run until a leecher holds half of its chunks."""
    downloads = swarm.nodes[peer_id(leecher)].downloads.active
    half = swarm.layout.chunks // 2
    assert swarm.world.run(1000.0, lambda: CONTENT in downloads and downloads[CONTENT].held.bit_count() >= half)


def link_to(swarm: SimulatedSwarm, host: int, other: int) -> LinkId:
    return swarm.nodes[peer_id(host)].neighbours.by_peer[peer_id(other)].link


def test_a_file_reaches_a_leecher() -> None:
    assert SimulatedSwarm(PAIR).run(10.0)


def test_a_rejected_chunk_is_fetched_again_from_the_only_source_after_a_while() -> None:
    swarm = SimulatedSwarm(PAIR)
    swarm.disks[peer_id(0)].corrupt_reads = 1
    assert swarm.run(100.0)
    standing = swarm.nodes[peer_id(1)].opinions.book.standing(peer_id(0))
    assert standing is not None
    assert standing.events[CORRUPTED_DATA] == 1
    assert standing.score < 0.5


def test_a_rejected_chunk_is_fetched_from_another_source_at_once() -> None:
    swarm = SimulatedSwarm(SwarmScenario(leechers=2, size=8 * MIB, seed_rates=FAST, leecher_rates=FAST, seed=4))
    until_half(swarm)
    swarm.disks[peer_id(2)].corrupt_reads = 1
    assert swarm.run(20.0)


def test_a_failed_read_does_not_stop_the_stream() -> None:
    swarm = SimulatedSwarm(SwarmScenario(leechers=2, size=8 * MIB, seed_rates=FAST, leecher_rates=FAST, seed=4))
    until_half(swarm)
    swarm.disks[peer_id(2)].failing_reads = 2
    assert swarm.run(60.0)


def test_credit_that_was_lost_is_said_again_before_anybody_is_blamed() -> None:
    # More than one window, so that credit is needed on the way.
    swarm = SimulatedSwarm(SwarmScenario(leechers=1, size=48 * MIB, seed_rates=FAST, leecher_rates=FAST))
    until_half(swarm)
    seed = swarm.nodes[peer_id(0)]
    handle, lost, deaf_until = seed.handle, list[Received](), swarm.world.now + 3.0

    def deaf(event: CoreEvent, now: float) -> list[CoreEffect]:
        if isinstance(event, Received) and isinstance(event.message, Credit) and now < deaf_until:
            lost.append(event)
            return []
        return handle(event, now)

    seed.handle = deaf  # type: ignore[method-assign]
    assert swarm.run(20.0)
    assert lost
    standing = swarm.nodes[peer_id(1)].opinions.book.standing(peer_id(0))
    assert standing is None or TIMED_OUT not in standing.events


def test_a_lost_link_is_dialled_again_and_the_download_goes_on() -> None:
    swarm = SimulatedSwarm(PAIR)
    until_half(swarm)
    swarm.world.cut(link_to(swarm, 0, 1))
    assert swarm.run(60.0)
    assert sum(row.bytes for row in swarm.results[peer_id(1)].sources) == PAIR.size


def test_a_link_whose_end_nobody_announces_is_found_silent() -> None:
    swarm = SimulatedSwarm(PAIR)
    until_half(swarm)
    swarm.world.remove(swarm.world.hosts[peer_id(0)])
    swarm.add_peer(0)
    assert swarm.run(120.0)


def test_a_download_outlives_the_tracker() -> None:
    swarm = SimulatedSwarm(PAIR)
    until_half(swarm)
    swarm.world.remove(swarm.world.hosts[TRACKER])
    assert swarm.run(20.0)


def test_one_slot_serves_many_leechers_in_turn() -> None:
    scenario = SwarmScenario(leechers=5, size=32 * MIB, seed_rates=HostRates(up=4 * MIB), upload_slots=1, seed=2)
    assert SimulatedSwarm(scenario).run(400.0)


def test_a_choke_with_wants_in_flight_leaves_a_stream_that_goes_on() -> None:
    swarm = SimulatedSwarm(PAIR)
    until_half(swarm)
    seed, leecher = swarm.nodes[peer_id(0)], swarm.nodes[peer_id(1)]
    source = leecher.downloads.fetching.sources[link_to(swarm, 1, 0)]
    assert source.asked
    seed.uploads.close(link_to(swarm, 0, 1), "choked")
    swarm.world.carry_out(swarm.world.hosts[peer_id(0)], seed.turn.take_effects())
    assert swarm.run(20.0)
    assert source.stream == 3


def test_three_broken_messages_end_a_link() -> None:
    swarm = SimulatedSwarm(PAIR)
    until_half(swarm)
    link = link_to(swarm, 0, 1)
    seed = swarm.world.hosts[peer_id(0)]
    for _ in range(3):
        assert link in swarm.nodes[peer_id(0)].neighbours.by_link
        swarm.world.feed(seed, Misbehaved(link, "no msgpack"))
    assert link not in swarm.nodes[peer_id(0)].neighbours.by_link


def test_a_message_before_hello_is_an_error_of_the_link() -> None:
    swarm = SimulatedSwarm(PAIR)
    until_half(swarm)
    link = link_to(swarm, 0, 1)
    neighbour = swarm.nodes[peer_id(0)].neighbours.by_link[link]
    neighbour.ready = False
    swarm.world.feed(swarm.world.hosts[peer_id(0)], Received(link, Open(9)))
    assert neighbour.errors == 1


def test_a_stream_that_is_opened_twice_takes_no_share_of_the_windows_when_it_has_ended() -> None:
    swarm = SimulatedSwarm(PAIR)
    until_half(swarm)
    link, fetching = link_to(swarm, 1, 0), swarm.nodes[peer_id(1)].fetching
    swarm.world.feed(swarm.world.hosts[peer_id(1)], Received(link, Opened(fetching.sources[link].stream)))
    assert fetching.sources[link].state is SourceState.IDLE
    assert fetching.asking.streams == 0


def test_what_had_come_of_a_chunk_that_is_refused_is_forgotten() -> None:
    swarm = SimulatedSwarm(PAIR)
    until_half(swarm)
    swarm.nodes[peer_id(0)].limits.set("up", MIB // 8, swarm.world.now)
    link, leecher = link_to(swarm, 1, 0), swarm.nodes[peer_id(1)]
    source = leecher.fetching.sources[link]

    def begun() -> list[tuple[int, int]]:
        return [(want, chunk) for want, asked in source.asked.items() for chunk in asked.progress]

    assert swarm.world.run(60.0, begun)
    (want, chunk), *_ = begun()
    refused = Refused(source.stream, want, [(chunk, 1)], "withdrawn")
    assert Forget(CONTENT, (chunk,)) in leecher.handle(Received(link, refused), swarm.world.now)


def test_data_of_a_stream_that_ended_is_dropped() -> None:
    swarm = SimulatedSwarm(PAIR)
    until_half(swarm)
    link = link_to(swarm, 1, 0)
    before = swarm.nodes[peer_id(1)].downloads.fetching.sources[link].window.received
    swarm.world.feed(swarm.world.hosts[peer_id(1)], Received(link, Data(7, 0, 1, [(0, 0, 10)]), None, 10))
    assert swarm.nodes[peer_id(1)].downloads.fetching.sources[link].window.received == before
    assert swarm.run(20.0)


def test_a_peer_that_cannot_be_reached_is_dialled_with_growing_pauses() -> None:
    swarm = SimulatedSwarm(PAIR)
    node = swarm.nodes[peer_id(1)]
    pauses = []
    for _ in range(8):
        node.neighbours.dial_failed(DialFailed("data", "f" * 64, "refused"))
        pauses.append(node.neighbours.may_dial_at("f" * 64) - node.turn.now)
    assert pauses[0] <= 1.0
    assert 16.0 <= pauses[-1] <= 32.0


def test_a_seed_dials_a_leecher_that_cannot_dial_it() -> None:
    swarm = SimulatedSwarm(SwarmScenario(leechers=0, size=MIB))
    assert not swarm.world.run(2.0, lambda: False)
    swarm.add_peer(1, {"links": 0})  # a leecher that may not dial anybody
    assert swarm.world.run(30.0, lambda: swarm.finished(1))


def test_two_peers_that_dial_each_other_keep_one_link() -> None:
    swarm = SimulatedSwarm(SwarmScenario(leechers=6, size=4 * MIB, seed=9))
    swarm.run(60.0)
    swarm.world.run(swarm.world.now + 5, lambda: False)
    for node in swarm.nodes.values():
        peers = [neighbour.peer for neighbour in node.neighbours.by_link.values()]
        assert len(peers) == len(set(peers))


def test_a_peer_that_asked_before_we_had_it_is_told_when_we_do() -> None:
    swarm = SimulatedSwarm(PAIR)
    until_half(swarm)
    seed, leecher = swarm.nodes[peer_id(0)], swarm.nodes[peer_id(1)]
    link = link_to(swarm, 0, 1)
    other = "9" * 64
    swarm.world.feed(swarm.world.hosts[peer_id(0)], Received(link, Have(other, 0, b"")))
    assert seed.haves.theirs(link, other) == 0
    known = KnownContent(other, "late", swarm.layout, "/sim/late", upload=False, downloaded=False, added=0.0)
    swarm.world.feed(swarm.world.hosts[peer_id(0)], ContentAdded(known))
    swarm.world.run(swarm.world.now + 1, lambda: False)
    assert leecher.haves.theirs(link_to(swarm, 1, 0), other) is not None


def test_have_maps_of_unknown_contents_take_no_room() -> None:
    swarm = SimulatedSwarm(PAIR)
    until_half(swarm)
    link = link_to(swarm, 0, 1)
    for number in range(3000):
        message = Have(f"{number:064x}", 0, b"\xff" * 1000)
        swarm.world.feed(swarm.world.hosts[peer_id(0)], Received(link, message))
    maps = swarm.nodes[peer_id(0)].haves._theirs[link]
    assert len(maps) <= 1001
    assert sum(mask.bit_length() for content, mask in maps.items() if content != CONTENT) == 0


def test_a_finished_download_is_credited_to_who_took_it() -> None:
    swarm = SimulatedSwarm(PAIR)
    assert swarm.run(10.0)
    swarm.world.run(swarm.world.now + 1, lambda: False)
    standing = swarm.nodes[peer_id(0)].opinions.book.standing(peer_id(1))
    assert standing is not None
    assert standing.events == {SUCCESSFUL_DOWNLOAD: 1}


def test_a_chunk_that_could_not_be_read_once_is_asked_for_again_of_the_only_source() -> None:
    swarm = SimulatedSwarm(PAIR)
    until_half(swarm)
    swarm.disks[peer_id(0)].failing_reads = 1
    assert swarm.run(100.0)


def test_a_manifest_of_another_name_is_refused_and_the_content_stays_offered() -> None:
    swarm = SimulatedSwarm(PAIR)
    until_half(swarm)
    link = link_to(swarm, 0, 1)
    seed = swarm.nodes[peer_id(0)]
    stream = swarm.nodes[peer_id(1)].downloads.fetching.sources[link_to(swarm, 1, 0)].stream
    swarm.world.feed(swarm.world.hosts[peer_id(0)], Received(link, WantManifest(stream, 9999, CONTENT, "e" * 64)))
    swarm.world.feed(swarm.world.hosts[peer_id(0)], Received(link, Rejected(CONTENT, 2**22 - 1)))
    assert CONTENT in seed.shelf.offers
    assert swarm.run(20.0)


def test_what_came_while_a_download_was_paused_is_known_after_resume() -> None:
    swarm = SimulatedSwarm(SwarmScenario(leechers=2, size=8 * MIB, seed_rates=FAST, leecher_rates=FAST, seed=4))
    until_half(swarm)
    first = swarm.world.hosts[peer_id(1)]
    swarm.world.feed(first, Command((LinkId(99), 1), Pause(1, CONTENT)))
    assert swarm.world.run(60.0, lambda: swarm.finished(2))
    swarm.world.remove(swarm.world.hosts[peer_id(0)])
    swarm.world.feed(first, Command((LinkId(99), 2), Resume(2, CONTENT)))
    assert swarm.world.run(swarm.world.now + 60.0, lambda: swarm.finished(1))


def test_a_peer_that_asks_and_never_reads_does_not_starve_the_others() -> None:
    swarm = SimulatedSwarm(SwarmScenario(leechers=3, size=32 * MIB, seed_rates=FAST, leecher_rates=FAST, seed=4))
    until_half(swarm)
    for deaf in (1, 2):
        swarm.world.feed(swarm.world.hosts[peer_id(0)], LinkBlocked(link_to(swarm, 0, deaf)))
        swarm.world.remove(swarm.world.hosts[peer_id(deaf)])
    assert swarm.world.run(swarm.world.now + 60.0, lambda: swarm.finished(3))


def test_one_peer_takes_no_more_than_two_links() -> None:
    swarm = SimulatedSwarm(PAIR)
    seed = swarm.world.hosts[peer_id(0)]
    for number in range(300):
        swarm.world.feed(seed, LinkUp(LinkId(5000 + number), "data", "c" * 64, "10.9.9.9", False))
    taken = [n for n in swarm.nodes[peer_id(0)].neighbours.by_link.values() if n.peer == "c" * 64]
    assert len(taken) == 2
    assert swarm.run(20.0)


def test_a_finished_download_that_is_reopened_is_offered_no_longer_until_it_is_fetched_again() -> None:
    swarm = SimulatedSwarm(PAIR)
    assert swarm.run(10.0)
    node, host = swarm.nodes[peer_id(1)], swarm.world.hosts[peer_id(1)]
    known = node.shelf.known(CONTENT)
    assert known is not None
    record = DownloadRecord(CONTENT, "file", "/sim", "/sim/file", (), (), False, 0.0)
    swarm.world.feed(host, Reopened(record, "1 chunk is wrong"))
    assert node.shelf.known(CONTENT) is None
    assert CONTENT in node.downloads.active
    assert swarm.world.run(swarm.world.now + 30.0, lambda: node.shelf.known(CONTENT) is not None)
    assert not node.downloads.active


def test_a_content_that_was_removed_is_not_reopened() -> None:
    swarm = SimulatedSwarm(PAIR)
    assert swarm.run(10.0)
    node, host = swarm.nodes[peer_id(1)], swarm.world.hosts[peer_id(1)]
    node.library.forget(CONTENT, data=False)
    record = DownloadRecord(CONTENT, "file", "/sim", "/sim/file", (), (), False, 0.0)
    swarm.world.feed(host, Reopened(record, "1 chunk is wrong"))
    assert not node.downloads.active
