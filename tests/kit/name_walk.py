"""A page walked through with names that nobody should believe: wherever it shows one, it shows it as text.

A `Walk` goes on whatever it finds, and keeps it: `ran` is what is no text any more, `broken` what looks wrong.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from playwright.sync_api import ConsoleMessage, Error, Locator, Page, expect

from tests.kit.hostile_names import BROKEN
from tests.kit.table import TABS, WIDE, line
from tests.kit.waiting import eventually

WITHIN: Final = 30.0
"""Seconds in which a peer answers."""
LINES: Final = frozenset({30, 66})
"""Heights of the table's lines, wide and narrow."""
EXPECTED: Final = "the server responded with a status of"

LISTEN: Final = """
window.reports = [];
addEventListener('securitypolicyviolation', one => window.reports.push(`${one.violatedDirective} ${one.sample}`));
"""
# What the page itself is not made of, and what it says of itself.
LOOK: Final = f"""() => ({{
    ran: {BROKEN} === undefined ? [] : ['{BROKEN} is set'],
    reports: window.reports.splice(0),
    foreign: [...document.querySelectorAll(`#app :is(script, style, link, base, meta, img, image, iframe, object, embed,
        video, audio, source, marquee, math, animate, template, noscript, plaintext, textarea, b, i,
        h1 *:not(bdi, span), [onload], [onerror], [onfocus], [onclick], [srcdoc], [href^=javascript])`)]
        .map(e => e.outerHTML.slice(0, 120)),
    heights: [...new Set([...document.querySelectorAll('[data-key]')].map(e => e.getBoundingClientRect().height))],
    turned: [...document.querySelectorAll('#app bdi')].filter(e => {{
        const anew = document.body.appendChild(document.createElement('bdi'));
        anew.textContent = e.textContent;
        const other = getComputedStyle(anew).direction !== getComputedStyle(e).direction;
        anew.remove();
        return other;
    }}).map(e => e.outerHTML.slice(0, 120)),
    over: document.documentElement.scrollWidth - innerWidth,
    title: document.title,
}})"""
# Every line of the table, by scrolling through it: its name by its id.
EVERY_LINE: Final = """async () => {
    const grid = document.querySelector('[role=grid]'), seen = {};
    const drawn = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    for (grid.scrollTop = 0;;) {
        await drawn();
        for (const line of grid.querySelectorAll('[data-id]'))
            seen[line.dataset.id] = line.querySelector('bdi').textContent;
        if (grid.scrollTop + grid.clientHeight >= grid.scrollHeight - 1) return seen;
        grid.scrollTop += grid.clientHeight / 2;
    }
}"""


