"""Gateway and peer killed again and again under an open page: it is right soon, and nothing happens twice."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

from bus import events
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer, children_of, is_running
from tests.long.chromium import chromium, page_at
from tests.long.outcome import Outcome, at_most, share_of, spread

TIMES: Final = 20
ITEM: Final = "ac" * 32

LINES = "() => [...document.querySelectorAll('[role=grid] [data-id]')].map(e => e.dataset.id).sort()"
LIVE = "() => document.querySelector('header').textContent.includes('Live')"


def killed(share: float) -> Outcome:
    """See the module's head; `share` of the times."""
    times = max(2, round(share * TIMES))
    with tempfile.TemporaryDirectory() as folder, WebPeer(Path(folder)) as web, chromium() as browser:
        with page_at(browser, web.page) as page:
            page.evaluate("window.sameDocument = true")
            gateway = [gateway_dies(web, page, number) for number in range(times)]
            peer = [peer_dies(web, page, number) for number in range(times)]
            stayed = page.evaluate("window.sameDocument === true")
        clicks, asked = 2 * times, web.log("peer").split().count("Verify")
    assert stayed, "the page was loaded anew"
    return Outcome(
        f"Gateway and stand-in peer killed (SIGKILL) {times} times each under an open page, each time after a click",
        [
            at_most("consistent after a new gateway serves, the slowest", max(gateway), 5, "s"),
            at_most("consistent after a new peer serves, the slowest", max(peer), 5, "s"),
            at_most("actions at the peer, of those that were asked for in the page", asked, clicks, f"of {clicks}"),
        ],
        [
            f"After a gateway: {spread(gateway, 's')}",
            f"After a peer: {spread(peer, 's')}",
            f"95% of all: {share_of([*gateway, *peer], 0.95):.2f} s; the page was never loaded anew",
        ],
    )


def share_of_round(name: str) -> events.ContentShared:
    content = name.encode().hex().ljust(64, "0")
    return events.ContentShared(content, name, "file", 1, 1, 1, f"/s/{name}", False, "seeding", "", 1e9)


def press(page: Page) -> None:
    """Ask for something of the first line, just before the fall."""
    page.locator("[role=grid] [data-id]").first.click()
    page.get_by_role("group", name="With what is selected").get_by_role("button", name="Verify").click()


def consistent(web: WebPeer, page: Page, begin: float) -> float:
    """Seconds since `begin` when the page is live and has the lines that REST has, which has some."""

    def is_it() -> bool:
        ids = sorted(row["id"] for row in web.get("/shares")["items"])
        return bool(ids) and page.evaluate(LINES) == ids and bool(page.evaluate(LIVE))

    eventually(is_it, within=30, every=0.02, message=lambda: json.dumps(page.evaluate(LINES)))
    return time.monotonic() - begin


def gateway_dies(web: WebPeer, page: Page, number: int) -> float:
    if number == 0:
        web.publish(share_of_round("first"))
        consistent(web, page, 0.0)
    press(page)
    assert web.gateway is not None
    workers = children_of(web.gateway.pid)
    web.gateway.kill()
    web.gateway.wait()
    eventually(lambda: not any(map(is_running, workers)), within=10)  # they end when they see that they are alone
    web.publish(share_of_round(f"while {number}"))
    web.restart_gateway()
    return consistent(web, page, time.monotonic())


def peer_dies(web: WebPeer, page: Page, number: int) -> float:
    press(page)
    web.kill_peer()
    web.start_peer()
    web.publish(share_of_round(f"of peer {number}"))
    begin = time.monotonic()

    def new_only() -> bool:
        return [row["name"] for row in web.get("/shares")["items"]] == [f"of peer {number}"]

    eventually(new_only, within=30, every=0.02)
    return consistent(web, page, begin)
