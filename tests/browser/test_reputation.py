"""What the user decides about other peers, on the page, in a real Chromium before a stand-in peer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from bus import events
from tests.kit.furnishing import PEER, furnish
from tests.kit.table import details, line, view
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

WORST = "0b" * 32


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web")) as web:
        furnish(web)
        web.publish(events.ReputationChanged(WORST, 0.1, ["refused"], {"CORRUPTED_DATA": 1}, "CORRUPTED_DATA"))
        yield web


def ranking(page: Page) -> Locator:
    """The lines of the ranking, from above."""
    return page.get_by_role("region", name="Reputation").locator("tbody tr")


def open_peer(page: Page, peer: str) -> Locator:
    """The dialog about a peer."""
    page.locator(f"#reputation [data-peer='{peer}'] button").click()
    return page.get_by_role("dialog")


def test_a_verdict_is_given_and_taken_back_and_only_what_changes_something_can_be_chosen(web, open_page):
    page = open_page(web.page)
    view(page, "Reputation")
    dialog = open_peer(page, WORST)
    choice = dialog.get_by_role("group", name="Your verdict").get_by_role("button")
    expect(dialog.get_by_role("button", name="Clear")).to_be_disabled()
    for label, flag in (("Trust", "trusted"), ("Block", "blocked")):
        dialog.get_by_role("button", name=label).click()
        expect(page.locator(f"#reputation [data-peer='{WORST}']")).to_contain_text(flag)
        expect(dialog.get_by_role("button", name=label)).to_be_disabled()
    expect(dialog).to_contain_text("it gets nothing from this peer")
    dialog.get_by_role("button", name="Clear").click()
    expect(page.locator(f"#reputation [data-peer='{WORST}']")).not_to_contain_text("refused")
    expect(choice).to_have_text(["Trust", "Block", "Clear", "Forget…"])


def test_forgetting_is_asked_about_first_since_it_cannot_be_undone(web, open_page):
    stranger = "0c" * 32
    web.publish(events.ReputationChanged(stranger, 0.4, [], {"TIMED_OUT": 1}, "TIMED_OUT"))
    page = open_page(web.page)
    view(page, "Reputation")
    dialog = open_peer(page, stranger)
    dialog.get_by_role("button", name="Forget…").click()
    expect(dialog).to_contain_text("cannot be undone")
    expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    dialog.get_by_role("button", name="Keep it").click()
    expect(page.locator(f"#reputation [data-peer='{stranger}']")).to_have_count(1)
    dialog.get_by_role("button", name="Forget…").click()
    dialog.get_by_role("button", name="Forget", exact=True).click()
    expect(page.locator(f"#reputation [data-peer='{stranger}']")).to_have_count(0)
    expect(page.get_by_role("log")).to_contain_text("is forgotten")


def test_a_change_made_elsewhere_arrives_in_the_ranking_and_in_the_open_dialog(web, open_page):
    page = open_page(web.page)
    view(page, "Reputation")
    dialog = open_peer(page, WORST)
    web.call("PATCH", f"/reputation/{WORST}", json={"verdict": "trusted"}).raise_for_status()
    expect(dialog).to_contain_text("You trust it")
    web.publish(events.ReputationChanged(WORST, 0.99, ["trusted"], {"SUCCESSFUL_UPLOAD": 1}, "SUCCESSFUL_UPLOAD"))
    expect(dialog.get_by_role("heading", level=2)).to_contain_text("0.99")
    page.keyboard.press("Escape")
    expect(ranking(page).first).to_have_attribute("data-peer", WORST)


def test_a_score_is_drawn_over_time_and_its_events_add_up_to_it(web, open_page):
    page = open_page(web.page)
    view(page, "Reputation")
    dialog = open_peer(page, PEER)
    drawn = dialog.get_by_role("img", name="Score over time: 0.52 at first, 0.51 now, between 0.50 and 0.52")
    expect(drawn).to_be_visible()
    sums = dialog.get_by_role("table", name="What makes its score").get_by_role("row")
    expect(sums).to_contain_text(
        ["0.5000", "+0.0200", "drifted back towards 0.52×−0.0200", "sent us verified data1×+0.0100", "0.5100"]
    )


def test_the_ranking_is_filtered_by_verdict_and_turned_round(web, open_page):
    web.publish(events.ReputationChanged("0d" * 32, 0.3, ["blocked"], {}, "BLOCKED"))
    page = open_page(web.page)
    view(page, "Reputation")
    page.get_by_label("Show").select_option(label="Blocked by you (1)")
    expect(ranking(page)).to_have_count(1)
    page.get_by_label("Show").select_option("all")
    page.get_by_role("button", name="Score").click()
    expect(ranking(page).first).to_have_attribute("data-peer", "0d" * 32)
    expect(page.get_by_role("columnheader", name="Score")).to_have_attribute("aria-sort", "ascending")


def test_a_peer_is_blocked_from_the_sources_of_a_download(web, open_page):
    page = open_page(web.page)
    details(page, line(page, "d1" * 32), "Sources").get_by_title(f"Peer {PEER}").click()
    page.get_by_role("dialog").get_by_role("button", name="Block").click()
    expect(page.get_by_role("dialog")).to_contain_text("You blocked it")
    view_of_it = web.get("/reputation?q=" + PEER)["items"]
    assert [row["verdict"] for row in view_of_it] == ["blocked"]
