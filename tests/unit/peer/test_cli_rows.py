"""What the commands show is made of the peer's state and nothing else."""

from __future__ import annotations

import msgspec

from bus.events import (
    ContentHashing,
    ContentShared,
    ContentUploaded,
    LimitsChanged,
    LinkIsLost,
    LinkIsUp,
    MetricsSample,
    PeerStarted,
    ReputationChanged,
    SourceRow,
    TrackerLost,
    TrackerReached,
    TransferProgress,
    UploadProgress,
)
from bus.state import PublishedState
from peer.cli import rows

A, B, C, P, Q = ("a" * 64, "b" * 64, "c" * 64, "1" * 64, "2" * 64)
SHARED = ContentShared(A, "iso", "file", 100, 1, 1, "/iso", False, "seeding", "", 0.0)
MOVING = TransferProgress(
    id=B, name="tree", kind="tree", size=200, path="/d/tree", state="downloading", bytes_done=50, chunks=4,
    chunks_done=1, down_rate=7.0, eta=20.0, seconds=2.0, duplicate_bytes=3, rejected_bytes=0,
    sources=[SourceRow(P, 40, 7.0, 4, "open"), SourceRow(Q, 10, 0.0, 4, "linked")], have="", error="", error_code="",
    added=0.0, finished=0.0,
)  # fmt: skip


def state(*events):
    made = PublishedState()
    for event in events:
        made.apply(event)
    return made


def test_what_is_shared_is_whole_and_its_uploads_are_summed():
    found = rows.items(state(SHARED, UploadProgress(A, P, 10, 5.0), UploadProgress(A, Q, 20, 6.0)))
    assert found == [rows.Item(A, "iso", "file", 100, 100, 1.0, "seeding", 11.0, 0.0, "", "/iso", "shared")]


def test_what_moves_has_its_progress():
    moving = rows.Item(B, "tree", "tree", 200, 50, 0.25, "downloading", 0.0, 7.0, "", "/d/tree", "downloaded")
    assert rows.items(state(MOVING)) == [moving]


def test_what_was_ever_uploaded_of_each_is_told_whether_somebody_fetches_it_or_not():
    found = rows.items(state(SHARED, MOVING, ContentUploaded(A, 250), ContentUploaded(B, 7)))
    assert [(row.id, row.uploaded, row.up_rate) for row in found] == [(A, 250, 0.0), (B, 7, 0.0)]


def test_what_came_through_the_page_is_an_upload():
    (row,) = rows.items(state(msgspec.structs.replace(SHARED, upload=True)))
    assert (row.path, row.origin) == ("/iso", "upload")


def test_a_download_that_is_also_offered_is_one_row():
    offered = msgspec.structs.replace(SHARED, id=B)
    assert [row.progress for row in rows.items(state(offered, MOVING))] == [0.25]


def test_what_is_being_hashed_is_listed_without_an_id():
    found = rows.items(state(ContentHashing("/p", "p", 30, 60, 0, 1)))
    assert found == [rows.Item("", "p", "", 60, 30, 0.5, "hashing", 0.0, 0.0, "", "/p", "shared")]


def test_what_waits_for_its_turn_to_be_hashed_is_queued():
    (found,) = rows.items(state(ContentHashing("/p", "p", 0, 0, 0, 0, waiting=True)))
    assert (found.state, found.progress) == ("queued", 0.0)


def test_an_unknown_size_is_no_progress_and_an_empty_file_can_be_complete():
    unknown = msgspec.structs.replace(MOVING, size=0, bytes_done=0)
    empty = msgspec.structs.replace(unknown, state="seeding")
    assert [rows.progress_of(one) for one in (unknown, empty)] == [0.0, 1.0]


def test_status_is_the_peer_its_trackers_and_its_rates():
    found = rows.status(
        state(
            PeerStarted("north", P, "0.1", 1000.0, "tcp://h:1", "/d"),
            TrackerReached("tcp://t:1", Q, "reached", ""),
            TrackerLost("tcp://u:1", Q, "lost", "no answer"),
            MetricsSample({"up_rate": 1.5, "down_rate": 2.5, "disk_free": 3e9}),
            LimitsChanged(P, 7, 8),
            LimitsChanged("", 5, 6),
        ),
        now=1060.0,
    )
    trackers = [rows.TrackerState("tcp://t:1", "reached", ""), rows.TrackerState("tcp://u:1", "lost", "no answer")]
    assert found == rows.Status("north", P, "0.1", 60.0, trackers, 1.5, 2.5, 3_000_000_000, "/d", rows.RateLimits(5, 6))


def test_a_state_without_its_peer_has_no_status():
    assert rows.status(state(), now=0.0) is None


def test_connected_peers_come_first_and_strangers_have_the_newcomer_s_score():
    lost = LinkIsLost(P, "south", "10.0.0.1", False, 0.0, 0.0, 5, 6, "gone")
    up = LinkIsUp(Q, "west", "10.0.0.2", True, 1.0, 2.0, 3, 4, "")
    found = rows.other_peers(state(lost, up, ReputationChanged(P, 0.9, [], {}, "")))
    assert found == [
        rows.OtherPeer(Q, "10.0.0.2", 1.0, 2.0, 3, 4, 0.5, "west", True),
        rows.OtherPeer(P, "10.0.0.1", 0.0, 0.0, 5, 6, 0.9, "south", False),
    ]


def test_scores_are_listed_best_first():
    low = ReputationChanged(P, 0.1, ["refused"], {"CORRUPTED_DATA": 1}, "CORRUPTED_DATA")
    high = ReputationChanged(Q, 0.8, [], {"SUCCESSFUL_UPLOAD": 3}, "SUCCESSFUL_UPLOAD")
    assert [(row.peer, row.score) for row in rows.scores(state(low, high))] == [(Q, 0.8), (P, 0.1)]


def test_the_account_of_a_download_names_every_source():
    done = msgspec.structs.replace(MOVING, state="seeding")
    sources = [rows.Source(P, 40), rows.Source(Q, 10)]
    assert rows.fetched(done) == rows.Fetched(B, "tree", "/d/tree", 200, 2.0, 100.0, 3, sources, None, None)


def test_a_download_that_took_no_time_has_no_rate():
    assert rows.fetched(msgspec.structs.replace(MOVING, seconds=0.0)).bytes_per_second == 0.0


def test_items_are_found_by_id():
    both = state(SHARED, MOVING)
    assert rows.shared_of(both, A) == SHARED
    assert rows.transfer_of(both, B) == MOVING
    assert rows.shared_of(both, C) is None
    assert rows.transfer_of(both, C) is None
