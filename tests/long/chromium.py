"""A Chromium with one page, and what it says of itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.kit.browser_path import find_browser
from tests.long.outcome import private_bytes

ARGUMENTS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update",
    "--disable-features=SpareRendererForSitePerProcess",
]  # fmt: skip


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        yield browser
        browser.close()


@contextlib.contextmanager
def page_at(browser: Browser, url: str, script: str = "") -> Iterator[Page]:
    """A page of its own; the script runs before anything of the page does."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    if script:
        page.add_init_script(script)
    page.goto(url)
    yield page
    context.close()


def renderers(browser: Browser) -> list[int]:
    """Every process that draws pages, the one with the most memory first; Chromium keeps a spare one."""
    session = browser.new_browser_cdp_session()
    found: list[dict[str, Any]] = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    pids = [int(one["id"]) for one in found if one["type"] == "renderer"]
    return sorted(pids, key=lambda pid: -private_bytes([pid]))


def heap_bytes(page: Page) -> int:
    """What JavaScript keeps, after its garbage has been collected."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return int(metrics["JSHeapUsedSize"])
