"""The network view: who this peer is, whom it knows, and a drawing of what moves; in a real Chromium."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from bus import events
from tests.kit.table import view
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

ADA, BERTHA, CARL = "a1" * 32, "b2" * 32, "c3" * 32


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web")) as web:
        yield web


def link(peer: str, name: str, up: float, down: float) -> events.LinkProgress:
    return events.LinkProgress(peer, name, "tcp://10.0.0.1:5571", True, up, down, 2**20, 2**30, "")


def network(open_page, web: WebPeer, **options: object) -> Page:
    page: Page = open_page(web.page, **options)
    view(page, "Network")
    return page


# Once for each time that anything in the drawing changes.
WATCH = """() => {
    window.redrawn = 0;
    new MutationObserver(() => { window.redrawn += 1; }).observe(
        document.getElementById('traffic'), {subtree: true, childList: true, characterData: true, attributes: true});
}"""


def test_what_is_not_there_yet_is_said_with_what_to_do(web, open_page):
    page = network(open_page, web)
    expect(page.get_by_role("region", name="Traffic now")).to_contain_text("search for something to fetch")
    expect(page.get_by_role("region", name="Peers")).to_contain_text("Search for something and fetch it")
    expect(page.get_by_role("region", name="Trackers")).to_contain_text("Set tracker.endpoint")
    page.get_by_role("region", name="Traffic now").get_by_role("link", name="search").click()
    expect(page.get_by_role("link", name="Search", exact=True)).to_have_attribute("aria-current", "page")


def test_this_peer_its_trackers_its_peers_and_who_sends_to_whom_are_told_with_numbers(web, open_page):
    web.publish(events.TrackerLost("tcp://10.9.9.9:5570", "ab" * 32, "lost", "no answer for 10 s"))
    web.publish(link(ADA, "ada", 3000.0, 2e6))
    web.publish(events.ReputationChanged(ADA, 0.63, [], {}, ""))
    page = network(open_page, web)
    this = page.get_by_role("region", name="This peer", exact=True)
    expect(this.get_by_role("button", name="Copy this peer's id")).to_be_visible()
    for told in ("0.1.0", "tcp://127.0.0.1:0", str(web.places.download_dir), "1.9 MiB/s", "2.9 KiB/s"):
        expect(this).to_contain_text(told)
    trackers = page.get_by_role("region", name="Trackers")
    expect(trackers).to_contain_text("Not reached")
    expect(trackers).to_contain_text("no answer for 10 s")
    ada = page.locator(f"#peers [data-peer='{ADA}']")
    expect(ada).to_have_text(
        "ada a1a1a1a1 tcp://10.0.0.1:5571 Down 1.9 MiB/s Up 2.9 KiB/s Received 1.0 GiB Sent 1.0 MiB Score 0.63 "
        "Connected"
    )
    web.publish(link(ADA, "ada", 0.0, 2e6))
    web.publish(link(BERTHA, "bertha", 5e5, 1e6))
    web.publish(link(CARL, "carl", 0.0, 0.0))
    traffic = page.get_by_role("region", name="Traffic now")
    expect(traffic.get_by_role("list", name="Receiving").get_by_role("listitem")).to_have_text(
        ["ada1.9 MiB/s", "bertha977 KiB/s"]
    )
    expect(traffic.get_by_role("list", name="Sending").get_by_role("listitem")).to_have_text(["bertha488 KiB/s"])
    expect(traffic.locator("svg g")).to_have_count(3)
    expect(traffic).to_contain_text("1 linked peer moves nothing")


def changes(page: Page, during: Callable[[], None], seconds: float) -> float:
    """How often the drawing changes in a second."""
    page.evaluate(WATCH)
    begin = page.evaluate("performance.now()")

    def time_is_over() -> bool:
        during()
        return bool(page.evaluate("performance.now()") - begin > 1000 * seconds)

    eventually(time_is_over, within=10, every=0.01)
    redrawn, end = page.evaluate("[window.redrawn, performance.now()]")
    return float(1000 * redrawn / (end - begin))


def test_the_drawing_changes_four_times_a_second_at_most_and_for_who_wants_no_motion_with_its_numbers_only(
    web, open_page
):
    rates = itertools.count(1e6, 1e4)
    page = network(open_page, web)
    web.publish(link(BERTHA, "bertha", 1e6, 0.0))
    expect(page.locator("#traffic svg g")).not_to_have_count(0)
    assert 1 <= changes(page, lambda: web.publish(link(BERTHA, "bertha", next(rates), 0.0)), 2.0) <= 4.6
    page.emulate_media(reduced_motion="reduce")
    assert changes(page, lambda: web.publish(link(BERTHA, "bertha", next(rates), 0.0)), 1.0) >= 1
    web.publish(link(BERTHA, "bertha", 5e7, 0.0))
    expect(page.get_by_role("list", name="Sending")).to_contain_text("bertha47.7 MiB/s")
    assert changes(page, lambda: None, 0.8) == 0
    page.emulate_media(reduced_motion="no-preference")
    assert changes(page, lambda: None, 0.8) > 0
