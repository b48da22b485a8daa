"""Every action of the page by keyboard alone: each control is reached, seen and left again; in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect

from bus import events, messages
from tests.kit.furnishing import MARKUP, PEER, furnish
from tests.kit.table import TABS, details, line, view
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

DOWNLOAD: Final = "d1" * 32
UPLOADED: Final = "0a" * 32
"""A share that can be removed with its data."""
TREE: Final = messages.FoundContent("0c" * 32, "ocean tree", "tree", 15, 1, 0)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    folder = tmp_path_factory.mktemp("web")
    (folder / "offered" / "inside").mkdir(parents=True)
    (folder / "offered" / "a.txt").write_text("a")
    with WebPeer(folder, {"folders": [str(folder / "offered")]}) as web:
        furnish(web)
        uploaded = events.ContentShared(UPLOADED, "mine", "file", 1, 1, 1, "/u/mine", True, "seeding", "", 1e9)
        web.publish(uploaded)
        web.publish(replace(uploaded, id="0b" * 32, name="paused one", state="paused"))
        web.let_find(TREE)
        yield web


# Elements have numbers of their own, since places in the document change while things come and go.
NUMBERS = """() => {
    const numbers = new WeakMap();
    let last = 0;
    window.numberOf = e => { if (!numbers.has(e)) numbers.set(e, ++last); return numbers.get(e); };
    window.told = e => [numberOf(e), (e.ariaLabel || e.innerText || e.name || e.id || e.outerHTML).trim().slice(0, 60)];
}"""
# What can be used now. Tab passes over some of a group: arrows lead to them from the others.
CONTROLS = """scope => [...document.querySelectorAll(scope)].flatMap(part => [...part.querySelectorAll(
        'a[href], button, summary, select, input, textarea, [contenteditable], [tabindex]')])
    .filter(e => e.checkVisibility() && !e.disabled
        && (e.tabIndex >= 0 || e.matches('a, button, summary, select, input, textarea')))
    .map(e => [
        ...told(e), e.tabIndex >= 0 && !(e.type === 'radio' && !e.checked),
        e.type === 'radio' ? 'radio' : e.closest('[role=tab], [role=columnheader], [role^=menuitem]')?.role ?? '',
    ])
