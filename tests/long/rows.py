"""Ten thousand lines: how soon they are there, how they scroll, and what they cost."""

from __future__ import annotations

import gzip
import hashlib
import random
import tempfile
import threading
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

from bus import events
from bus.units import format_size
from experiments.bench.records import Figure
from tests.kit.waiting import eventually
from tests.kit.web_peer import ROOT, WebPeer
from tests.long.chromium import chromium, heap_bytes, page_at, renderers
from tests.long.outcome import Outcome, at_most, private_bytes, share_of, spread

MANY: Final = 10_000
OPENINGS: Final = 7
SCROLL_SECONDS: Final = 15.0
CHANGES_EVERY: Final = 0.1
CHANGES: Final = 100
"""Lines that change each time."""
MB: Final = 10**6

# The time since the navigation began when the first lines have been drawn.
FIRST_LINES = """
new MutationObserver((_, observer) => {
    if (!document.querySelector('[role=grid] [data-key]')) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.firstLines = performance.now(); }));
}).observe(document, {subtree: true, childList: true});
"""
# Scrolls by 40 lines with every frame, back and forth; milliseconds between frames, and of long tasks.
SCROLL = """async ([seconds, step]) => {
    const grid = document.querySelector('[role=grid]');
    const frames = [], tasks = [];
    const watch = new PerformanceObserver(list => tasks.push(...list.getEntries().map(one => one.duration)));
    watch.observe({type: 'longtask'});
    const end = grid ? grid.scrollHeight - grid.clientHeight : 0;  // asking for it later would cost a layout
    let last = 0, by = step, top = 0;
    const begin = performance.now();
    await new Promise(done => {
        const draw = now => {
            if (last) frames.push(now - last);
            last = now;
            if (grid && step) {
                if (top + by < 0 || top + by > end) by = -by;
                grid.scrollTop = top += by;
            }
            if (now - begin > 1000 * seconds) done(); else requestAnimationFrame(draw);
        };
        requestAnimationFrame(draw);
    });
    watch.disconnect();
    return [frames, tasks];
}"""


class Stirrer(threading.Thread):
    """Changes lines, here and there."""

    def __init__(self, web: WebPeer) -> None:
        super().__init__(daemon=True)
        self._web, self._random = web, random.Random(1)
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(CHANGES_EVERY):
            for number in self._random.sample(range(MANY), CHANGES):
                content = hashlib.sha256(str(MANY).encode() + number.to_bytes(4)).hexdigest()
                seeds = self._random.randrange(100)
                self._web.publish(events.SwarmHasChanged(content, seeds, 1))


def rows(share: float) -> Outcome:
    """See the module's head; `share` of the time of scrolling and of the openings."""
    seconds = share * SCROLL_SECONDS
    with tempfile.TemporaryDirectory() as folder, WebPeer(Path(folder)) as web, chromium() as browser:
        web.order(f"shares {MANY}")
        eventually(lambda: web.get(f"/shares?q={MANY - 1:05}")["items"], within=30)
        paints = [first_paint(browser, web) for _ in range(max(2, round(share * OPENINGS)))]
        with page_at(browser, "about:blank") as page:
            bare, _ = page.evaluate(SCROLL, [seconds / 3, 0])
        with page_at(browser, web.page) as page:
            page.get_by_text(f"{MANY:,} items").wait_for()
            calm = scrolled(page, seconds)
            stirrer = Stirrer(web)
            stirrer.start()
            busy = scrolled(page, seconds)
            stirrer.over.set()
            stirrer.join()
            heap, private = heap_bytes(page), private_bytes(renderers(browser)[:1])
    return Outcome(
        f"{MANY:,} shares in the table; Chromium beside the gateway and a stand-in peer on one machine",
        [
            at_most("first lines drawn, middle of all openings", sorted(paints)[len(paints) // 2], 1500, "ms"),
            frames_figure("longest frame while scrolling, nothing changes", calm, bare),
            frames_figure(f"the same while {CHANGES / CHANGES_EVERY:,.0f} lines a second change", busy, bare),
            at_most("memory of the page's process", private / MB, 150, "MB"),
            at_most("JavaScript, gzipped", script_bytes() / 1000, 120, "kB"),
        ],
        [
            f"First lines drawn after the navigation began: {spread(paints, 'ms')}; each opening with nothing cached",
            f"Frames of an empty page on the same machine: {spread(bare, 'ms')}",
            f"Frames while scrolling 40 lines each, nothing changes: {spread(calm[0], 'ms')}; {tasks_told(calm[1])}",
            f"Frames while scrolling and lines change: {spread(busy[0], 'ms')}; {tasks_told(busy[1])}",
            f"Of the process's memory {format_size(heap)} are JavaScript's, its garbage collected",
        ],
    )


Frames = tuple[list[float], list[float]]


def scrolled(page: Page, seconds: float) -> Frames:
    frames, tasks = page.evaluate(SCROLL, [seconds, 1200])
    return frames, tasks


def frames_figure(what: str, frames: Frames, bare: list[float]) -> Figure:
    """No frame over 50 ms: a frame that an empty page misses too is the machine's."""
    most, machine = max(frames[0]), max(bare)
    more = f" (99%: {share_of(frames[0], 0.99):.3g}; an empty page: {machine:.3g})"
    return at_most(what, most, 50, "ms", more)


def tasks_told(tasks: list[float]) -> str:
    """What the page itself did for longer than 50 ms, waiting for a processor included."""
    return f"{len(tasks)} tasks over 50 ms, the longest {max(tasks):.0f} ms" if tasks else "no task over 50 ms"


def first_paint(browser: Browser, web: WebPeer) -> float:
    with page_at(browser, web.page, FIRST_LINES) as page:
        return float(eventually(lambda: page.evaluate("window.firstLines"), within=30))


def script_bytes() -> int:
    return sum(len(gzip.compress(file.read_bytes(), 9)) for file in (ROOT / "gateway/static/assets").glob("*.js"))
