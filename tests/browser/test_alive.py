"""A page that is cut off from its server or its peer: it says so within three seconds, by its own clock."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bus import events
from tests.kit.relay import Relay
from tests.kit.table import line_named
from tests.kit.waiting import eventually, hold_for
from tests.kit.web_peer import WebPeer, children_of

pytestmark = [pytest.mark.browser, pytest.mark.system]

WITHIN = 3.0
"""Seconds."""

# Notes when the banner says something and the colours have gone, and each of the two that comes without the other.
WATCH = """() => {
    window.sameDocument = true;
    window.marked = null;
    const look = () => {
        const said = document.querySelector('[role=status]').textContent.trim() !== '';
        const grey = getComputedStyle(document.querySelector('main')).filter !== 'none';
        if (said && grey) window.marked ??= performance.now();
        else window.marked = null;
    };
    new MutationObserver(look).observe(document.body, {
        subtree: true, childList: true, characterData: true, attributes: true,
    });
}"""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebPeer]:
    with WebPeer(tmp_path) as web:
        yield web


def watched(open_page, url: str) -> Page:
    # A browser itself reports a connection that is lost.
    page: Page = open_page(url, trusted=False)
    expect(page.get_by_role("banner")).to_contain_text("Live")
    page.evaluate(WATCH)
    return page


def clock(page: Page) -> float:
    return float(page.evaluate("performance.now()"))


def seconds_until_marked(page: Page, since: float) -> float:
    return (float(eventually(lambda: page.evaluate("window.marked"), within=15)) - since) / 1000


def is_live_again(page: Page, web: WebPeer, name: str) -> None:
    """No mark is left, and what is new comes, in the same document."""
    expect(page.get_by_role("banner")).to_contain_text("Live")
    expect(page.get_by_role("status")).to_be_empty()
    assert page.evaluate("window.marked") is None
    web.publish(events.ContentShared("ab" * 32, name, "file", 1, 1, 1, "/s/x", False, "seeding", "", 1e9))
    expect(line_named(page, name)).to_be_visible()
    assert page.evaluate("window.sameDocument") is True


def test_a_gateway_that_hangs_is_marked_and_one_that_goes_on_is_live_again(web, open_page):
    page = watched(open_page, web.page)
    assert web.gateway is not None
    (worker,) = children_of(web.gateway.pid)
    since = clock(page)
    os.kill(worker, signal.SIGSTOP)
    try:
        assert seconds_until_marked(page, since) <= WITHIN
        expect(page.get_by_role("status")).to_contain_text("server has been silent")
        expect(page.get_by_role("banner")).to_contain_text("Server silent")
    finally:
        os.kill(worker, signal.SIGCONT)
    is_live_again(page, web, "after it hung")


def test_a_network_that_is_cut_without_a_word_is_marked(tmp_path, open_page):
    with Relay() as relay, WebPeer(tmp_path, {"allowed_hosts": [relay.host]}) as web:
        relay.carry_to(web.port)
        page = watched(open_page, f"{relay.url}/#token={web.token}")
        since = clock(page)
        relay.stall()
        assert seconds_until_marked(page, since) <= WITHIN
        relay.flow()
        is_live_again(page, web, "after the cut")
        page.close()


def test_a_peer_that_is_killed_is_marked_and_the_next_one_is_live(web, open_page):
    page = watched(open_page, web.page)
    since = clock(page)
    web.kill_peer()
    assert seconds_until_marked(page, since) <= WITHIN
    expect(page.get_by_role("status")).to_contain_text("north has been silent")
    expect(page.get_by_role("banner")).to_contain_text("Peer silent")
    web.start_peer()
    is_live_again(page, web, "of the next peer")


def test_nothing_is_marked_while_nothing_happens(web, open_page):
    page = watched(open_page, web.page)
    assert not any(hold_for(2 * WITHIN, lambda: page.evaluate("window.marked")))
    expect(page.get_by_role("banner")).to_contain_text("Live")
