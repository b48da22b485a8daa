"""What the pane says of one item, as the peer tells it on request; in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from bus import events, messages
from tests.kit.table import details, line, view
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

HERRING = "c1" * 32
KIBI = 2**10


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), rate=300 * KIBI) as web:
        web.fetch(messages.FoundContent(HERRING, "herring", "tree", 2**30, 1, 1))
        yield web


def test_what_decides_the_rate_is_told_in_words_for_as_long_as_it_is_looked_at(web, open_page):
    page = open_page(web.page)
    panel = details(page, line(page, HERRING), "Explanation")
    expect(panel.get_by_role("heading")).to_have_text("The sources have given no upload slot")
    expect(panel.get_by_role("row", name="55555555")).to_contain_text("No slot yet: no slot yet")
    web.call("PATCH", f"/downloads/{HERRING}", json={"action": "pause"})
    expect(panel.get_by_role("heading")).to_have_text("It is paused")
    expect(panel.get_by_text("it is paused", exact=True)).to_be_visible()  # and not what to type in a shell
    web.call("PATCH", f"/downloads/{HERRING}", json={"action": "resume"})


def test_rates_are_drawn_over_time_of_one_item_and_of_the_peer(web, open_page):
    page = open_page(web.page)
    panel = details(page, line(page, HERRING), "Rates")
    drawn = panel.get_by_role("img", name="Rates of herring, the last 5 min.")
    expect(drawn).to_have_accessible_name(re.compile(r"Down: 300 KiB/s now, .* 300 KiB/s at most\. Up: 0 B/s now"))
    expect(panel.get_by_role("row", name="Down")).to_contain_text("300 KiB/s")
    # It goes on by itself, second by second.
    path = drawn.locator("path.down")
    before = path.get_attribute("d")
    expect(path).not_to_have_attribute("d", str(before))
    panel.get_by_label("24 h").check()
    expect(panel.get_by_role("img", name="Rates of herring, the last 24 h.")).to_be_visible()
    web.publish(events.LinkProgress("ab" * 32, "far", "10.0.0.1", True, 5 * KIBI, 0.0, 5, 0, ""))
    view(page, "Network")
    rates = page.get_by_role("region", name="Rates")
    expect(rates.get_by_role("row", name="Up")).to_contain_text("5.0 KiB/s")
    expect(rates.get_by_role("img", name="All rates of this peer together, the last 24 h.")).to_be_visible()


def test_files_tell_how_much_of_each_is_here_and_are_left_out_and_fetched_after_all(web, open_page):
    page = open_page(web.page)
    panel = details(page, line(page, HERRING), "Files")
    expect(panel.get_by_role("progressbar", name="Here of docs/read me.txt")).to_have_attribute("aria-valuenow", "50")
    expect(panel.get_by_role("row", name="Fetch all in docs")).to_be_visible()
    expect(panel.get_by_role("row", name="run")).to_contain_text("left out")
    expect(panel).to_contain_text("1 of these files is left out: 3 B less to fetch")
    panel.get_by_role("checkbox", name="Fetch run").check()
    expect(panel.get_by_role("progressbar", name="Here of run")).to_be_visible()
    expect(panel).to_contain_text("All of it is fetched")
    eventually(lambda: wanted(web) == [True, True], within=5)
    with page.expect_response("**/held?*"):
        panel.get_by_role("checkbox", name="Fetch all in docs").uncheck()
    expect(page.get_by_role("log")).to_contain_text("docs is left out: 6 B less to fetch")
    expect(panel.get_by_role("row", name="read me.txt")).to_contain_text("left out")
    expect(panel).to_contain_text("6 B of that are here, and stay")
    assert wanted(web) == [False, True]
    panel.get_by_role("button", name="Fetch all of it").click()
    expect(panel).to_contain_text("All of it is fetched")
    eventually(lambda: wanted(web) == [True, True], within=5)


def test_a_file_that_is_complete_cannot_be_left_out_and_a_refusal_is_taken_back(web, open_page):
    sole = "c4" * 32
    web.let_list(sole, [("docs/read me.txt", 6), ("gone", 3)])  # of the first all is here; the second nobody knows
    web.fetch(messages.FoundContent(sole, "sole", "tree", 2**30, 1, 1), ["run"])
    page = open_page(web.page)
    panel = details(page, line(page, sole), "Files")
    expect(panel.get_by_role("checkbox", name="Fetch docs/read me.txt")).to_be_disabled()
    expect(panel.get_by_role("checkbox", name="Fetch all in docs")).to_be_disabled()
    gone = panel.get_by_role("checkbox", name="Fetch gone")
    gone.click()
    expect(page.get_by_role("log")).to_contain_text("gone is not in sole")
    expect(gone).to_be_checked()


def wanted(web: WebPeer) -> list[bool]:
    return [row["wanted"] for row in web.get(f"/contents/{HERRING}/held")["items"]]


def test_files_and_folders_get_a_priority_and_keep_the_focus_while_answers_come(web, open_page):
    eel = "c3" * 32
    web.let_list(eel, [("docs/read me.txt", 12), ("docs/other", 3)])  # no folder decides over what the second has
    web.fetch(messages.FoundContent(eel, "eel", "tree", 2**30, 1, 1), ["run"])
    page = open_page(web.page)
    panel = details(page, line(page, eel), "Files")
    file = panel.get_by_role("combobox", name="Priority of docs/read me.txt", exact=True)
    folder = panel.get_by_role("combobox", name="Priority of all in docs", exact=True)
    expect(file).to_have_value("normal")
    expect(folder).to_have_value("normal")
    file.focus()
    with page.expect_response("**/held?*"):
        page.keyboard.type("H")  # as a closed list is chosen from
    expect(file).to_have_value("high")
    expect(folder).to_have_value("mixed")
    with page.expect_response("**/held?*"):
        pass
    expect(file).to_be_focused()
    expect(file).to_have_value("high")
    folder.select_option("Low")
    expect(file).to_have_value("low")
    eventually(lambda: web.get(f"/contents/{eel}/held")["items"][0]["priority"] == "low", within=5)
    expect(folder).to_have_value("mixed")
    folder.select_option("Normal")
    eventually(lambda: web.get(f"/contents/{eel}/held")["items"][0]["priority"] == "normal", within=5)


def test_a_priority_that_is_refused_is_taken_back_and_the_reason_is_told(web, open_page):
    # The stand-in counts what is here by place, and knows no file of this name.
    cod = "c2" * 32
    web.let_list(cod, [("gone", 12), ("run", 0)])
    web.fetch(messages.FoundContent(cod, "cod", "tree", 2**30, 1, 1))
    page = open_page(web.page)
    panel = details(page, line(page, cod), "Files")
    file = panel.get_by_role("combobox")
    expect(file).to_have_count(1)  # of what is complete nothing can come first
    file.select_option("High")
    expect(page.get_by_role("log")).to_contain_text("gone is not in cod")
    expect(file).to_have_value("normal")


def test_what_could_not_be_set_of_a_whole_download_is_taken_back(web, open_page):
    def refuse(route):
        problem = {"title": "Conflict", "status": 409, "detail": "it is complete", "code": "ERR_STATE"}
        route.fulfill(status=409, json=problem, content_type="application/problem+json")

    page = open_page(web.page)
    panel = details(page, line(page, HERRING), "General")
    page.route("**/downloads/*", refuse)
    priority = panel.get_by_label("Priority")
    priority.select_option("High")
    expect(page.get_by_role("log")).to_contain_text("it is complete")
    expect(priority).to_have_value("normal")
    order = panel.get_by_role("checkbox")
    order.click()
    expect(order).not_to_be_checked()


def test_maps_show_which_parts_are_here_and_who_has_which(web, open_page):
    page = open_page(web.page)
    panel = details(page, line(page, HERRING), "Pieces")
    expect(panel.get_by_role("img", name="Availability: 2 linked peers")).to_be_visible()
    expect(panel).to_contain_text("2 linked peers together lack something in 25.0 % of its parts")
    expect(details(page, line(page, HERRING), "Sources").get_by_role("img", name="Has all of it")).to_be_visible()
    expect(panel.get_by_role("row", name="77777777").get_by_role("img", name="Has 50.0 %")).to_be_visible()
