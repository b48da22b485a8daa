"""What can be set of one item or many: priority, order, speed limits; in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from bus import messages
from tests.kit.table import details, line, line_named
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

HERRING, SPRAT = "c1" * 32, "c2" * 32
KIBI, MEBI = 2**10, 2**20


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), rate=KIBI) as web:
        for content, name in ((HERRING, "herring"), (SPRAT, "sprat")):
            web.let_find(messages.FoundContent(content, name, "file", 2**30, 1, 1))
            # On a busy machine neither this news nor the peer itself may have arrived yet.
            eventually(partial(fetches, web, content), within=5)
        book = web.base / "book.txt"
        book.write_text("a page")
        web.call("POST", "/shares", json={"path": str(book)})
        yield web


def fetches(web: WebPeer, content: str) -> bool:
    """Whether the peer takes a download on."""
    return bool(web.call("POST", "/downloads", json={"id": content}).ok)


def menu_of(page: Page, *rows: Locator) -> Locator:
    """The context menu of these lines together."""
    rows[0].click()
    for row in rows[1:]:
        row.click(modifiers=["Control"])
    rows[-1].click(button="right")
    return page.get_by_role("menu")


def asked_of(web: WebPeer, content: str) -> tuple[object, ...]:
    row = web.get(f"/downloads/{content}")
    return row["priority"], row["sequential"], row["down_limit"], row["up_limit"]


def test_what_is_set_of_many_in_the_menu_is_set_of_each_that_it_makes_sense_for(web, open_page):
    page = open_page(web.page)
    herring, sprat, book = line(page, HERRING), line(page, SPRAT), line_named(page, "book.txt")
    menu = menu_of(page, herring, sprat, book)
    expect(menu.get_by_role("menuitemradio", name="Normal priority (2)")).to_be_checked()
    menu.get_by_role("menuitemradio", name="High priority (2)").click()
    expect(page.get_by_role("log")).to_contain_text("2 are changed")
    menu_of(page, herring).get_by_role("menuitemcheckbox", name="First to last").click()
    eventually(lambda: asked_of(web, HERRING) == ("high", True, 0, 0), within=5)
    assert asked_of(web, SPRAT) == ("high", False, 0, 0)
    menu = menu_of(page, herring, sprat)
    expect(menu.get_by_role("menuitemradio", name="High priority")).to_be_checked()
    expect(menu.get_by_role("menuitemcheckbox", name="First to last")).not_to_be_checked()
    page.keyboard.press("Escape")
    menu = menu_of(page, book)
    expect(menu.get_by_role("menuitemradio")).to_have_count(0)
    expect(menu.get_by_role("menuitem", name="Speed limits")).to_be_enabled()


def test_one_item_is_steered_from_its_general_tab(web, open_page):
    page = open_page(web.page)
    panel = details(page, line(page, SPRAT))
    panel.get_by_label("Priority").select_option("Low")
    panel.get_by_label("From first to last").check()
    eventually(lambda: asked_of(web, SPRAT)[:2] == ("low", True), within=5)
    expect(panel).to_contain_text("none of its own")
    panel.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Down", exact=True).fill("fast")
    expect(dialog).to_contain_text("Write a number")
    expect(dialog.get_by_role("button", name="Set")).to_be_disabled()
    dialog.get_by_label("Down", exact=True).fill("1,5")
    page.keyboard.press("Enter")
    expect(panel).to_contain_text("1.5 MiB/s down")
    assert asked_of(web, SPRAT)[2:] == (1.5 * MEBI, 0)


def test_what_is_chosen_for_one_item_is_not_shown_for_another(web, open_page):
    for content in (HERRING, SPRAT):
        web.call("PATCH", f"/downloads/{content}", json={"priority": "normal", "sequential": False}).raise_for_status()
    page = open_page(web.page)
    held: list[Route] = []
    page.route(f"**/api/v1/downloads/{HERRING}", lambda route: held.append(route))  # noqa: PLW0108  it takes functions alone
    panel = details(page, line(page, HERRING))
    panel.get_by_label("Priority").select_option("High")
    panel.get_by_label("From first to last").check()
    line(page, SPRAT).click()
    expect(panel.get_by_label("Priority")).to_have_value("normal")
    expect(panel.get_by_label("From first to last")).not_to_be_checked()
    for route in held:
        route.continue_()
    eventually(lambda: page.evaluate("1") and asked_of(web, HERRING)[:2] == ("high", True), within=5)
    expect(panel.get_by_label("Priority")).to_have_value("normal")
    expect(panel.get_by_label("From first to last")).not_to_be_checked()


def test_a_limit_that_many_do_not_share_stays_unless_it_is_changed(web, open_page):
    web.call("PATCH", f"/downloads/{HERRING}", json={"limits": {"down": 3 * MEBI, "up": 2 * MEBI}})
    web.call("PATCH", f"/downloads/{SPRAT}", json={"limits": {"down": 4 * MEBI, "up": 2 * MEBI}})
    page = open_page(web.page)
    menu_of(page, line(page, HERRING), line(page, SPRAT)).get_by_role("menuitem", name="Speed limits").click()
    dialog = page.get_by_role("dialog", name="Speed limits of 2 items")
    expect(dialog.get_by_label("Down", exact=True)).to_have_attribute("placeholder", "different ones")
    up = dialog.get_by_label("Up", exact=True)
    expect(up).to_have_value("2")
    up.fill("700")
    dialog.get_by_label("Unit of up").select_option("KiB/s")
    dialog.get_by_role("button", name="Set").click()
    eventually(lambda: asked_of(web, HERRING)[2:] == (3 * MEBI, 700 * KIBI), within=5)
    eventually(lambda: asked_of(web, SPRAT)[2:] == (4 * MEBI, 700 * KIBI), within=5)


def test_settings_have_columns(web, open_page):
    web.call("PATCH", f"/downloads/{HERRING}", json={"priority": "high", "limits": {"down": MEBI}})
    page = open_page(web.page)
    expect(line(page, HERRING)).to_be_visible()
    page.get_by_role("button", name="Columns").click()
    for name in ("Priority", "Down limit"):
        page.get_by_role("dialog").get_by_role("checkbox", name=re.compile(f"^{name} ")).check()
    page.keyboard.press("Escape")
    expect(line(page, HERRING).locator("[data-column=priority]")).to_have_text("High")
    expect(line(page, HERRING).locator("[data-column=downLimit]")).to_have_text("1.0 MiB/s")
