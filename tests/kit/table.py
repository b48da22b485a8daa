"""The page as a test reads it and acts on it: its views, the lines of its table, and the pane with their details."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from playwright.sync_api import Locator, Page

from tests.kit.waiting import eventually

TABS = ("General", "Files", "Sources", "Pieces", "Rates", "Explanation", "Events")
"""Of the pane with details."""
WIDE: Final = """() => {
    // What lies in a box that scrolls sticks out no further than the box.
    const clip = (e) => { const b = e.parentElement.closest('[role=grid], nav, [role=tablist], [role=tabpanel]');
                          return b ? b.getBoundingClientRect().right : Infinity; };
    return [...document.querySelectorAll('#app *')]
        .filter(e => Math.min(e.getBoundingClientRect().right, clip(e)) > innerWidth + 1
                     && !e.closest('.hidden-visually'))
        .map(e => e.outerHTML.slice(0, 120));
}"""
"""The elements that stick out to the right, in JavaScript."""


def view(page: Page, name: str) -> None:
    """Go to another view."""
    page.get_by_role("navigation", name="Views").get_by_role("link", name=name).click()


def line(page: Page, content: str) -> Locator:
    """The line of a content."""
    return page.get_by_role("grid").locator(f"[data-id='{content}']")


def line_named(page: Page, name: str) -> Locator:
    """The lines of contents with a name, or a part of one; not of what is still on its way to be one."""
    return page.get_by_role("grid").locator("[data-id]:not([data-id=''])").filter(has_text=name)


def button(page: Page, label: str) -> Locator:
    """What can be done with the selected lines."""
    return page.get_by_role("group", name="With what is selected").get_by_role("button", name=label, exact=True)


def select(row: Locator, press: Callable[[], None] | None = None) -> None:
    """Click a line, or `press` it; again if another one came to its place just before, as a hand would."""

    def it_took() -> bool:
        (press or row.click)()
        return row.get_attribute("aria-selected") == "true"

    eventually(it_took, within=5)


def act(page: Page, row: Locator, label: str) -> None:
    """Select one line and press a button of the toolbar."""
    select(row)
    button(page, label).click()


def details(page: Page, row: Locator, tab: str = "General") -> Locator:
    """Open the pane of one line at a tab; what the tab shows."""
    select(row, row.dblclick)
    pane = page.get_by_role("region", name="Details")
    pane.get_by_role("tab", name=tab).click()
    return pane.get_by_role("tabpanel")


def shown_names(page: Page) -> list[str]:
    """The names of the lines in the document, from above."""
    return page.get_by_role("grid").locator("[data-key] [data-column=name]").all_inner_texts()
