"""`explain` among whole peers in virtual time: every cause is made to happen, and is named."""

from __future__ import annotations

import pytest

from bus.boundary import DialFailed, LinkId, Received
from bus.errors import ERR_DISK_FULL
from bus.messages import ChangeDownload, ChangeLimits, Explain, Explained, Have, Message, Pause, Pieces, ShowPieces
from experiments.sim import disk as simulated
from experiments.sim.swarm import CONTENT, SimulatedSwarm, SwarmScenario, content_id, peer_id
from experiments.sim.world import HostRates
from peer.core.interface import Command, Reply, StoreFailed
from peer.core.standing import CORRUPTED_DATA

MIB = 2**20
FAST = HostRates(up=16 * MIB)
PAIR = SwarmScenario(1, 64 * MIB, FAST, FAST, latency=0.002, seed=3)


def begun(scenario: SwarmScenario = PAIR) -> SimulatedSwarm:
    """Running until every leecher holds something of everything."""
    swarm = SimulatedSwarm(scenario)

    def moving() -> bool:
        active = [swarm.nodes[peer_id(n)].downloads.active.values() for n in range(1, scenario.leechers + 1)]
        return all(download.held for downloads in active for download in downloads)

    assert swarm.world.run(30.0, moving)
    return swarm


def ask(swarm: SimulatedSwarm, message: Message, number: int = 1) -> Message:
    name = peer_id(number)
    effects = swarm.nodes[name].handle(Command((LinkId(0), 1), message), swarm.world.now)
    swarm.world.carry_out(swarm.world.hosts[name], effects)
    (reply,) = [effect.message for effect in effects if isinstance(effect, Reply)]
    return reply


def explained(swarm: SimulatedSwarm, number: int = 1, content: str = CONTENT) -> Explained:
    reply = ask(swarm, Explain(0, content), number)
    assert isinstance(reply, Explained)
    return reply


def causes(reply: Explained) -> list[str]:
    return [row.cause for row in reply.sources]


def seconds_pass(swarm: SimulatedSwarm, seconds: float) -> None:
    swarm.world.run(swarm.world.now + seconds, lambda: False)


def test_sources_that_send_as_fast_as_they_can_decide() -> None:
    swarm = begun()
    seconds_pass(swarm, 1)
    found = explained(swarm)
    assert (found.state, found.cause, causes(found)) == ("downloading", "source", ["sending"])
    assert "16 MiB/s" in found.text or "15." in found.text
    assert found.sources[0].to_come == found.to_come > 0
    assert found.sources[0].chunks == found.missing


