"""How the page looks and is reached: at every width, in every appearance, by keyboard; in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.kit.furnishing import MARKUP, furnish
from tests.kit.table import TABS, details, line, view
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

LAYOUTS = [(1280, 900, False), (1280, 900, True), (768, 1024, False), (390, 844, True), (320, 640, False)]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web")) as web:
        furnish(web)
        yield web


VIEWS = ("Transfers", "Network", "Reputation", "Bus", "Settings", "Search")
WIDE = """() => {
    // What lies in a box that scrolls sticks out no further than the box.
    const clip = (e) => { const b = e.parentElement.closest('[role=grid], nav, [role=tablist], [role=tabpanel]');
                          return b ? b.getBoundingClientRect().right : Infinity; };
    return [...document.querySelectorAll('#app *')]
        .filter(e => Math.min(e.getBoundingClientRect().right, clip(e)) > innerWidth + 1
                     && !e.closest('.hidden-visually'))
        .map(e => e.outerHTML.slice(0, 120));
}"""


@pytest.mark.parametrize(("width", "height", "dark"), LAYOUTS)
def test_nothing_sticks_out_at_any_width(web, open_page, width, height, dark):
    page = open_page(web.page, width, height, dark)
    expect(page.get_by_role("grid")).to_contain_text(MARKUP)
    for tab in TABS:
        details(page, line(page, "d1" * 32), tab)
        assert page.evaluate(WIDE) == []
    for name in VIEWS:
        view(page, name)
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        assert page.evaluate(WIDE) == []


def test_a_narrow_table_needs_no_scrolling_to_the_side(web, open_page):
    page = open_page(web.page, 320, 640)
    expect(page.get_by_role("grid")).to_contain_text(MARKUP)
    assert page.get_by_role("grid").evaluate("grid => grid.scrollWidth - grid.clientWidth") <= 0


def luminance(colour: str) -> float:
    red, green, blue = (float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3])
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


TEXTS_ON_GROUNDS = """() => [...document.querySelectorAll('#app *')]
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && e.checkVisibility())
  .map(e => {
    let ground = e;
    const clear = (element) => getComputedStyle(element).backgroundColor === 'rgba(0, 0, 0, 0)';
    while (ground && clear(ground)) ground = ground.parentElement;
    return [e.textContent.trim().slice(0, 40), getComputedStyle(e).color,
            getComputedStyle(ground ?? document.body).backgroundColor];
  })"""


def faint_texts(page: Page) -> list[tuple[str, str, str]]:
    """Texts below the contrast of WCAG 2.2, 1.4.3, level AA."""
    faint = []
    for text, colour, ground in page.evaluate(TEXTS_ON_GROUNDS):
        light, deep = sorted((luminance(colour), luminance(ground)), reverse=True)
        if (light + 0.05) / (deep + 0.05) < 4.5:
            faint.append((text, colour, ground))
    return faint


def test_every_text_is_readable_on_its_ground_in_high_contrast(web, open_page):
    # Of light and dark, test_axe.py.
    page = open_page(web.page)
    page.get_by_label("Appearance").select_option("High contrast")
    expect(page.get_by_role("grid")).to_contain_text(MARKUP)
    for tab in TABS:
        details(page, line(page, "d1" * 32), tab)
        assert faint_texts(page) == []
    for name in VIEWS:
        view(page, name)
        assert faint_texts(page) == []


# Arrows lead to the other headings, tabs and choices of a group, of which one is reached by Tab.
CONTROLS = """[...document.querySelectorAll('#app :is(a, button, summary, select, input, [tabindex])')].filter(e =>
    e.checkVisibility() && !e.disabled && e.tabIndex >= 0 && !(e.type === 'radio' && !e.checked)).length"""


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(web, open_page):
    page = open_page(web.page)
    expect(page.get_by_role("grid")).to_contain_text(MARKUP)
    line(page, "d1" * 32).dblclick()  # so that the buttons of the toolbar are no longer disabled
    controls = page.evaluate(CONTROLS)
    page.get_by_role("link", name="Transfers").focus()
    reached = set()
    for _ in range(controls + 5):
        page.keyboard.press("Tab")
        place = page.evaluate(
            "(() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " return e === document.body ? null : [[...document.querySelectorAll('*')].indexOf(e), s.outlineStyle] })()"
        )
        if place is not None:
            assert place[1] != "none"
            reached.add(place[0])
    assert len(reached) == controls


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


def test_who_wants_no_motion_gets_none(web, open_page):
    page = open_page(web.page, reduced_motion="reduce")
    expect(page.get_by_role("grid")).to_contain_text(MARKUP)
    moving = page.evaluate(
        "[...document.querySelectorAll('#app *')].filter(e => parseFloat(getComputedStyle(e).transitionDuration) > 0)"
        ".length"
    )
    assert moving == 0
