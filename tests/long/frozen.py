"""A tab that is frozen for ten minutes: it costs the gateway nothing, and is right at once when it wakes."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from bus import events
from experiments.bench.records import Figure
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer, children_of
from tests.long.chromium import chromium, page_at, renderers
from tests.long.outcome import Outcome, at_most, let_pass, private_bytes

SECONDS: Final = 600.0
EVENTS: Final = 200
"""Events a second meanwhile."""
AWAKE: Final = "aa" * 32
MIB: Final = 2**20

NOTE_AWAKE = """id => {
    let last = Date.now();
    window.slept = 0;
    setInterval(() => { window.slept = Math.max(window.slept, Date.now() - last); last = Date.now(); }, 20);
    const look = () => {
        if (!window.awake && document.querySelector(`[data-id="${id}"]`)) window.awake = Date.now() / 1000;
    };
    new MutationObserver(look).observe(document.body, {subtree: true, childList: true});
}"""


def frozen(share: float) -> Outcome:
    """See the module's head; `share` of the time."""
    seconds = share * SECONDS
    with tempfile.TemporaryDirectory() as folder, WebPeer(Path(folder)) as web, chromium() as browser:
        figures: list[Figure] = []
        for number, view in enumerate(("transfers", "bus")):
            figures += one_tab(browser, web, seconds, view, f"{AWAKE[:-1]}{number}")
    return Outcome(
        f"The processes that draw pages are stopped (SIGSTOP) for {seconds:.0f} s, once with the table and once with "
        f"the bus view open, while the peer publishes {EVENTS} events a second",
        figures,
    )


def one_tab(browser: Browser, web: WebPeer, seconds: float, view: str, marker: str) -> list[Figure]:
    assert web.gateway is not None
    pids = [web.gateway.pid, *children_of(web.gateway.pid)]
    with page_at(browser, web.page) as page:
        page.get_by_role("grid").wait_for()
        page.evaluate(f"location.hash = '/{view}'")
        let_pass(0.5)
        page.evaluate(NOTE_AWAKE, marker)
        drawing = renderers(browser)
        # Once before, so that what any such stream costs at all is not counted.
        web.order(f"storm {EVENTS} 5")
        let_pass(6)
        before = private_bytes(pids)
        send(drawing, signal.SIGSTOP)
        try:
            web.order(f"storm {EVENTS} {seconds + 15}")
            let_pass(seconds)
            grown = private_bytes(pids) - before
            shared = events.ContentShared(marker, "awake", "file", 1, 1, 1, "/s/a", False, "seeding", "", 1e9)
            web.publish(shared)
            eventually(lambda: any(row["id"] == marker for row in web.get("/shares")["items"]), within=10)
        finally:
            send(drawing, signal.SIGCONT)
        woken = time.time()
        if view == "transfers":
            late = eventually(lambda: page.evaluate("window.awake"), within=60) - woken
        else:
            newest = page.get_by_role("table", name="Events, newest first").get_by_role("cell").first
            clock = time.strftime("%H:%M:%S", time.localtime(woken))
            eventually(lambda: newest.inner_text() > clock, within=60, every=0.01)
            late = time.time() - woken
        assert page.evaluate("window.slept") > 1000 * seconds, "the page was not frozen"
    return [
        at_most(f"{view}: gateway's memory grew", grown / MIB, 5, "MiB"),
        at_most(f"{view}: correct after waking", late, 1, "s"),
    ]


def send(pids: list[int], number: int) -> None:
    for pid in pids:
        os.kill(pid, number)