"""
# The focused element, and whether a ring shows where it is: around itself, or around the label that stands for it.
FOCUSED = """async () => {
    // Some move the focus with the next frame.
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    const e = document.activeElement;
    if (e === document.body) return null;
    const seen = [e, e.closest('label')].filter(Boolean).some(one => {
        const box = one.getBoundingClientRect(), style = getComputedStyle(one);
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1 && box.width > 1 && box.height > 1
            && box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight;
    });
    return [...told(e), seen];
}"""
GROUPS: Final = {"radio", "tab", "columnheader", "menuitem", "menuitemradio", "menuitemcheckbox"}
"""Whose members arrows lead to: see the tests about arrows and the menu."""
MOST_PRESSES: Final = 300
"""Thrice around the largest view, which has 80 controls."""


def opened(open_page, web: WebPeer) -> Page:
    page: Page = open_page(web.page)
    expect(page.get_by_role("grid")).to_contain_text(MARKUP)
    page.evaluate(NUMBERS)
    return page


def focused(page: Page) -> int:
    """The number of what has the focus."""
    return int(page.evaluate("numberOf(document.activeElement)"))


def walk(page: Page, scope: str, key: str = "Tab") -> None:
    """Press a key until it has been everywhere: it leads to every control there, and each is seen to have the focus."""
    controls = page.evaluate(CONTROLS, scope)
    wanted = {number: name for number, name, by_tab, _ in controls if by_tab or key != "Tab"}
    assert wanted
    reached: dict[int, str] = {}
    for presses in range(MOST_PRESSES):
        place = page.evaluate(FOCUSED)
        if place is not None:
            assert place[2] or presses == 0, f"no ring is seen around {place[1]!r}"
            reached[place[0]] = place[1]
        if wanted.keys() <= reached.keys():
            break
        page.keyboard.press(key)
    assert {name for number, name in wanted.items() if number not in reached} == set()
    passed_over = {name: kind for _, name, by_tab, kind in controls if not by_tab}
    assert set(passed_over.values()) <= GROUPS, passed_over


@pytest.mark.parametrize("name", ["Transfers", "Network", "Reputation", "Bus", "Settings"])
def test_the_keyboard_reaches_every_control_of_a_view_and_shows_where_it_is(web, open_page, name):
    page = opened(open_page, web)
    line(page, DOWNLOAD).dblclick()  # so that the details are open, and the buttons of the toolbar not disabled
    page.get_by_role("link", name="Transfers").focus()
    if name != "Transfers":
        page.get_by_role("navigation", name="Views").get_by_role("link", name=name).press("Enter")
        expect(page.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")
    page.wait_for_load_state("networkidle")
    expect(page.get_by_text("Asking…")).to_have_count(0)  # the settings come when they are asked for
    walk(page, "#app")


def test_the_keyboard_reaches_every_result_of_a_search(web, open_page):
    page = opened(open_page, web)
    page.keyboard.press("s")
    page.keyboard.type("ocean")
    page.keyboard.press("Enter")
    expect(page.locator("#results li")).to_have_count(1)
    walk(page, "#app")


def test_the_keyboard_reaches_every_control_of_the_details_and_escape_leads_back_to_the_table(web, open_page):
    page = opened(open_page, web)
    line(page, DOWNLOAD).click()
    page.keyboard.press("Enter")
    for tab in TABS:
        page.get_by_role("tablist", name="Details").locator("[tabindex='0']").focus()
        if tab != TABS[0]:
            page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name=tab)).to_be_focused()
        expect(page.get_by_role("tabpanel")).not_to_be_empty()
        page.wait_for_load_state("networkidle")
        walk(page, "[aria-label=Details]")
    page.get_by_role("tabpanel").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Details")).to_have_count(0)
    expect(page.get_by_role("grid")).to_be_focused()


PLANT = """where => {
    const planted = document.createElement(where === 'unseen' ? 'a' : 'button');
    planted.innerText = 'planted';
    if (where === 'unseen') { planted.href = '#'; planted.style.outline = 'none'; } else planted.tabIndex = -1;
    document.querySelector('header').append(planted);
}"""


@pytest.mark.parametrize("where", ["unreached", "unseen"])
def test_a_control_that_no_key_leads_to_or_whose_focus_is_not_seen_would_be_found(web, open_page, where):
    page = opened(open_page, web)
    page.evaluate(PLANT, where)
    with pytest.raises(AssertionError, match="planted"):
        walk(page, "header")


def at_line(content: str, *keys: str) -> Callable[[Page], None]:
    """Select a line and press keys in the table."""

    def press(page: Page) -> None:
        line(page, content).click()
        for key in keys:
            page.keyboard.press(key)

    return press


def at_button(name: str, *before: Callable[[Page], None]) -> Callable[[Page], None]:
    """Press a button by keyboard."""

    def press(page: Page) -> None:
        for step in before:
            step(page)
        page.get_by_role("button", name=name, exact=True).first.focus()
        page.keyboard.press("Enter")

    return press


def limits(page: Page) -> None:
    at_line(UPLOADED, "Shift+F10")(page)
    entry = page.get_by_role("menuitem", name="Speed limits")

    def it_is_there() -> bool:
        page.keyboard.press("ArrowDown")
        return bool(entry.evaluate("e => e === document.activeElement"))

    eventually(it_is_there, within=10, every=0)
    page.keyboard.press("Enter")


def preview(page: Page) -> None:
    page.keyboard.press("s")
    page.keyboard.type(TREE.id)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("2 of 2 files")


def to_reputation(page: Page) -> None:
    view(page, "Reputation")
    expect(page.locator(f"#reputation [data-peer='{PEER}'] button").first).to_be_visible()


DIALOGS: Final[dict[str, tuple[Callable[[Page], None], str]]] = {
    "the sheet of shortcuts": (at_line(DOWNLOAD, "?"), "dialog"),
    "its button": (at_button("Keyboard shortcuts"), "dialog"),
    "share something": (at_button("Share"), "[aria-label='Share something']"),
    "folders of the machine": (at_button("Browse…", at_button("Share")), "dialog"),
    "columns": (at_button("Columns"), "dialog"),
    "remove": (at_line(DOWNLOAD, "Delete"), "dialog"),
    "remove with data": (at_line(UPLOADED, "Shift+Delete"), "dialog"),
    "limits": (limits, "dialog"),
    "a look into a content": (preview, "dialog"),
    "a peer's score": (at_button(MARKUP, to_reputation), "dialog"),
    "menu": (at_line(DOWNLOAD, "Shift+F10"), "[role=menu]"),
}
"""How each is opened by keyboard, and what then holds it."""


@pytest.mark.parametrize("name", DIALOGS)
def test_what_opens_is_walked_through_closed_by_escape_and_gives_the_focus_back(web, open_page, name):
    page = opened(open_page, web)
    open_it, scope = DIALOGS[name]
    # Where the focus was: what is noted last before it goes into what has opened.
    page.evaluate(
        """scope => { document.addEventListener('focusin', one => {
        if (!one.target.closest(scope)) window.before = one.target; }); }""",
        scope,
    )
    open_it(page)
    part = page.locator(scope)
    expect(part).to_be_visible()
    opener = page.evaluate("numberOf(window.before)")
    page.wait_for_load_state("networkidle")
    walk(page, scope, "ArrowDown" if scope == "[role=menu]" else "Tab")
    if not page.evaluate("scope => !!document.activeElement.closest(scope)", scope):
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Escape")
    expect(part).to_have_count(0)
    assert focused(page) == opener
    assert page.evaluate(FOCUSED)[2]


def reached_by(page: Page, key: str, times: int, what: str) -> list[str]:
    """What of the focused element, a JavaScript expression on `e`, each press of a key leads to; never out of sight."""
    reached = []
    for _ in range(times):
        page.keyboard.press(key)
        # Some move the focus with the next frame.
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        place = page.evaluate(
            "(() => { const e = document.activeElement; const box = (e.closest('label') ?? e).getBoundingClientRect();"
            f" return [{what}, box.right > 0 && box.left < innerWidth] }})()"
        )
        assert place[1], place
        reached.append(place[0])
    return reached


def test_arrows_reach_every_heading_tab_and_choice_that_the_tab_key_passes_over(web, open_page):
    page = open_page(web.page)
    expect(page.get_by_role("grid")).to_contain_text(MARKUP)
    details(page, line(page, "d1" * 32))
    for group in ("Show", "State"):
        radios = page.get_by_role("group", name=group).get_by_role("radio")
        values = [radio.get_attribute("value") for radio in radios.all()]
        radios.first.focus()
        # Each is chosen by being reached, and from the last one it goes round.
        assert reached_by(page, "ArrowDown", len(values), "e.checked && e.value") == [*values[1:], values[0]]
        assert reached_by(page, "ArrowUp", 2, "e.checked && e.value") == [values[-1], values[-2]]
        radios.first.check()

    column = "e.closest('[role=columnheader]').dataset.column"
    headings = page.get_by_role("columnheader")
    columns = [heading.get_attribute("data-column") for heading in headings.all()]
    headings.first.get_by_role("button").focus()
    assert reached_by(page, "ArrowRight", len(columns) - 1, column) == columns[1:]
    assert reached_by(page, "ArrowLeft", len(columns) - 1, column) == columns[-2::-1]

    tabs = page.get_by_role("tablist", name="Details").get_by_role("tab")
    names = [tab.inner_text() for tab in tabs.all()]
    selected = "e.ariaSelected === 'true' && e.innerText"
    tabs.first.focus()
    assert reached_by(page, "ArrowRight", len(names), selected) == [*names[1:], names[0]]
    assert reached_by(page, "End", 1, selected) == names[-1:]
    assert reached_by(page, "ArrowLeft", len(names) - 1, selected) == names[-2::-1]
    page.keyboard.press("ArrowRight")
    assert reached_by(page, "Home", 1, selected) == names[:1]
