"""The bus view: the peer's events as they come, chosen, held still, counted and saved; in a real Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Locator, Page, expect

from bus import events
from tests.kit.table import view
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web")) as web:
        yield web


def meet(web: WebPeer, name: str) -> None:
    web.publish(events.LinkIsUp("5a" * 32, name, "tcp://10.0.0.1:1", True, 0.0, 0.0, 5, 7, ""))


def upload(web: WebPeer, number: int) -> None:
    web.publish(events.UploadProgress("f" * 64, "e" * 64, number, 1.0))


def rows(page: Page) -> Locator:
    """The events in view, without the heads."""
    return (
        page.get_by_role("table", name="Events, newest first").get_by_role("row").filter(has=page.get_by_role("cell"))
    )


def test_events_come_only_to_who_looks_and_topic_and_text_choose_among_them(web, open_page):
    page = open_page(web.page)
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))))
    page.reload()
    expect(page.get_by_role("grid")).to_be_visible()
    meet(web, "before")
    view(page, "Network")
    expect(page.get_by_role("region", name="Peers")).to_contain_text("before")
    assert not [frame for frame in frames if '"events"' in frame]
    view(page, "Bus")
    expect(rows(page).first).to_contain_text("heartbeat.peer")
    meet(web, MARKUP)
    upload(web, 4711)
    expect(rows(page).filter(has_text="link.up")).to_contain_text(MARKUP)
    expect(rows(page).filter(has_text="4711")).to_contain_text("upload.progress")
    assert page.locator("#app img").count() == 0

    page.get_by_label("Text").fill("4711")
    expect(rows(page)).to_have_count(1)
    page.get_by_label("Text").fill("")
    page.get_by_label("Topic").fill("link.")
    expect(page.get_by_text("Nothing that fits has come yet")).to_be_visible()
    upload(web, 4712)
    meet(web, "after")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text('"name":"after"')
    types = page.get_by_role("region", name="Types")
    expect(types.get_by_role("row", name="upload.progress")).to_have_text(re.compile(r"upload\.progress[\d.]+2"))
    types.get_by_role("button", name="upload.progress").click()
    expect(page.get_by_label("Topic")).to_have_value("upload.progress")

    view(page, "Transfers")
    upload(web, 4713)
    heard = len([frame for frame in frames if '"events"' in frame])
    meet(web, "unheard")
    view(page, "Network")
    expect(page.get_by_role("region", name="Peers")).to_contain_text("unheard")
    assert len([frame for frame in frames if '"events"' in frame]) <= heard + 1


def test_a_paused_or_scrolled_list_stands_still_and_shows_what_came_when_it_goes_on(web, open_page):
    page = open_page(web.page, height=600)
    view(page, "Bus")
    page.get_by_label("Topic").fill("upload.")
    upload(web, 1001)
    expect(rows(page).first).to_contain_text("1001")
    page.get_by_role("button", name="Pause").click()
    for number in range(1002, 1050):
        upload(web, number)
    newer = page.get_by_role("button", name="Show 48 newer")
    expect(newer).to_be_visible()
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Resume").click()
    expect(rows(page).first).to_contain_text("1049")
    expect(newer).to_have_count(0)
    table = page.get_by_role("table", name="Events, newest first")
    table.focus()
    page.keyboard.press("End")
    expect(rows(page).last).to_contain_text("1001")
    upload(web, 1050)
    page.get_by_role("button", name="Show 1 newer").click()
    expect(rows(page).first).to_contain_text("1050")
    expect(table).to_be_focused()


def test_gaps_and_what_was_left_out_of_a_flood_are_said_and_what_is_shown_can_be_saved(web, open_page, tmp_path):
    page = open_page(web.page)
    view(page, "Bus")
    page.get_by_label("Topic").fill("upload.")
    upload(web, 2001)
    expect(rows(page).first).to_contain_text("2001")
    # In one go: a heartbeat between them would tell of the gap first.
    lost = events.UploadProgress("f" * 64, "e" * 64, 2002, 1.0)
    web.order(f"skip upload 12 upload.progress {msgspec.json.encode(lost).decode()}")
    expect(rows(page).first).to_contain_text("12 missed")
    for kind in ("JSON", "NDJSON"):
        with page.expect_download() as saved:
            page.get_by_role("button", name=f"Save as {kind}", exact=True).click()
        file = Path(tmp_path / kind)
        saved.value.save_as(file)
        assert re.fullmatch(rf"shoal-events-[\d-]+T\d+\.{kind.lower()}", saved.value.suggested_filename)
        text = file.read_text()
        told = json.loads(text) if kind == "JSON" else [json.loads(one) for one in text.splitlines()]
        assert [(one["data"]["bytes"], one["missed"]) for one in told] == [(2001, 0), (2002, 12)]
        assert told[1]["seq"] == told[0]["seq"] + 13
    web.order("flood 5000")
    expect(page.get_by_text("left out: faster than a page can show")).to_be_visible()
    expect(rows(page).first).to_contain_text('"bytes":5000')
    total = page.get_by_role("region", name="Types").get_by_role("row", name="upload.progress")
    missed = page.locator(".sum .gap")

    def all_are_accounted_for() -> bool:
        numbers = [
            int(re.sub(r"\D", "", text)) for text in (total.locator("td").last.inner_text(), missed.inner_text())
        ]
        return sum(numbers) == 2 + 12 + 5001

    eventually(all_are_accounted_for, within=10)