class Walk:
    """One open page.

    Args:
        peer: its name, with which the title of the document ends.
        shots: where pictures of it go, if anywhere.
    """

    def __init__(self, page: Page, peer: str, shots: Path | None = None) -> None:
        self.ran: list[str] = []
        self.broken: list[str] = []
        self._page, self._peer, self._shots = page, peer, shots
        self._numbers = itertools.count()
        page.on("dialog", lambda dialog: self._dialog(dialog.dismiss, dialog.message))
        page.on("pageerror", lambda error: self.ran.append(str(error)))
        page.on("console", self._said)
        page.set_default_timeout(1000 * WITHIN / 2)
        page.add_init_script(LISTEN)
        page.reload()
        page.get_by_role("grid").wait_for()

    def picture(self, of: str) -> None:
        if self._shots is not None:
            self._page.screenshot(path=self._shots / f"{self._peer}-{next(self._numbers):03}-{of}.png")

    def look(self, where: str) -> None:
        """Note what is wrong with what the page shows now."""
        seen = self._page.evaluate(LOOK)
        self.ran += [f"{where}: {what}" for kind in ("ran", "reports", "foreign") for what in seen[kind]]
        wrong = [f"{what} sticks out" for what in self._page.evaluate(WIDE)]
        wrong += [f"lines {height} px high" for height in seen["heights"] if height not in LINES]
        wrong += [f"{what} runs the other way" for what in seen["turned"]]
        wrong += [f"{seen['over']} px wider than the window"] if seen["over"] > 0 else []
        wrong += [] if seen["title"].endswith(f"{self._peer} – Shoal") else [f"titled {seen['title']}"]
        self.broken += [f"{where}: {what}" for what in wrong]

    def table(self, names: Mapping[str, str], picture: bool = True) -> None:
        """All lines of the table, at two widths; `names` by content id."""
        for width in (390, 1280):
            self._go(f"table {width}", self._table, names, width, picture)

    def _table(self, names: Mapping[str, str], width: int, picture: bool) -> None:
        self._page.set_viewport_size({"width": width, "height": 900})
        eventually(lambda: self._page.evaluate(EVERY_LINE) == names, within=WITHIN)
        self.look(f"table {width}")
        self._page.evaluate("document.querySelector('[role=grid]').scrollTop = 0")
        for _ in range(len(names) // 10 if picture else 0):
            self.picture(f"table-{width}")
            self._page.evaluate("(g => g.scrollTop += g.clientHeight - 66)(document.querySelector('[role=grid]'))")
            self.look(f"table {width}")

    def fetch(self, content: str, name: str, picture: bool = False) -> None:
        """Search for it, look into it, download it."""
        self._go(f"fetching {name!r}", self._fetch, content, name, picture)

    def ask(self, content: str, name: str, picture: bool = False) -> None:
        """All that the details say of it, its menu, and every dialog that names it."""
        self._go(f"asking about {name!r}", self._ask, content, name, picture)

    def _go(self, what: str, step: Callable[..., None], *arguments: object) -> None:
        try:
            step(*arguments)
        except (AssertionError, Error) as error:
            self.broken.append(f"{what}: {str(error).splitlines()[0][:300]}")
            self.picture("broken")
            self._page.reload()

    def _fetch(self, content: str, name: str, picture: bool) -> None:
        page = self._page
        page.get_by_role("searchbox").fill(content[:16])
        page.get_by_role("searchbox").press("Enter")
        result = page.locator("#results li")
        self._says(result.locator("bdi"), name)
        self._seen(f"search {name!r}", picture and "search")
        result.locator("[data-result]").click()
        dialog = page.get_by_role("dialog")
        self._says(dialog.locator("h2"), name)
        expect(dialog).to_contain_text("A single file of 1 B", timeout=1000 * WITHIN)
        self._seen(f"preview {name!r}", picture and "preview")
        dialog.get_by_role("button", name="Download 1 B").click()
        expect(dialog).to_have_count(0)
        toasts = page.get_by_role("log").get_by_role("paragraph")
        eventually(lambda: any(f" {name} is complete" in text for text in toasts.all_text_contents()), within=WITHIN)
        self._seen(f"toast {name!r}", picture and "toast")

    def _ask(self, content: str, name: str, picture: bool) -> None:
        page = self._page
        page.get_by_role("link", name="Transfers").click()
        page.get_by_label("Filter by name or id").fill(content)
        row = line(page, content)
        row.dblclick()
        pane = page.get_by_role("region", name="Details")
        self._says(pane.locator("h2"), name)
        for tab in TABS:
            pane.get_by_role("tab", name=tab).click()
            expect(pane.get_by_role("tabpanel")).not_to_be_empty()
            self._seen(f"{tab} of {name!r}", picture and tab.lower())
        menu, dialog = page.get_by_role("menu"), page.get_by_role("dialog")
        row.click(button="right")
        self._seen(f"menu of {name!r}", picture and "menu")
        menu.get_by_role("menuitem", name="Speed limits").click()
        self._asked(dialog, f"Speed limits of “{name}”", picture and "limits")
        for keys, title in (("Delete", f"Remove “{name}”?"), ("Shift+Delete", f"Delete the data of “{name}”?")):
            page.get_by_role("grid").press(keys)
            self._asked(dialog, title, picture and "removal")

    def _asked(self, dialog: Locator, title: str, picture: str | bool) -> None:
        self._says(dialog.locator("h2"), title)
        self._seen(title, picture)
        self._page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)

    def _seen(self, where: str, picture: str | bool) -> None:
        self.look(where)
        if picture:
            self.picture(str(picture))

    def _says(self, element: Locator, text: str) -> None:
        """It says this to the letter, spaces and invisible ones too."""
        eventually(lambda: element.all_text_contents() == [text], within=WITHIN, message=lambda: repr(text))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and EXPECTED not in message.text:
            self.ran.append(message.text)

    def _dialog(self, dismiss: Callable[[], None], message: str) -> None:
        self.ran.append(f"a dialog: {message}")
        try:
            dismiss()
        except Error:
            return  # it is gone already
