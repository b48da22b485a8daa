"""Gateway and peer killed again and again under an open page: it is right soon, and nothing happens twice."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

from bus import events
from bus.messages import FoundContent
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer, children_of, is_running
from tests.long.chromium import chromium, page_at
from tests.long.outcome import Outcome, at_most, share_of, spread

TIMES: Final = 20
HIGH: Final = {"width": 1280, "height": 2000}
"""Every line is in the document."""

LINES = "() => [...document.querySelectorAll('[role=grid] [data-id]')].map(e => e.dataset.id).sort()"
LIVE = "() => document.querySelector('header').textContent.includes('Live')"


def killed(share: float) -> Outcome:
    """See the module's head; `share` of the times."""
    times = max(2, round(share * TIMES))
    with tempfile.TemporaryDirectory() as folder, WebPeer(Path(folder)) as web, chromium() as browser:
        with page_at(browser, web.page) as page:
            page.set_viewport_size(HIGH)  # type: ignore[arg-type]
            page.evaluate("window.sameDocument = true")
            presses = Presses(web, page)
            gateway = [gateway_dies(web, page, presses, number) for number in range(times)]
            peer = [peer_dies(web, page, presses, number) for number in range(times)]
            stayed = page.evaluate("window.sameDocument === true")
        done = [presses.done(press) for press in presses.all]
    assert stayed, "the page was loaded anew"
    return Outcome(
        f"Gateway and stand-in peer killed (SIGKILL) {times} times each under an open page, each time after a click, "
        "by turns one that verifies a share (PATCH) and one that downloads what was found (POST)",
        [
            at_most("consistent after a new gateway serves, the slowest", max(gateway), 5, "s"),
            at_most("consistent after a new peer serves, the slowest", max(peer), 5, "s"),
            at_most("what one click asked for, done at the peer, the most often", max(done), 1, "times"),
        ],
        [
            f"After a gateway: {spread(gateway, 's')}",
            f"After a peer: {spread(peer, 's')}",
            f"95% of all: {share_of([*gateway, *peer], 0.95):.2f} s; the page was never loaded anew",
            f"Of {len(done)} clicks {sum(map(bool, done))} came to the peer before what was killed was dead; "
            "each is for an item of its own, so that one lost and one doubled do not add up to two",
        ],
    )


class Presses:
    """Clicks of a user just before the fall, each for another item."""

    def __init__(self, web: WebPeer, page: Page) -> None:
        self.all: list[tuple[str, str]] = []
        """Of each: what the peer is asked, and about which content."""
        self._web, self._page = web, page

    def press(self, line: str) -> None:
        """By turns, verify the share of this id, and download something new."""
        if len(self.all) % 2:
            self._download(f"reef {len(self.all)}")
            return
        self._page.locator(f"[role=grid] [data-id='{line}']").click()
        self.all.append(("Verify", line))
        self._page.get_by_role("group", name="With what is selected").get_by_role("button", name="Verify").click()

    def _download(self, name: str) -> None:
        content = id_of(name)
        self._web.let_find(FoundContent(content, name, "file", 2**20, 1, 0))
        search = self._page.get_by_role("searchbox")
        search.fill(name)
        search.press("Enter")
        button = self._page.get_by_role("button", name=f"Download {name}", exact=True)
        button.wait_for()
        self.all.append(("Get", content))
        button.click()

    def done(self, press: tuple[str, str]) -> int:
        """How often the peer was asked for this."""
        return self._web.log("peer").splitlines().count(" ".join(press))


def id_of(name: str) -> str:
    return name.encode().hex().ljust(64, "0")


def share_of_round(name: str) -> events.ContentShared:
    return events.ContentShared(id_of(name), name, "file", 1, 1, 1, f"/s/{name}", False, "seeding", "", 1e9)


def consistent(web: WebPeer, page: Page, begin: float) -> float:
    """Seconds since `begin` when the page is live and has the lines that REST has, which has some."""
    page.evaluate("location.hash = '/transfers'")

    def is_it() -> bool:
        ids = sorted(row["id"] for path in ("/shares", "/downloads") for row in web.get(path)["items"])
        return bool(ids) and page.evaluate(LINES) == ids and bool(page.evaluate(LIVE))

    eventually(is_it, within=30, every=0.02, message=lambda: json.dumps(page.evaluate(LINES)))
    return time.monotonic() - begin


def gateway_dies(web: WebPeer, page: Page, presses: Presses, number: int) -> float:
    if number == 0:
        web.publish(share_of_round("while -1"))
        consistent(web, page, 0.0)
    presses.press(id_of(f"while {number - 1}"))
    assert web.gateway is not None
    workers = children_of(web.gateway.pid)
    web.gateway.kill()
    for worker in workers:  # which would otherwise answer until it sees that it is alone
        os.kill(worker, signal.SIGKILL)
    web.gateway.wait()
    eventually(lambda: not any(map(is_running, workers)), within=10)
    web.publish(share_of_round(f"while {number}"))
    web.restart_gateway()
    return consistent(web, page, time.monotonic())


def peer_dies(web: WebPeer, page: Page, presses: Presses, number: int) -> float:
    if number == 0:
        web.publish(share_of_round("of peer -1"))
        consistent(web, page, 0.0)
    presses.press(id_of(f"of peer {number - 1}"))
    web.kill_peer()
    web.start_peer()
    web.publish(share_of_round(f"of peer {number}"))
    begin = time.monotonic()

    def new_only() -> bool:
        return [row["name"] for row in web.get("/shares")["items"]] == [f"of peer {number}"]

    eventually(new_only, within=30, every=0.02)
    return consistent(web, page, begin)
