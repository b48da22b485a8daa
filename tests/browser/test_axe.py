"""axe, the checker of accessibility rules, on every view of the page in a real Chromium, light and dark."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bus import events, messages
from tests.kit.dropping import drag_over, drop
from tests.kit.furnishing import MARKUP, PEER, furnish
from tests.kit.table import TABS, act, details, line, view
from tests.kit.web_peer import ROOT, WebPeer, children_of

pytestmark = [pytest.mark.browser, pytest.mark.system]

UPLOADED = "0a" * 32
"""A share that can be removed with its data."""
AXE = ROOT / "gateway" / "web" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web")) as web:
        furnish(web)
        web.let_find(messages.FoundContent("0c" * 32, MARKUP, "file", 2**22, 3, 1))
        web.publish(events.ContentShared(UPLOADED, "mine", "file", 1, 1, 1, "/u/mine", True, "seeding", "", 1e9))
        yield web


# In the dark only colours differ.
RUN = """async ([dark, within]) => {
    const rules = dark ? {runOnly: ['color-contrast']} : {};
    const result = await axe.run(within ? document.querySelector(within) : document, rules);
    return result.violations.map(one => [one.id, one.help, ...one.nodes.map(node => node.html.slice(0, 200))]);
}"""


def violations(page: Page, within: str = "") -> list[list[str]]:
    """What axe finds in the whole page, or in a part of it."""
    found: list[list[str]] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += page.evaluate(RUN, [scheme == "dark", within])
    return found


@pytest.fixture
def checked(open_page) -> Callable[..., Page]:
    """Opens a page that axe can look at."""

    def open_it(url: str, **options: Any) -> Page:
        # Without motion no colour is on its way to another one.
        page: Page = open_page(url, reduced_motion="reduce", **options)
        page.evaluate(Path(AXE).read_text())
        return page

    return open_it


def test_axe_finds_nothing_in_the_table_and_its_details(web, checked):
    page = checked(web.page)
    expect(page.get_by_role("grid")).to_contain_text(MARKUP)
    assert violations(page) == []
    for tab in TABS:
        expect(details(page, line(page, "d1" * 32), tab)).to_be_visible()
        assert violations(page, "[aria-label=Details]") == [], tab


def test_axe_finds_nothing_in_any_other_view(web, checked):
    page = checked(web.page)
    expect(page.get_by_role("grid")).to_contain_text(MARKUP)
    names = page.get_by_role("navigation", name="Views").get_by_role("link").all_inner_texts()
    for name in names:
        if name != "Transfers":
            view(page, name)
            assert violations(page) == [], name
    page.locator("#search").fill("img")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Search results")).to_contain_text(MARKUP)
    assert violations(page) == []


def test_axe_finds_nothing_in_dialogs_menus_and_what_opens(web, checked):
    page = checked(web.page)
    row = line(page, "d1" * 32)
    row.click()
    page.get_by_role("button", name="Share", exact=True).click()
    assert violations(page, "main") == []
    row.click(button="right")
    expect(page.get_by_role("menu")).to_be_visible()
    assert violations(page, "[role=menu]") == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    for opening in ("?", "Delete"):
        page.keyboard.press(opening)
        expect(page.get_by_role("dialog")).to_be_visible()
        assert violations(page, "dialog") == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Columns").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page, "dialog") == []
    page.keyboard.press("Escape")
    view(page, "Reputation")
    page.locator("#reputation [data-peer] button").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("verified data")
    assert violations(page, "dialog") == []


def test_axe_finds_nothing_in_what_asks_about_an_item(web, checked):
    page = checked(web.page)
    row = line(page, UPLOADED)
    act(page, row, "Remove with data…")
    expect(page.get_by_role("dialog")).to_contain_text("This cannot be undone")
    assert violations(page, "dialog") == []
    page.keyboard.press("Escape")
    for content, fields in ((UPLOADED, 1), ("d1" * 32, 2)):
        line(page, content).click(button="right")
        page.get_by_role("menuitem", name="Speed limits").click()
        expect(page.get_by_role("dialog").get_by_role("textbox")).to_have_count(fields)
        assert violations(page, "dialog") == []
        page.get_by_role("dialog").get_by_role("textbox").first.fill("fast")
        assert violations(page, "dialog") == []
        page.keyboard.press("Escape")


def test_axe_finds_nothing_in_messages_and_in_what_says_drop_it_here(web, checked, tmp_path):
    page = checked(web.page)
    act(page, line(page, UPLOADED), "Verify")
    web.publish(events.ContentHashed("/x", "/x vanished while it was hashed"))
    (tmp_path / "dropped.txt").write_text("from a hand")
    drop(page, tmp_path / "dropped.txt")
    for text in ("Note mine is being verified", "Error /x vanished", "Done dropped.txt is shared"):
        expect(page.get_by_role("log")).to_contain_text(text)
    assert violations(page, "[role=log]") == []
    drag_over(page, tmp_path / "dropped.txt")
    expect(page.get_by_text("Drop to share")).to_be_visible()
    assert violations(page, ".overlay") == []


def test_axe_finds_nothing_when_the_peer_is_silent_and_then_the_gateway(tmp_path, checked):
    with WebPeer(tmp_path) as web:
        furnish(web)
        page = checked(web.page)
        expect(page.get_by_role("grid")).to_contain_text(MARKUP)
        web.kill_peer()
        expect(page.get_by_role("status")).to_contain_text("north has been silent")
        assert violations(page) == []
        assert web.gateway is not None
        (worker,) = children_of(web.gateway.pid)
        os.kill(worker, signal.SIGSTOP)
        try:
            expect(page.get_by_role("status")).to_contain_text("server has been silent")
            assert violations(page) == []
        finally:
            os.kill(worker, signal.SIGCONT)
        page.close()  # before what it would complain of


def test_axe_finds_nothing_in_a_look_into_a_content_and_in_the_folders(web, checked):
    page = checked(web.page)
    dialog = page.get_by_role("dialog")
    for content, text in (("ab" * 32, "2 of 2 files chosen"), ("0c" * 32, "A single file"), ("9" * 64, "Look again")):
        page.locator("#search").fill(content)
        page.get_by_role("button", name="Open").click()
        expect(dialog).to_contain_text(text)
        assert violations(page, "dialog") == [], text
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_role("button", name="Browse…").click()
    expect(dialog.get_by_role("listitem").first).to_be_visible()
    assert violations(page, "dialog") == []


def test_axe_finds_nothing_where_there_is_nothing_yet_on_a_phone_and_at_the_door(tmp_path, checked):
    with WebPeer(tmp_path) as web:
        page = checked(web.page, width=390, height=844)
        for name in page.get_by_role("navigation", name="Views").get_by_role("link").all_inner_texts():
            view(page, name)
            assert violations(page) == [], name
        door = checked(web.url)
        expect(door.get_by_role("heading", level=1)).to_be_visible()
        assert violations(door) == []
        page.close()  # before what it would complain of
        door.close()


def test_axe_finds_nothing_in_the_dialog_about_a_peer_and_in_the_schedule(web, checked):
    page = checked(web.page)
    view(page, "Reputation")
    page.locator(f"#reputation [data-peer='{PEER}'] button").click()
    expect(page.get_by_role("dialog").get_by_role("img")).to_be_visible()
    assert violations(page, "dialog") == []
    page.get_by_role("dialog").get_by_role("button", name="Forget…").click()
    assert violations(page, "dialog") == []
    page.keyboard.press("Escape")
    view(page, "Settings")
    page.get_by_label("Other limits at certain times").check()
    page.get_by_role("textbox", name="Upload then").fill("fast")
    assert violations(page, "#limits") == []
