"""What the page asks for is done once, also when the answer is lost on its way and it asks again."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bus import messages
from tests.kit.dropping import drop
from tests.kit.relay import Relay
from tests.kit.table import line, line_named
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

FOUND = messages.FoundContent("1e" * 32, "reef", "file", 6 * 2**20, 1, 0)


@pytest.fixture
def relay() -> Iterator[Relay]:
    with Relay() as relay:
        yield relay


@pytest.fixture
def web(relay: Relay, tmp_path: Path) -> Iterator[WebPeer]:
    (tmp_path / "web").mkdir()
    with WebPeer(tmp_path / "web", {"allowed_hosts": [relay.host]}) as web:
        web.let_find(FOUND)
        relay.carry_to(web.port)
        yield web


@pytest.fixture
def page(web, relay, open_page) -> Iterator[Page]:
    # A browser itself reports an answer that is lost.
    page = open_page(f"{relay.url}/#token={web.token}", trusted=False)
    expect(page.get_by_role("banner")).to_contain_text("Live")
    yield page
    page.close()


def keys_of(relay: Relay, path: str) -> list[str]:
    """The keys of all POSTs there; each must have one."""
    posts = [head.splitlines() for head in relay.requests if head.startswith(f"POST /api/v1{path} ")]
    return [line.partition(": ")[2] for post in posts for line in post if line.startswith("Idempotency-Key: ")]


def times(web: WebPeer, message: str) -> int:
    """How often the peer was asked."""
    return web.log("peer").split().count(message)


@pytest.mark.parametrize("head", [False, True])
def test_a_download_whose_answer_is_lost_is_asked_for_once(web, relay, page, head):
    page.get_by_role("searchbox").fill(FOUND.name)
    page.get_by_role("searchbox").press("Enter")
    relay.lose_answer("POST /api/v1/downloads", head)
    page.get_by_role("button", name=f"Download {FOUND.name}").click()
    expect(page.get_by_role("region", name="Search results")).to_contain_text("On this peer")
    first, second = keys_of(relay, "/downloads")
    assert first == second
    assert len(first) == 32
    assert times(web, "Get") == 1
    page.get_by_role("link", name="Transfers").click()
    expect(line(page, FOUND.id)).to_be_visible()
    expect(page.get_by_role("log")).not_to_contain_text("Error")


@pytest.mark.parametrize("head", [False, True])
def test_an_upload_whose_answer_is_lost_is_shared_once(web, relay, page, tmp_path, head):
    name = "dropped.txt"
    (tmp_path / name).write_text("from a hand")
    relay.lose_answer("POST /api/v1/shares", head)
    drop(page, tmp_path / name)
    expect(page.get_by_role("log")).to_contain_text(f"{name} is shared")
    expect(line_named(page, name)).to_have_count(1)
    first, second = keys_of(relay, "/shares")
    assert first == second
    assert times(web, "SharePath") == 1
    assert len([path for path in web.uploads() if path.endswith(name)]) == 1


@pytest.mark.parametrize("sent", ["path", "upload"])
def test_an_answer_that_is_lost_while_the_work_goes_on_is_waited_for(web, relay, page, tmp_path, sent):
    (tmp_path / "kelp.txt").write_text("from below")
    web.peer.send_signal(signal.SIGSTOP)
    if sent == "upload":
        drop(page, tmp_path / "kelp.txt")
    else:
        page.get_by_role("button", name="Share", exact=True).click()
        page.get_by_label("Path of a file or folder on this peer's machine").fill(str(tmp_path / "kelp.txt"))
        page.get_by_role("button", name="Share path").click()
    (key,) = eventually(lambda: keys_of(relay, "/shares"), within=5)
    eventually(lambda: web.call("POST", "/shares", headers={"Idempotency-Key": key}).status_code == 422, within=5)
    relay.cut()
    eventually(lambda: len(keys_of(relay, "/shares")) > 2, within=10)
    web.peer.send_signal(signal.SIGCONT)
    expect(line_named(page, "kelp.txt")).to_have_count(1)
    expect(page.get_by_role("log")).to_contain_text("kelp.txt is shared")
    expect(page.get_by_role("log")).not_to_contain_text("Error")
    assert set(keys_of(relay, "/shares")) == {key}
    assert times(web, "SharePath") == 1


def test_each_request_has_a_key_of_its_own_and_an_answer_that_is_lost_twice_is_said(web, relay, page, tmp_path):
    page.get_by_role("button", name="Share", exact=True).click()
    path = page.get_by_label("Path of a file or folder on this peer's machine")
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
        path.fill(str(tmp_path / name))
        page.get_by_role("button", name="Share path").click()
        expect(line_named(page, name)).to_be_visible()
        expect(path).to_have_value("")
    assert len(set(keys_of(relay, "/shares"))) == 2
    relay.end()
    path.fill(str(tmp_path / "a.txt"))
    page.get_by_role("button", name="Share path").click()
    expect(page.get_by_role("log")).to_contain_text("the page's server does not answer")
