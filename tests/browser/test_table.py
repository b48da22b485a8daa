"""The table by hand and by keyboard: selecting, menus, columns, filters, ten thousand lines; in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from bus import events
from tests.kit.swarm import Swarm
from tests.kit.table import button, line, line_named, shown_names, view
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

MANY = 10_000
HOSTILE = [
    "<script>window.broken = 1</script>",
    "<img src=x onerror='window.broken = 1'>",
    "\"><svg onload=window.broken=1>",
    "{@html '<b>x</b>'}",
    "javascript:window.broken=1",
    "invoice\u202efdp.exe",
    "a\nb\tc\x00d",
    "Z\u0351\u036b\u0343a\u0322l\u034dgo",
    "\U0001f41f" * 60,
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "x" * 255,
    "<!--", "</title>", "%00", "&lt;b&gt;", "\ufeff\u200b\u2066x",
]  # fmt: skip


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web")) as web:
        for name in ("anchovy", "bream", "cod", "dace"):
            web.publish(transfer(name))
        web.publish(shared("5a" * 32, "eel"))
        yield web


def transfer(name: str) -> events.TransferProgress:
    content = name.encode().hex().ljust(64, "0")
    path = f"/d/{name}"
    return events.TransferProgress(
        content, name, "file", 2**30, path, "stalled", 2**20, 4, 1, 0.0, -1.0, 1.0, 0, 0, [], "", "", "", 1e9, 0.0
    )


def shared(content: str, name: str) -> events.ContentShared:
    return events.ContentShared(content, name, "file", 2**20, 1, 1, f"/s/{name}", False, "seeding", "", 2e9)


def busy_seconds(page: Page) -> float:
    """Processor time of the page's main thread so far: unlike a clock, it does not tell what else the machine does."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def headings(page: Page) -> list[str]:
    return page.get_by_role("columnheader").all_inner_texts()


def selected(page: Page) -> list[str]:
    rows = page.get_by_role("grid").locator("[aria-selected=true]")
    return sorted(row.locator("[data-column=name]").inner_text() for row in rows.all())


def test_lines_are_selected_by_mouse_as_everywhere(web, open_page):
    page = open_page(web.page)
    page.get_by_role("columnheader", name="Name").get_by_role("button").click()
    line_named(page, "bream").click()
    line_named(page, "dace").click(modifiers=["Shift"])
    assert selected(page) == ["bream", "cod", "dace"]
    line_named(page, "cod").click(modifiers=["Control"])
    line_named(page, "anchovy").click(modifiers=["Control"])
    assert selected(page) == ["anchovy", "bream", "dace"]
    line_named(page, "eel").click()
    assert selected(page) == ["eel"]


def test_no_line_slides_under_a_pressed_button(web, open_page):
    page = open_page(web.page)
    page.get_by_role("columnheader", name="Name").get_by_role("button").click()
    names = shown_names(page)
    box = line_named(page, "cod").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 40, box["y"] + 10)
    page.mouse.down()
    newcomer = transfer("aal")
    web.publish(newcomer)
    expect(page.get_by_title("Whatever it is doing")).to_contain_text(str(len(names) + 1))
    assert shown_names(page) == names
    page.mouse.up()
    expect(line_named(page, "cod")).to_have_attribute("aria-selected", "true")
    eventually(lambda: shown_names(page) == ["aal", *names], within=5)
    web.publish(events.TransferRemoved(newcomer.id, data=False))
    eventually(lambda: shown_names(page) == names, within=5)


def test_lines_are_selected_by_keyboard_as_everywhere(web, open_page):
    page = open_page(web.page)
    page.get_by_role("columnheader", name="Name").get_by_role("button").click()
    grid = page.get_by_role("grid")
    grid.focus()
    keys = page.keyboard
    keys.press("ArrowDown")
    assert selected(page) == ["anchovy"]
    keys.press("Shift+ArrowDown")
    keys.press("Shift+ArrowDown")
    assert selected(page) == ["anchovy", "bream", "cod"]
    keys.press("Control+End")
    keys.press("Space")
    assert selected(page) == ["anchovy", "bream", "cod", "eel"]
    named = grid.get_attribute("aria-activedescendant")
    expect(page.locator(f"#{named}")).to_contain_text("eel")
    keys.press("Control+a")
    expect(page.get_by_text("5 selected")).to_be_visible()
    keys.press("Escape")
    assert selected(page) == []


