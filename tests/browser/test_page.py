"""The page in a real Chromium, before a stand-in peer that says what each test needs."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import WebSocket, expect

from bus import events, messages
from peer.core.sharelink import parse_link
from tests.kit.dropping import drag_over, drop
from tests.kit.furnishing import LONG, MARKUP, furnish
from tests.kit.table import act, details, line, line_named, view
from tests.kit.waiting import hold_for
from tests.kit.web_peer import WebPeer, children_of

pytestmark = [pytest.mark.browser, pytest.mark.system]

SLOW = messages.FoundContent("e1" * 32, "ocean temperatures", "tree", 2**36, 3, 1)
QUICK = messages.FoundContent("e2" * 32, "ocean floor.png", "file", 6 * 2**20, 1, 0)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), {"upload_max": "1 MiB"}, rate=20 * 2**20) as web:
        web.let_find(SLOW)
        web.let_find(QUICK)
        furnish(web)
        yield web


def test_the_token_leaves_the_address_bar_and_survives_a_reload(web, open_page):
    page = open_page(web.page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("north")
    assert page.url == f"{web.url}/"
    page.reload()
    expect(page.get_by_role("grid")).to_be_visible()
    assert page.evaluate("document.cookie") == ""


def test_a_browser_that_keeps_nothing_opens_the_page_too(web, open_page):
    page = open_page("about:blank")
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('off', 'SecurityError'); } })"
    )
    page.goto(web.page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("north")


def test_without_a_token_the_page_asks_for_one(web, open_page):
    page = open_page(web.url)
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("refused")
    page.get_by_label("Token").fill(web.token)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("grid")).to_be_visible()


def test_a_page_whose_token_has_been_refused_dials_no_more_until_it_has_another(web, open_page):
    page = open_page(web.page)
    expect(page.get_by_role("banner")).to_contain_text("Live")
    dialled: list[WebSocket] = []
    page.on("websocket", lambda socket: dialled.append(socket))  # noqa: PLW0108  it takes functions alone
    refusal = {"code": "ERR_TOKEN", "status": 401, "detail": "no"}
    page.route("**/api/v1/search*", lambda route: route.fulfill(status=401, json=refusal))
    page.get_by_role("searchbox").first.fill("ocean")
    page.get_by_role("searchbox").first.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("no longer valid")
    hold_for(0.6, lambda: page.evaluate("1"))
    assert dialled == []
    page.get_by_label("Token").fill(web.token)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("banner")).to_contain_text("Live")
    hold_for(0.6, lambda: page.evaluate("1"))
    assert len(dialled) == 1


def test_the_page_shows_this_peer_and_everything_it_knows(web, open_page):
    page = open_page(web.page)
    expect(page.get_by_role("banner")).to_contain_text("Live")
    expect(page.get_by_role("banner")).to_contain_text(re.compile(r"[TG]iB free"))
    expect(page).to_have_title(re.compile(r"↓ 1\.9 MiB/s .*north"))
    expect(line_named(page, "lecture notes")).to_contain_text("Sharing")
    damaged = line_named(page, LONG)
    expect(damaged).to_contain_text("Error")
    expect(damaged.get_by_title("it changed")).to_be_visible()
    expect(details(page, damaged)).to_contain_text("it changed")
    view(page, "Network")
    this = page.get_by_role("region", name="This peer", exact=True)
    expect(this).to_contain_text(str(web.places.download_dir))
    trackers = page.get_by_role("region", name="Trackers")
    expect(trackers).to_contain_text("tcp://192.168.1.10:5570")
    expect(trackers).to_contain_text("Reached")
    expect(page.get_by_role("region", name="Peers")).to_contain_text("192.168.1.12")
    expect(page.get_by_role("region", name="Uploads")).to_contain_text("lecture notes")
    view(page, "Reputation")
    expect(page.get_by_role("region", name="Reputation")).to_contain_text("0.63")


def test_names_from_others_are_text_and_nothing_else(web, open_page):
    page = open_page(web.page)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    expect(page.get_by_role("grid")).to_contain_text(MARKUP)
    assert page.locator("#app img").count() == 0
    for name, region in (("Network", "Peers"), ("Reputation", "Reputation")):
        view(page, name)
        expect(page.get_by_role("region", name=region)).to_contain_text(MARKUP)
        assert page.locator("#app img").count() == 0
    assert dialogs == []


def test_a_search_a_download_and_its_progress_to_the_end(web, open_page):
    page = open_page(web.page)
    page.keyboard.press("s")
    page.keyboard.type("ocean")
    results = page.get_by_role("region", name="Search results")
    expect(results.get_by_role("listitem")).to_have_count(2)
    expect(results).to_contain_text("3 seeds · 1 leecher")
    page.get_by_role("button", name="Download ocean floor.png").click()
    expect(results).to_contain_text("On this peer")
    expect(page.get_by_role("log")).to_contain_text("ocean floor.png is complete")
    view(page, "Transfers")
    item = line(page, QUICK.id)
    bar = item.get_by_role("progressbar", name="Progress of ocean floor.png")
    expect(bar).to_have_attribute("aria-valuenow", "100")
    expect(item).to_contain_text("100 %")
    expect(item).to_contain_text("Sharing")
    expect(details(page, item, "Pieces").get_by_role("img", name="Parts held: 6 of 6 chunks")).to_be_visible()
    expect(details(page, item, "Sources").get_by_role("row")).to_have_count(3)
    dialog = page.get_by_role("dialog")
    act(page, item, "Remove…")
    expect(dialog.get_by_role("button")).to_have_text(["Keep it", "Remove"])
    dialog.get_by_role("button", name="Keep it").click()
    act(page, item, "Remove with data…")
    expect(dialog.get_by_role("button")).to_have_text(["Keep it", "Delete 6.0 MiB"])


def test_a_download_is_paused_resumed_and_removed_with_its_data(web, open_page):
    page = open_page(web.page)
    page.get_by_role("searchbox").fill(f"shoal:{SLOW.id}?name=x")
    page.get_by_role("search").get_by_role("button", name="Open").click()
    page.get_by_role("dialog", name=SLOW.name).get_by_role("button", name="Download").click()
    item = line(page, SLOW.id)
    expect(item).to_contain_text("Downloading")
    expect(details(page, item)).to_contain_text("left")
    act(page, item, "Pause")
    expect(item).to_contain_text("Paused")
    act(page, item, "Resume")
    expect(item).to_contain_text("Downloading")
    act(page, item, "Remove…")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("what has arrived of it so far is deleted")
    expect(dialog.get_by_role("button")).to_have_text(["Keep it", "Remove"])
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_have_count(0)
    expect(item).to_be_visible()
    act(page, item, "Remove…")
    dialog.get_by_role("button", name="Remove").click()
    expect(item).to_have_count(0)


def test_files_dropped_anywhere_are_shared(web, open_page, tmp_path):
    (tmp_path / "dropped.txt").write_text("from a hand")
    folder = tmp_path / "holiday"
    (folder / "deep").mkdir(parents=True)
    (folder / "nothing").mkdir()
    (folder / "deep" / "süß & 'quoted' \"name\".txt").write_text("x")
    page = open_page(web.page)
    expect(page.get_by_role("grid")).to_be_visible()
    drag_over(page, tmp_path / "dropped.txt", folder)
    expect(page.get_by_text("Drop to share")).to_be_visible()
    drop(page, tmp_path / "dropped.txt", folder)
    expect(page.get_by_text("Drop to share")).to_have_count(0)
    expect(details(page, line_named(page, "dropped.txt"))).to_contain_text("uploaded here")
    expect(details(page, line_named(page, "holiday"))).to_contain_text("1 file")
    (uploaded,) = web.places.uploads_dir.glob("*/holiday")
    found = sorted(str(path.relative_to(uploaded)) for path in uploaded.rglob("*"))
    assert found == ["deep", "deep/süß & 'quoted' \"name\".txt", "nothing"]


def test_files_and_folders_are_shared_by_picking_them(web, open_page, tmp_path):
    folder = tmp_path / "picked folder"
    folder.mkdir()
    (folder / "inside.txt").write_text("x")
    (tmp_path / "picked.txt").write_text("y")
    page = open_page(web.page)
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_label("Files to share").set_input_files(tmp_path / "picked.txt")
    page.get_by_label("Folder to share").set_input_files(folder)
    expect(line_named(page, "picked.txt")).to_be_visible()
    expect(line_named(page, "picked folder")).to_be_visible()


def test_a_path_is_shared_and_withdrawn_and_a_wrong_one_is_explained(web, open_page, tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    page = open_page(web.page)
    page.get_by_role("button", name="Share", exact=True).click()
    path = page.get_by_label("Path of a file or folder on this peer's machine")
    path.fill(str(tmp_path / "missing"))
    page.get_by_role("button", name="Share path").click()
    expect(page.get_by_role("log")).to_contain_text("cannot be read ERR_UNREADABLE")
    expect(path).to_have_value(str(tmp_path / "missing"))
    path.fill(str(tmp_path / "thesis.txt"))
    page.get_by_role("button", name="Share path").click()
    row = line_named(page, "thesis.txt")
    expect(row).to_be_visible()
    act(page, row, "Remove…")
    expect(page.get_by_role("dialog")).to_contain_text(f"its files stay at {tmp_path / 'thesis.txt'}")
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)
    assert (tmp_path / "thesis.txt").exists()


def test_a_link_to_a_share_is_copied_with_the_trackers_that_others_can_reach(web, open_page):
    web.publish(events.TrackerReached("tcp://127.0.0.1:5570", "cd" * 32, "reached", ""))
    page = open_page(web.page, permissions=["clipboard-read", "clipboard-write"])
    line_named(page, "lecture notes").click(button="right")
    page.get_by_role("menuitem", name="Copy the link").click()
    expect(page.get_by_role("log")).to_contain_text("Copied the link to lecture notes")
    link = parse_link(page.evaluate("navigator.clipboard.readText()"))
    assert (link.content, link.name) == (f"{0:064x}", "lecture notes")
    assert [(hint.endpoint, hint.key) for hint in link.trackers] == [("tcp://192.168.1.10:5570", "ab" * 32)]


def test_an_upload_that_is_too_long_is_refused_before_it_is_sent(web, open_page, tmp_path):
    (tmp_path / "huge.bin").write_bytes(bytes(2 * 2**20))
    page = open_page(web.page)
    expect(page.get_by_role("grid")).to_be_visible()
    drop(page, tmp_path / "huge.bin")
    expect(page.get_by_role("log")).to_contain_text("takes uploads of up to 1.0 MiB")


def test_the_page_follows_without_a_reload(web, open_page):
    page = open_page(web.page)
    expect(page.get_by_role("grid")).to_be_visible()
    page.evaluate("window.unloaded = false")
    view(page, "Reputation")
    web.publish(events.ReputationChanged("b" * 64, 0.97, [], {}, ""))
    expect(page.get_by_role("region", name="Reputation").locator("tbody tr").first).to_contain_text("0.97")
    assert page.evaluate("window.unloaded") is False


def test_a_silent_peer_and_a_lost_server_are_said_and_the_page_recovers(tmp_path, open_page):
    with WebPeer(tmp_path) as web:
        page = open_page(web.page, trusted=False)  # a browser itself reports a connection that is lost
        expect(page.get_by_role("banner")).to_contain_text("Live")
        view(page, "Reputation")
        web.kill_peer()
        expect(page.get_by_role("status")).to_contain_text("has been silent")
        expect(page.get_by_role("banner")).to_contain_text("Peer silent")
        web.start_peer()
        expect(page.get_by_role("banner")).to_contain_text("Live")
        expect(page.get_by_role("status")).to_be_empty()
        page.evaluate("window.loaded = 'once'")
        assert web.gateway is not None
        os.kill(web.gateway.pid, signal.SIGSTOP)
        (worker,) = children_of(web.gateway.pid)
        os.kill(worker, signal.SIGKILL)  # nobody starts another one as long as its parent stands still
        expect(page.get_by_role("status")).to_contain_text("lost its server")
        expect(page.get_by_role("banner")).to_contain_text("Disconnected")
        web.restart_gateway()
        web.publish(events.ReputationChanged("b" * 64, 0.97, [], {}, ""))
        expect(page.get_by_role("banner")).to_contain_text("Live")
        expect(page.get_by_role("region", name="Reputation")).to_contain_text("0.97")
        assert page.evaluate("window.loaded") == "once"
