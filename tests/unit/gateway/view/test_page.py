"""The fold of events into a page's rows, and the frames that carry it to clients."""

from __future__ import annotations

import msgspec
import pytest

from bus import events
from bus.state import PublishedState
from gateway.view import page, rows
from gateway.view.page import Changes, PageView, PeerFacts, Snapshot

CONTENT = "c" * 64
OTHER = "d" * 64
PEER = "a" * 64


class Feed:
    """A view and the published state it follows."""

    def __init__(self) -> None:
        self.published = PublishedState()
        self.view = PageView("e1", PeerFacts("north", 1000))

    def hear(self, *heard: events.Event) -> PageView:
        for event in heard:
            self.published.apply(event)
        self.view.touch(self.published, heard)
        self.view.settle()
        self.view.check_invariants()
        return self.view


def shared(content: str = CONTENT, name: str = "a.txt", state: events.ItemState = "seeding") -> events.ContentShared:
    return events.ContentShared(content, name, "file", 10, 1, 1, f"/data/{name}", False, state, "", 1e9)


def transfer(**changes: object) -> events.TransferProgress:
    row = events.TransferProgress(
        CONTENT, "a.txt", "file", 100, "/d/a.txt", "downloading", 25, 4, 1, 5.0, 15.0, 5.0, 0, 0,
        [events.SourceRow(PEER, 25, 5.0, 4, "open")], "ff000000", "", "", 1e9, 0.0,
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def link(rate: float = 0.0, name: str = "south", peer: str = PEER) -> events.LinkProgress:
    return events.LinkProgress(peer, name, "10.0.0.1", True, rate, 2 * rate, 1, 2, "")


def opinion(score: float = 0.6) -> events.ReputationChanged:
    return events.ReputationChanged(PEER, score, [], {"SUCCESSFUL_UPLOAD": 1}, "SUCCESSFUL_UPLOAD")


def test_a_share_shows_the_swarm_that_the_tracker_counts():
    feed = Feed()
    feed.hear(shared())
    row = feed.hear(events.SwarmHasChanged(CONTENT, 3, 2)).row(rows.SHARES, CONTENT)
    assert isinstance(row, rows.ShareRow)
    assert (row.seeds, row.leechers) == (3, 2)


def test_a_share_without_a_swarm_says_unknown_and_not_zero():
    row = Feed().hear(shared()).row(rows.SHARES, CONTENT)
    assert isinstance(row, rows.ShareRow)
    assert (row.seeds, row.leechers) == (None, None)


def test_a_download_shows_progress_and_unknown_eta_as_null():
    row = Feed().hear(transfer(eta=-1.0)).row(rows.DOWNLOADS, CONTENT)
    assert isinstance(row, rows.DownloadRow)
    assert (row.progress, row.eta, row.finished) == (0.25, None, None)


def test_a_download_shows_how_it_is_fetched_and_how_near_the_optimum():
    row = Feed().hear(transfer(priority="high", sequential=True, optimum_share=0.5)).row(rows.DOWNLOADS, CONTENT)
    assert isinstance(row, rows.DownloadRow)
    assert (row.priority, row.sequential, row.optimum_share, row.optimum_seconds) == ("high", True, 0.5, None)


def test_limits_show_where_they_hold_and_go_when_they_are_cleared():
    feed = Feed()
    feed.hear(shared(), transfer(id=OTHER), events.LimitsChanged("", 7, 8))
    view = feed.hear(events.LimitsChanged(CONTENT, 1, 2), events.LimitsChanged(OTHER, 3, 4))
    found = [view.row(rows.SHARES, CONTENT), view.row(rows.DOWNLOADS, OTHER), view.row(rows.PEER, rows.SELF)]
    assert [(row.up_limit, row.down_limit) for row in found] == [(1, 2), (3, 4), (7, 8)]  # type: ignore[union-attr]
    row = feed.hear(events.LimitsCleared(CONTENT)).row(rows.SHARES, CONTENT)
    assert isinstance(row, rows.ShareRow)
    assert (row.up_limit, row.down_limit) == (0, 0)


def test_what_was_ever_uploaded_shows_at_shares_and_downloads_and_outlives_the_uploads():
    feed = Feed()
    feed.hear(shared(), transfer(id=OTHER), events.UploadProgress(CONTENT, PEER, 5, 1.0))
    feed.hear(events.ContentUploaded(CONTENT, 25), events.ContentUploaded(OTHER, 50))
    view = feed.hear(events.UploadEnded(CONTENT, PEER, 9))
    found = [view.row(rows.SHARES, CONTENT), view.row(rows.DOWNLOADS, OTHER)]
    assert [row.uploaded for row in found] == [25, 50]  # type: ignore[union-attr]


def test_an_empty_finished_download_is_complete():
    row = Feed().hear(transfer(size=0, bytes_done=0, finished=2e9)).row(rows.DOWNLOADS, CONTENT)
    assert isinstance(row, rows.DownloadRow)
    assert row.progress == 1.0


def test_times_are_utc_in_rfc_3339():
    row = Feed().hear(transfer()).row(rows.DOWNLOADS, CONTENT)
    assert b'"added":"2001-09-09T01:46:40Z"' in msgspec.json.encode(row)


def test_this_peers_rates_are_the_sums_over_its_links():
    row = Feed().hear(link(3.0), link(4.0, peer=OTHER)).row(rows.PEER, rows.SELF)
    assert isinstance(row, rows.PeerRow)
    assert (row.up_rate, row.down_rate) == (7.0, 14.0)


def test_before_the_peer_was_heard_of_the_page_shows_its_configured_name_as_stale():
    row = Feed().hear().row(rows.PEER, rows.SELF)
    assert isinstance(row, rows.PeerRow)
    assert (row.name, row.id, row.stale) == ("north", "", True)


def test_a_peer_shows_its_score_whichever_came_first():
    for order in ((link(), opinion()), (opinion(), link())):
        view = Feed().hear(*order)
        other, ranked = view.row(rows.PEERS, PEER), view.row(rows.REPUTATION, PEER)
        assert isinstance(other, rows.OtherPeerRow)
        assert isinstance(ranked, rows.ReputationRow)
        assert (other.score, ranked.name) == (0.6, "south")


def test_an_upload_ends_with_its_event():
    feed = Feed()
    feed.hear(events.UploadProgress(CONTENT, PEER, 5, 1.0))
    assert feed.hear(events.UploadEnded(CONTENT, PEER, 9)).rows_of(rows.UPLOADS) == {}


def test_a_client_with_everything_gets_nothing():
    view = Feed().hear(shared())
    assert view.frame("e1", view.seq) is None


def test_a_client_gets_only_what_changed_since():
    feed = Feed()
    seen = feed.hear(shared(), transfer()).seq
    feed.hear(shared(OTHER, "b.txt"), events.ContentWithdrawn(CONTENT, ""))
    frame = feed.view.frame("e1", seen)
    assert isinstance(frame, Changes)
    assert (frame.base, frame.seq) == (seen, feed.view.seq)
    assert {section: list(found) for section, found in frame.set.items()} == {rows.SHARES: [OTHER]}
    assert frame.remove == {rows.SHARES: [CONTENT]}


def test_many_changes_of_one_row_are_one():
    feed = Feed()
    seen = feed.hear(transfer()).seq
    for done in range(26, 90):
        feed.hear(transfer(bytes_done=done))
    frame = feed.view.frame("e1", seen)
    assert isinstance(frame, Changes)
    assert [row.bytes_done for row in frame.set[rows.DOWNLOADS].values() if isinstance(row, rows.DownloadRow)] == [89]


def test_an_event_that_changes_no_row_changes_nothing():
    feed = Feed()
    seq = feed.hear(transfer()).seq
    assert feed.hear(transfer()).seq == seq


def test_a_row_that_came_and_went_between_two_frames_is_removed():
    feed = Feed()
    seen = feed.hear(link()).seq
    feed.hear(shared())
    feed.hear(events.ContentWithdrawn(CONTENT, ""))
    frame = feed.view.frame("e1", seen)
    assert isinstance(frame, Changes)
    assert (frame.set, frame.remove) == ({}, {rows.SHARES: [CONTENT]})


@pytest.mark.parametrize(("epoch", "seen"), [("e0", 1), ("", 0), ("e1", 10**6), ("e1", -1)])
def test_a_client_of_another_epoch_or_future_gets_a_snapshot(epoch, seen):
    frame = Feed().hear(shared()).frame(epoch, seen)
    assert isinstance(frame, Snapshot)
    assert list(frame.state) == list(rows.SECTIONS)


def test_a_client_too_far_behind_gets_a_snapshot_and_one_just_in_reach_does_not(monkeypatch):
    monkeypatch.setattr(page, "MAX_REMOVED", 3)
    feed = Feed()
    contents = [f"{number:064x}" for number in range(5)]
    feed.hear(*(shared(content) for content in contents))
    before = [feed.hear(events.ContentWithdrawn(content, "")).seq - 1 for content in contents]
    assert isinstance(feed.view.frame("e1", before[1]), Snapshot)
    assert isinstance(feed.view.frame("e1", before[2]), Changes)


def test_another_state_of_the_peer_reaches_a_client_as_differences():
    feed = Feed()
    seen = feed.hear(shared(), shared(OTHER, "b.txt"), link(3.0)).seq
    restarted = PublishedState()
    restarted.apply(shared())
    feed.view.replace(restarted)
    feed.view.settle()
    frame = feed.view.frame("e1", seen)
    assert isinstance(frame, Changes)
    assert frame.remove == {rows.SHARES: [OTHER], rows.PEERS: [PEER]}
    assert list(frame.set) == [rows.PEER]  # its rates fell to nothing


def test_a_silent_peer_changes_only_its_own_row():
    feed = Feed()
    view = feed.hear(shared())
    view.set_facts(msgspec.structs.replace(view.facts, stale=False))
    view.settle()
    seen = view.seq
    view.set_facts(msgspec.structs.replace(view.facts, stale=True))
    assert view.settle()
    frame = view.frame("e1", seen)
    assert isinstance(frame, Changes)
    assert {section: list(found) for section, found in frame.set.items()} == {rows.PEER: [rows.SELF]}


def test_users_are_told_of_ends_and_errors_once_and_of_nothing_else():
    done = events.TransferCompleted(**msgspec.structs.asdict(transfer()))
    failed = events.TransferFailed(**msgspec.structs.asdict(transfer(error="no room", error_code="ERR_DISK_FULL")))
    heard = [
        transfer(), link(), shared(), done, done, transfer(), failed, failed,
        events.ContentHashed("/x", ""), events.ContentHashed("/x", "/x vanished"),
        events.ContentWithdrawn(CONTENT, "removed"),
        msgspec.structs.replace(shared(), state="error", error="chunk 3 is not what was hashed"),
    ]  # fmt: skip
    told = [(notice.level, notice.text, notice.code) for notice in Feed().view.notices(heard)]
    assert told == [
        ("success", "a.txt is complete", ""),
        ("error", "a.txt: no room", "ERR_DISK_FULL"),
        ("error", "/x vanished", ""),
        ("error", "a.txt: chunk 3 is not what was hashed", ""),
    ]
