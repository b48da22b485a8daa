"""What the page makes of rows out of the ordinary, in a real Chromium before a stand-in peer."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from bus import events
from tests.kit.table import act, button, details, line, view
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web")) as web:
        yield web


def odd_transfer(name: str, state: events.ItemState, sources: list[events.SourceRow]) -> events.TransferProgress:
    failed = ("the disk is full", "ERR_DISK_FULL") if state == "error" else ("", "")
    return events.TransferProgress(
        name * 32, name, "file", 2**42, f"/d/{name}", state, 2**20, 4, 1, 0.0, -1.0, 1.0, 0, 0, sources, "", *failed,
        1e9, 0.0,
    )  # fmt: skip


def test_a_peer_without_a_newest_event_is_told_by_what_was_seen_of_it(web, open_page):
    seen = {"SUCCESSFUL_DOWNLOAD": 1, "TIMED_OUT": 1200}
    web.publish(events.ReputationChanged("a7" * 32, 0.4, ["newcomer"], seen, ""))
    page = open_page(web.page)
    view(page, "Reputation")
    expect(page.locator(f"#reputation [data-peer='{'a7' * 32}']")).to_contain_text(
        "sent nothing of a wanted chunk in time (1,200×), finished a download from us (1×)"
    )


def test_only_those_who_offer_something_count_as_sources(web, open_page):
    gone, empty, good = (events.SourceRow(f"{n}b" * 32, 5, 0.0, n, "gone" if n == 1 else "idle") for n in (1, 0, 3))
    web.publish(odd_transfer("c1", "no_sources", [gone, good]))
    web.publish(odd_transfer("c2", "downloading", [gone, empty, good]))
    page = open_page(web.page)
    expect(details(page, line(page, "c2" * 32))).to_contain_text("from 0 of 1 source")
    expect(line(page, "c1" * 32)).to_contain_text("No sources")
    without = details(page, line(page, "c1" * 32))
    expect(without).to_contain_text("Nobody who can be reached")
    expect(without).not_to_contain_text(re.compile("of . source"))


def test_what_failed_is_tried_again_or_verified(web, open_page):
    web.publish(odd_transfer("f1", "error", []))
    web.publish(odd_transfer("f2", "error", []))
    web.publish(events.ContentShared("f3" * 32, "f3", "file", 9, 1, 1, "/d/f3", False, "error", "it changed", 1e9))
    page = open_page(web.page)
    again, damaged, share = (line(page, name * 32) for name in ("f1", "f2", "f3"))
    expect(details(page, again)).to_contain_text("the disk is full ERR_DISK_FULL")
    act(page, again, "Resume")
    expect(again).to_contain_text("Downloading")
    expect(details(page, again)).not_to_contain_text("the disk is full")
    act(page, damaged, "Verify")
    expect(damaged).to_contain_text("Verifying")
    expect(button(page, "Verify")).to_be_disabled()
    expect(details(page, share)).to_contain_text("it changed")
    act(page, share, "Verify")
    expect(page.get_by_role("log")).to_contain_text("f3 is being verified")
    expect(share).to_contain_text("Sharing")
    expect(details(page, share)).not_to_contain_text("it changed")


def test_the_ratio_is_that_of_all_runs_and_stays_when_an_upload_ends(web, open_page):
    taker, share, half = "ab" * 32, "e1" * 32, odd_transfer("e2", "paused", [])
    web.publish(events.ContentShared(share, "e1", "file", 2**20, 1, 1, "/d/e1", False, "seeding", "", 1e9))
    web.publish(half)
    page = open_page(web.page)
    ratios = [line(page, content).locator("[data-column=ratio]") for content in (share, half.id)]
    for ratio in ratios:
        expect(ratio).to_have_text("0.00")
    web.publish(events.UploadProgress(share, taker, 2**19, 1000.0))
    web.publish(events.ContentUploaded(share, 5 * 2**19))
    web.publish(events.ContentUploaded(half.id, 2**18))  # of the megabyte that is here
    web.publish(events.UploadEnded(share, taker, 2**19))
    expect(ratios[0]).to_have_text("2.50")
    expect(ratios[1]).to_have_text("0.25")
    expect(details(page, line(page, share))).to_contain_text("to 0 peers, 2.5 MiB in all")


def test_a_score_is_explained_on_a_click(web, open_page):
    web.publish(events.ReputationChanged("5a" * 32, 0.51, [], {"SUCCESSFUL_UPLOAD": 3}, "SUCCESSFUL_UPLOAD"))
    page = open_page(web.page)
    view(page, "Reputation")
    page.locator(f"#reputation [data-peer='{'5a' * 32}'] button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("It sent us verified data")
    expect(dialog).to_contain_text("+0.0100 → 0.5100")
    drifts = dialog.get_by_role("listitem").filter(has_text="The score drifted back towards 0.5")
    expect(drifts).to_have_count(1)  # one of next to nothing is no news
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
