"""How the page looks: at every width, in every appearance; in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.kit.furnishing import MARKUP, furnish
from tests.kit.table import TABS, WIDE, details, line, view
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

LAYOUTS = [(1280, 900, False), (1280, 900, True), (768, 1024, False), (390, 844, True), (320, 640, False)]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web")) as web:
        furnish(web)
        yield web


VIEWS = ("Transfers", "Network", "Reputation", "Bus", "Settings", "Search")


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


def test_who_wants_no_motion_gets_none(web, open_page):
    page = open_page(web.page, reduced_motion="reduce")
    expect(page.get_by_role("grid")).to_contain_text(MARKUP)
    moving = page.evaluate(
        "[...document.querySelectorAll('#app *')].filter(e => parseFloat(getComputedStyle(e).transitionDuration) > 0)"
        ".length"
    )
    assert moving == 0