def test_only_what_makes_sense_can_be_chosen_and_many_are_changed_at_once(web, open_page):
    page = open_page(web.page)
    page.get_by_role("radio", name="Stalled").check()
    expect(page.get_by_title("nothing is arriving from them").get_by_role("radio")).to_be_checked()
    expect(line_named(page, "eel")).to_have_count(0)
    page.get_by_role("grid").focus()
    page.keyboard.press("Control+a")
    expect(button(page, "Resume")).to_be_disabled()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+F10")
    menu = page.get_by_role("menu")
    expect(menu.get_by_role("menuitem", name="Resume")).to_be_disabled()
    expect(menu.get_by_role("menuitem", name="Remove with data")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    page.keyboard.press("Shift+F10")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(menu.get_by_role("menuitem", name="Pause (2)")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("log")).to_contain_text("2 are paused")
    expect(page.get_by_role("radio", name="Paused")).to_have_accessible_name(re.compile("2$"))
    expect(page.get_by_text("2 of 5 items")).to_be_visible()  # what was paused is no longer stalled
    page.get_by_role("radio", name="Paused").check()
    page.get_by_role("grid").focus()
    page.keyboard.press("Control+a")
    button(page, "Resume").click()
    expect(page.get_by_text("Nothing matches the filters.")).to_be_visible()
    page.get_by_role("button", name="Show everything").click()
    expect(page.get_by_text("5 items")).to_be_visible()


def test_columns_are_remembered(web, open_page):
    page = open_page(web.page)
    expect(line_named(page, "cod")).to_be_visible()
    page.get_by_role("button", name="Columns").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("checkbox", name="Seeds").uncheck()
    dialog.get_by_role("checkbox", name="Path").check()
    page.keyboard.press("Escape")
    size = page.get_by_role("columnheader", name="Size")
    size.get_by_role("button").focus()
    page.keyboard.press("Alt+ArrowRight")
    expect(page.get_by_role("columnheader").nth(2)).to_have_text("Size")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    size.drag_to(page.get_by_role("columnheader", name="Down"))
    grip = page.locator("[data-column=state] .grip").bounding_box()
    assert grip is not None
    page.mouse.move(grip["x"] + 4, grip["y"] + 4)
    page.mouse.down()
    page.mouse.move(grip["x"] + 44, grip["y"] + 4)
    page.mouse.up()

    def looks() -> tuple[object, ...]:
        widths = page.get_by_role("columnheader").evaluate_all("all => all.map(e => e.getBoundingClientRect().width)")
        return headings(page), size.get_attribute("aria-sort"), widths

    before = looks()
    names, order, widths = before
    assert isinstance(names, list)
    assert isinstance(widths, list)
    assert "Seeds" not in names
    assert "Path" in names
    assert order == "descending"
    assert dict(zip(names, widths, strict=True))["State"] == 184
    page.reload()
    expect(line_named(page, "cod")).to_be_visible()
    assert looks() == before


def test_the_sheet_of_shortcuts_and_the_filter_are_a_key_away(web, open_page):
    page = open_page(web.page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Filter the table")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    view(page, "Network")
    page.keyboard.press("/")
    expect(page.get_by_label("Filter by name or id")).to_be_focused()
    page.keyboard.type("REA")
    expect(page.get_by_text("1 of 5 items")).to_be_visible()
    assert shown_names(page) == ["bream"]
    page.keyboard.press("Escape")
    expect(page.get_by_text("5 items")).to_be_visible()
    expect(page.get_by_role("grid")).to_be_focused()


def test_what_happens_to_an_item_is_told_in_its_events(web, open_page):
    page = open_page(web.page)
    line_named(page, "dace").dblclick()
    page.get_by_role("tab", name="Events").click()
    panel = page.get_by_role("tabpanel")
    expect(panel.get_by_role("listitem")).to_have_text([re.compile("Listed: Stalled$")])
    web.publish(replace(transfer("dace"), state="no_sources"))
    expect(panel).to_contain_text("Stalled → No sources")
    web.publish(transfer("dace"))
    expect(panel.get_by_role("listitem").first).to_contain_text("No sources → Stalled")
    web.publish(events.ChunkRejected(transfer("dace").id, 7, "5a" * 32))
    newest = panel.get_by_role("listitem").first
    expect(newest).to_contain_text("5a5a5a5a sent a chunk that failed verification: number 7")
    # The gateway keeps it: a page that is opened anew tells all of it again, and goes on.
    page.reload()
    line_named(page, "dace").dblclick()
    page.get_by_role("tab", name="Events").click()
    expect(newest).to_contain_text("failed verification")
    expect(panel.get_by_role("listitem")).to_have_count(4)
    web.publish(replace(transfer("dace"), state="paused"))
    expect(newest).to_contain_text("Stalled → Paused")
    web.publish(transfer("dace"))


def test_hostile_names_are_text(tmp_path, open_page):
    with WebPeer(tmp_path) as web:
        for number, name in enumerate(HOSTILE):
            web.publish(shared(f"{number:064x}", name))
        page = open_page(web.page)
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        expect(page.get_by_text(f"{len(HOSTILE)} items")).to_be_visible()
        for number, name in enumerate(HOSTILE):
            cell = line(page, f"{number:064x}").locator("[data-column=name] bdi")
            assert cell.evaluate("e => e.textContent") == name
            line(page, f"{number:064x}").dblclick()
            assert page.get_by_role("region", name="Details").locator("h2").evaluate("e => e.textContent") == name
        heights = page.locator("[data-key]").evaluate_all("all => all.map(e => e.getBoundingClientRect().height)")
        assert set(heights) == {30}
        assert page.locator("#app :is(img, script, b)").count() == 0
        assert page.evaluate("window.broken") is None
        assert dialogs == []
        page.close()


# Scrolls from the middle by so many lines, and counts the elements that come, go or are moved for that.
MOVED = """async lines => {
    const grid = document.querySelector('[role=grid]');
    const drawn = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    grid.scrollTop = 150_000;
    await drawn();
    let moved = 0;
    const count = list => { for (const one of list) moved += one.addedNodes.length + one.removedNodes.length; };
    const watch = new MutationObserver(count);
    watch.observe(grid, {subtree: true, childList: true});
    grid.scrollTop += 30 * lines;
    await drawn();
    count(watch.takeRecords());
    watch.disconnect();
    const places = [...grid.querySelectorAll('[data-key]')].map(line => [line.id, line.getBoundingClientRect().top]);
    return [moved, places];
}"""


def test_ten_thousand_lines_are_there_at_once_and_few_are_drawn(tmp_path, open_page):
    with WebPeer(tmp_path) as web:
        web.order(f"shares {MANY}")
        eventually(lambda: len(web.get(f"/shares?q={MANY - 1:05}")["items"]) == 1, within=20)
        page = open_page(web.page)
        before = busy_seconds(page)
        page.reload()
        expect(page.get_by_text("10,000 items")).to_be_visible()
        assert busy_seconds(page) - before < 1.5
        grid = page.get_by_role("grid")
        assert 10 < page.locator("[data-key]").count() < 60
        assert grid.get_attribute("aria-rowcount") == str(MANY + 1)
        grid.focus()
        page.keyboard.press("End")
        expect(page.locator(f"#line-{MANY - 1}")).to_be_visible()
        assert page.locator("[data-key]").count() < 60
        for lines, most in ((200, 0), (-3, 12), (1, 4), (-40, 0)):
            moved, places = page.evaluate(MOVED, lines)
            assert moved <= most
            begin, top = int(places[0][0].removeprefix("line-")), places[0][1]
            assert places == [[f"line-{begin + n}", top + 30 * n] for n in range(len(places))]
            assert begin < 5000 + lines < begin + len(places)
        page.get_by_role("columnheader", name="Name").get_by_role("button").click()
        page.keyboard.press("Tab")
        grid.focus()
        page.keyboard.press("Home")
        expect(page.locator("#line-0")).to_contain_text("share 00000")
        page.get_by_label("Filter by name or id").fill("0042")
        expect(page.get_by_text(re.compile("^1[0-9] of 10,000 items"))).to_be_visible()
        page.close()


def test_a_share_is_paused_resumed_verified_and_removed_by_keyboard_alone(tmp_path, open_page):
    book = tmp_path / "book.txt"
    book.write_text("a page\n" * 5000)
    (tmp_path / "swarm").mkdir()
    with Swarm(tmp_path / "swarm", peers=("north",), gateways=True) as swarm:
        north = swarm.peer("north")
        assert north.url is not None
        assert north.token_file is not None
        swarm.cli("share", str(book), peer="north")
        page = open_page(f"{north.url}/#token={Path(north.token_file).read_text().strip()}")
        book_line = line_named(page, "book.txt")
        expect(book_line).to_contain_text("Sharing")
        keys = page.keyboard
        focused = "document.activeElement.getAttribute('role')"
        eventually(lambda: keys.press("Tab") or page.evaluate(focused) == "grid", within=10, every=0)
        keys.press("ArrowDown")
        keys.press("p")
        expect(book_line).to_contain_text("Paused")
        assert [row["state"] for row in swarm.cli("ls").data] == ["paused"]
        keys.press("r")
        expect(book_line).to_contain_text("Sharing")
        keys.press("v")
        expect(page.get_by_role("log")).to_contain_text("book.txt is being verified")
        expect(book_line).to_contain_text("Sharing")
        keys.press("Shift+Delete")  # not Shoal's to delete
        expect(page.get_by_role("dialog")).to_have_count(0)
        keys.press("Delete")
        expect(page.get_by_role("button", name="Keep it")).to_be_focused()
        keys.press("Tab")
        keys.press("Enter")
        expect(book_line).to_have_count(0)
        expect(page.get_by_role("grid")).to_be_focused()
        assert swarm.cli("ls").data == []
        assert book.exists()
        page.close()
