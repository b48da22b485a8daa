"""Hand-made events become the rows they should."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bus.errors import ERR_FAILURE, ERR_UNREADABLE, ShoalError
from bus.events import (
    BY_TYPE,
    Envelope,
    PeerExpired,
    PeerRegistered,
    PeerStarted,
    PeerStopping,
    TransferCompleted,
    TransferProgress,
    TransferStarted,
)
from experiments.cast import Member
from tests.unit.experiments.hand_made import (
    CAST,
    CONTENT,
    SIZE,
    downloads,
    ended,
    envelope,
    judged,
    moved,
    refused,
    rejected,
    requests,
    sent,
    shared,
    tables_of,
)

pytest.importorskip("polars")


def rows(frame, *columns):
    return frame.select(columns).rows()


def test_a_transfer_has_one_row_with_times_since_the_first_start():
    columns = ("member", "started", "completed", "bytes", "duplicate", "rejected")
    assert rows(tables_of(downloads()).transfers, *columns) == [
        ("b", 0.0, 4.0, 1000, 10, 0),
        ("c", 0.5, 5.5, 1000, 0, 7),
        ("x", 1.0, None, 250, 0, 0),
    ]


def test_the_content_and_its_first_seed_are_known():
    assert tables_of(downloads()).contents.rows() == [(CONTENT, SIZE, 4, "s")]


def test_progress_is_every_event_up_to_completion():
    events = [*downloads(), envelope("b", 6, moved(TransferProgress, SIZE))]
    progress = tables_of(events).progress
    assert rows(progress.filter(progress["member"] == "b"), "time", "bytes", "chunks") == [
        (0.0, 0, 0), (2.0, 250, 1), (4.0, 1000, 4),
    ]  # fmt: skip


def test_the_sources_are_those_of_the_newest_record():
    assert rows(tables_of(downloads()).sources, "giver", "taker", "bytes") == [
        ("c", "b", 300), ("s", "b", 700), ("b", "c", 600), ("s", "c", 400), ("s", "x", 250),
    ]  # fmt: skip


@pytest.mark.parametrize(("added", "bytes_from_s"), [(60.0, 750), (50.0, 500)])
def test_a_new_identity_s_download_counts_beside_the_old_one_unless_it_goes_on_with_it(added, bytes_from_s):
    cast = [*CAST[:3], Member("x", ["id of x", "id of y"], "crooks", behaviour="whitewasher")]
    again = moved(TransferProgress, 500, sources=[("s", 500)], added=added)
    tables = tables_of([*downloads(), envelope("y", 5, again)], cast)
    assert rows(tables.sources.filter(tables.sources["taker"] == "x"), "giver", "bytes") == [("s", bytes_from_s)]
    assert rows(tables.transfers, "member", "bytes")[-1] == ("x", 500)


def test_a_score_is_kept_with_its_flags_and_the_identity_it_is_of():
    cast = [*CAST[:3], Member("x", ["id of x", "id of y"], "crooks")]
    events = [*downloads(), envelope("b", 1, judged("y", 0.1, ["refused", "banned"], "CORRUPTED_DATA"))]
    assert tables_of(events, cast).reputation.rows() == [
        (1.0, "b", "x", 1, 0.1, False, True, True, "CORRUPTED_DATA"),
    ]  # fmt: skip


def test_a_refusal_is_the_moment_when_a_flag_is_raised():
    events = [
        envelope("b", 1.0, judged("x", 0.4, [], "CORRUPTED_DATA")),
        envelope("b", 1.5, judged("x", 0.19, ["refused"], "CORRUPTED_DATA")),
        envelope("b", 2.0, judged("x", 0.1, ["refused", "banned"], "CORRUPTED_DATA")),
        envelope("b", 2.5, judged("x", 0.3, [], "SUCCESSFUL_UPLOAD")),
        envelope("b", 3.0, judged("x", 0.1, ["refused"], "CORRUPTED_DATA")),
        envelope("c", 3.5, refused("x", "slots")),
    ]
    refusals = tables_of([*downloads(), *events]).refusals
    assert rows(refusals, "time", "observer", "observed", "kind", "reason") == [
        (1.5, "b", "x", "refused", "CORRUPTED_DATA"),
        (2.0, "b", "x", "banned", "CORRUPTED_DATA"),
        (3.0, "b", "x", "refused", "CORRUPTED_DATA"),
        (3.5, "c", "x", "stream", "slots"),
    ]


def test_bytes_sent_go_on_counting_when_the_giver_starts_again():
    events = [
        envelope("s", 1, sent("b", 300)),
        envelope("s", 2, ended("b", 400)),
        envelope("s", 3, sent("b", 100)),
        envelope("s", 4, ended("b", 250)),
    ]
    assert tables_of([*downloads(), *events]).uploads["bytes"].to_list() == [300, 400, 500, 650]


def test_bytes_sent_to_one_under_several_identities_are_added_up():
    cast = [*CAST[:3], replace(CAST[3], ids=["id of x", "id of x2"])]
    events = [
        envelope("s", 1, sent("x", 300)),
        envelope("s", 2, sent("x2", 400)),
        envelope("s", 3, ended("x", 350)),
    ]
    assert tables_of([*downloads(), *events], cast).uploads["bytes"].to_list() == [300, 700, 750]


def test_bad_chunks_and_the_tracker_s_counters_have_their_own_tables():
    events = [envelope("c", 2, rejected("x", 3)), envelope("tracker", 1, requests(9))]
    tables = tables_of([*downloads(), *events])
    assert tables.rejected.rows() == [(2.0, "c", "x", 0, 3)]
    assert tables.tracker.rows() == [(1.0, "tracker_requests_total", 9.0), (1.0, "tracker_links", 4.0)]


def test_a_peer_s_own_counters_are_not_the_tracker_s():
    assert tables_of([*downloads(), envelope("b", 1, requests(9))]).tracker.is_empty()


def test_availability_counts_the_copies_of_those_online():
    # Just before 4: the seed, b with chunk 0 of 4 and x with chunk 0. Just before 5.5: b has all.
    # The last row is the end itself: c has all too.
    assert tables_of(downloads()).availability.rows()[-3:] == [
        (4.0, 1.0, 1.0, 3.0, 4), (5.5, 2.0, 2.0, 3.0, 4), (5.5, 3.0, 3.0, 4.0, 4),
    ]  # fmt: skip


def test_a_seed_that_comes_later_counts_from_then_on():
    cast = [*CAST, Member("late", ["id of late"], "seeds", complete=True)]
    started = PeerStarted("late", "id of late", "sim", 0.0, "", "/x")
    events = [*downloads(), envelope("late", 4.2, started), envelope("late", 4.3, shared())]
    tables = tables_of(events, cast)
    assert rows(tables.presence.filter(tables.presence["member"] == "late"), "time", "online") == [(4.2, True)]
    # Just before each time: one seed, and b with everything; who has come, and holds nothing; who holds everything.
    assert tables.availability.rows()[-4:] == [
        (4.2, 2.0, 2.0, 3.0, 4), (4.3, 2.0, 2.0, 3.0, 5), (5.5, 3.0, 3.0, 4.0, 5), (5.5, 4.0, 4.0, 5.0, 5),
    ]  # fmt: skip


def test_who_leaves_takes_its_copies_along():
    gone = PeerStopping("told to")
    lost = PeerExpired("id of s", "silent")
    events = [*downloads(), envelope("b", 4.6, gone), envelope("tracker", 4.8, lost), envelope("c", 5.8, shared())]
    tables = tables_of(events)
    assert tables.presence.rows() == [
        (-10.0, "s", True), (0.0, "b", True), (0.5, "c", True), (1.0, "x", True), (4.6, "b", False), (4.8, "s", False),
    ]  # fmt: skip
    samples = {row[0]: row[1:] for row in tables.availability.rows()}
    assert samples[5.5] == (0.0, 0.0, 1.0, 2)
    assert samples[5.8] == (1.0, 1.0, 2.0, 2)


def test_the_end_of_an_old_identity_is_not_the_end_of_its_member():
    cast = [*CAST[:3], Member("x", ["id of x", "id of y"], "crooks")]
    events = [
        *downloads(),
        envelope("tracker", 4.2, PeerRegistered("id of y", "y", "", 1)),
        envelope("tracker", 4.4, PeerExpired("id of x", "silent")),
        envelope("tracker", 4.8, PeerExpired("id of y", "silent")),
    ]
    assert tables_of(events, cast).presence.rows()[-1] == (4.8, "x", False)
    assert len(tables_of(events, cast).presence) == 5


def test_other_contents_have_rows_of_their_own_and_do_not_change_the_first():
    other = "dd" * 32
    events = [envelope("b", 3, moved(TransferStarted, content=other)), *downloads()]
    tables = tables_of(events)
    assert tables.contents["id"].to_list() == [CONTENT, other]
    assert tables.transfers.filter(tables.transfers["content"] == 0).equals(tables_of(downloads()).transfers)


def test_events_that_this_version_does_not_know_are_passed_over():
    events = [*downloads(), Envelope(1, 2, 101.0, "id of c", "transfer.levitated", {})]
    assert all(a.equals(b) for a, b in zip(tables_of(events), tables_of(downloads()), strict=True))


@pytest.mark.parametrize("events", [[], [envelope("s", 0, shared())], [envelope("s", 0, moved(TransferStarted))]])
def test_events_without_a_leecher_s_download_are_no_experiment(events):
    with pytest.raises(ShoalError, match="the events tell of no download") as raised:
        tables_of(events)
    assert raised.value.code == ERR_FAILURE


@pytest.mark.parametrize("change", [{"id": 7}, {"have": "zz"}, {"have": "ff"}])
def test_an_event_that_is_not_as_declared_is_named(change):
    data = {**downloads()[-1].data, **change}
    bad = Envelope(1, 1, 106.0, "id of b", BY_TYPE[TransferCompleted].topic, data)
    with pytest.raises(ShoalError, match=r"a recorded transfer\.completed is not as declared") as raised:
        tables_of([*downloads(), bad])
    assert raised.value.code == ERR_UNREADABLE


def test_a_recording_of_many_blocks_is_whole(monkeypatch):
    monkeypatch.setattr("experiments.tables.columns.BLOCK", 3)
    assert len(tables_of(downloads()).progress) == 7