def test_our_limit_decides_and_says_whose_it_is() -> None:
    swarm = begun()
    ask(swarm, ChangeLimits(0, down=MIB))
    seconds_pass(swarm, 5)
    found = explained(swarm)
    assert (found.cause, causes(found), found.limit, found.limit_of) == ("rate_limit", ["rate_limit"], MIB, "all")
    assert found.text == "all downloads together are limited to 1 MiB/s; `shoal limit --down` changes it"
    ask(swarm, ChangeLimits(0, CONTENT, down=MIB // 2))
    seconds_pass(swarm, 5)
    found = explained(swarm)
    assert (found.cause, found.limit, found.limit_of) == ("rate_limit", MIB // 2, "content")
    assert found.text.startswith("this content is limited to 512 KiB/s")


def test_a_limit_that_is_not_reached_does_not_decide() -> None:
    swarm = begun()
    ask(swarm, ChangeLimits(0, down=100 * MIB))
    seconds_pass(swarm, 2)
    assert explained(swarm).cause == "source"


def test_a_source_that_is_silent_and_then_left_alone() -> None:
    swarm = begun()
    ask(swarm, ChangeLimits(0, up=1), number=0)
    seconds_pass(swarm, 10)
    found = explained(swarm)
    assert (found.cause, causes(found)) == ("silent", ["silent"])
    assert found.sources[0].credit > 0
    seconds_pass(swarm, 20)
    found = explained(swarm)
    assert (found.cause, causes(found)) == ("no_source", ["resting"])
    assert found.text.startswith("1 source not asked for now, and nobody else offers")


def test_nobody_has_it_any_more() -> None:
    swarm = begun()
    swarm.world.remove(swarm.world.hosts[peer_id(0)])
    seconds_pass(swarm, 30)
    found = explained(swarm)
    assert (found.cause, found.sources) == ("no_source", [])
    assert found.text.startswith(f"nobody linked offers {found.missing} missing chunks; trackers name")


def test_peers_that_cannot_be_linked_are_named_with_the_reason() -> None:
    swarm = begun()
    host = swarm.world.hosts[peer_id(1)]
    swarm.world.remove(swarm.world.hosts[peer_id(0)])
    seconds_pass(swarm, 30)
    refused = "tcp://10.0.1.0:5000 refused this program's key: it admits only peers that its security.allow lists"
    swarm.world.feed(host, DialFailed("data", peer_id(0), refused))
    found = explained(swarm)
    assert found.text.endswith(f"trackers name 1 peer, 0 linked; {peer_id(0)[:8]}: {refused}")


def test_peers_of_which_only_one_side_encrypts_are_named_as_the_reason() -> None:
    swarm = SimulatedSwarm(SwarmScenario(0, 2 * MIB, FAST, FAST))
    swarm.add_peer(1, {"encryption": False})
    seconds_pass(swarm, 5)
    found = explained(swarm)
    assert (found.state, found.cause) == ("no_sources", "no_source")
    assert "security.encryption is false here and true at 1 peer of the swarm" in found.text


def test_a_source_that_has_nothing_more_is_no_source() -> None:
    swarm = begun()
    ask(swarm, Pause(0, CONTENT), number=0)
    seconds_pass(swarm, 2)
    found = explained(swarm)
    assert (found.cause, causes(found)) == ("no_source", ["nothing"])


def test_a_slot_is_waited_for() -> None:
    swarm = SimulatedSwarm(SwarmScenario(2, 64 * MIB, FAST, FAST, 0.002, upload_slots=1))
    ask(swarm, ChangeLimits(0, up=1), number=0)  # who has the slot gets nothing, so it has nothing to give
    seconds_pass(swarm, 4)
    (found,) = [found for found in (explained(swarm, n) for n in (1, 2)) if found.cause == "choked"]
    assert found.state == "downloading"
    assert found.text == "1 source with what is missing; no upload slot was given yet"
    (row,) = [row for row in found.sources if row.cause == "choked"]
    assert row.text.startswith("it has given no upload slot for ")


def test_a_disk_that_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    swarm = begun()
    monkeypatch.setattr(simulated, "WRITE_SECONDS", 60.0)
    seconds_pass(swarm, 3)
    found = explained(swarm)
    assert (found.cause, causes(found)) == ("credit", ["credit"])
    assert found.unwritten == found.sources[0].unwritten > MIB


def test_files_that_are_being_opened_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated, "WRITE_SECONDS", 5.0)
    swarm = SimulatedSwarm(PAIR)
    swarm.world.run(8.0, lambda: False)
    assert explained(swarm).cause == "disk"


def test_the_last_chunks_are_asked_for() -> None:
    swarm = begun()
    (download,) = swarm.nodes[peer_id(1)].downloads.active.values()
    assert swarm.world.run(30.0, lambda: not download.open_chunks)
    found = explained(swarm)
    assert (found.cause, found.free) == ("endgame", 0)
    assert found.text.startswith(f"the last {found.missing} missing chunk")


def test_downloads_of_higher_priority_come_first() -> None:
    swarm = begun(SwarmScenario(1, 64 * MIB, FAST, FAST, latency=0.002, contents=2, seed=3))
    ask(swarm, ChangeDownload(0, content_id(1), "high"))
    seconds_pass(swarm, 2)
    found = explained(swarm)
    assert (found.cause, causes(found)) == ("priority", ["priority"])
    assert found.text == "1 download of higher priority comes first"
    assert explained(swarm, content=content_id(1)).cause == "source"


def test_who_waits_for_downloads_of_higher_priority_for_long_is_queued_and_goes_on_when_its_turn_has_come() -> None:
    slow = HostRates(up=MIB)
    swarm = begun(SwarmScenario(1, 32 * MIB, slow, slow, latency=0.002, contents=2, seed=3))
    ask(swarm, ChangeDownload(0, content_id(1), "high"))
    seconds_pass(swarm, 17)
    found = explained(swarm)
    assert (found.state, found.cause) == ("queued", "priority")
    assert explained(swarm, content=content_id(1)).state == "downloading"
    ask(swarm, Pause(0, content_id(1)))
    seconds_pass(swarm, 2)
    assert explained(swarm).state == "downloading"


def test_a_seed_that_hands_out_its_chunks_one_by_one() -> None:
    swarm = begun()
    node = swarm.nodes[peer_id(1)]
    link = node.neighbours.by_peer[peer_id(0)].link
    node.handle(Received(link, Have(CONTENT, 0, b"\0" * (swarm.layout.chunks // 8), True), None, 0), swarm.world.now)
    found = explained(swarm)
    assert (found.state, found.cause, causes(found)) == ("downloading", "choked", ["withheld"])
    assert found.text.startswith("1 seed linked, handing out chunks one by one, and none for us right now; ")


def test_a_peer_of_bad_reputation_is_not_asked() -> None:
    swarm = begun()
    node = swarm.nodes[peer_id(1)]
    for _ in range(3):
        node.opinions.record(peer_id(0), CORRUPTED_DATA, CONTENT, 1)
    found = explained(swarm)
    assert (found.cause, causes(found)) == ("no_source", ["refused"])


def test_what_is_stopped_says_why() -> None:
    swarm = begun()
    ask(swarm, Pause(0, CONTENT))
    found = explained(swarm)
    assert (found.cause, found.rate, found.sources) == ("paused", 0.0, [])
    swarm = begun()
    swarm.world.feed(swarm.world.hosts[peer_id(1)], StoreFailed(CONTENT, 0, ERR_DISK_FULL, "the disk is full"))
    found = explained(swarm)
    assert (found.state, found.cause, found.rate, found.sources) == ("error", "error", 0.0, [])
    assert found.text == "it stopped: the disk is full; `shoal resume` tries again"


def test_a_seeding_content_tells_how_fast_it_goes_out_who_waits_and_which_limit_holds() -> None:
    swarm = SimulatedSwarm(SwarmScenario(2, 64 * MIB, FAST, FAST, 0.002, upload_slots=1))
    ask(swarm, ChangeLimits(0, up=MIB), number=0)
    seconds_pass(swarm, 6)
    found = explained(swarm, number=0)
    assert (found.state, found.cause, found.sources) == ("seeding", "complete", [])
    assert (found.limit, found.limit_of) == (MIB, "all")
    assert found.rate == pytest.approx(MIB, rel=0.1)
    parts = found.text.split("; ")
    assert parts[0] == "it is complete"
    assert parts[1].endswith("go to 1 peer")
    assert parts[2] == "1 of 1 upload slot in use"
    assert parts[3].startswith("1 peer without a slot: ")
    assert parts[4] == "all uploads together are limited to 1 MiB/s, and reach it"


def test_a_seeding_content_that_nobody_fetches() -> None:
    swarm = SimulatedSwarm(SwarmScenario(0, 2 * MIB, FAST, FAST))
    found = explained(swarm, number=0)
    slots = swarm.nodes[peer_id(0)].settings.upload_slots
    assert found.text == f"it is complete; nobody fetches it now; 0 of {slots} upload slots in use"
    swarm.nodes[peer_id(0)].library._damaged(CONTENT, "/sim/file is gone")
    found = explained(swarm, number=0)
    assert (found.state, found.cause) == ("error", "error")
    assert found.text == "/sim/file is gone; `shoal verify` looks again"


def test_asking_changes_nothing() -> None:
    swarm = begun()
    ask(swarm, ChangeLimits(0, CONTENT, down=MIB))
    seconds_pass(swarm, 1)
    node = swarm.nodes[peer_id(1)]
    before = node.next_deadline()
    effects = node.handle(Command((LinkId(0), 1), Explain(0, CONTENT)), swarm.world.now)
    assert [type(effect) for effect in effects] == [Reply]
    assert node.next_deadline() == before


def test_who_has_which_part_is_told_of_a_download_and_of_a_share() -> None:
    swarm = begun(SwarmScenario(2, 64 * MIB, FAST, FAST, latency=0.002, seed=3))
    seconds_pass(swarm, 1)
    told = ask(swarm, ShowPieces(0, CONTENT))
    assert isinstance(told, Pieces)
    download = swarm.nodes[peer_id(1)].downloads.active[CONTENT]
    assert sum(cell == 255 for cell in told.here) <= download.held.bit_count()
    assert {peer.peer: peer.complete for peer in told.peers} == {peer_id(0): True, peer_id(2): False}
    assert set(told.copies) == {1, 2}
    of_seed = ask(swarm, ShowPieces(0, CONTENT), number=0)
    assert isinstance(of_seed, Pieces)
    assert set(of_seed.here) == {255}
    assert [peer.peer for peer in of_seed.peers] in ([peer_id(1), peer_id(2)], [peer_id(2), peer_id(1)])
    assert min(of_seed.copies) == 0
