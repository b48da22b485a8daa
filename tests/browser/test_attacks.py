"""A real Chromium as the victim: pages of other sites, and contents that would be pages of ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from bus import messages
from tests.kit.table import view
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

SLOW = messages.FoundContent("e1" * 32, "ocean temperatures", "tree", 2**36, 3, 1)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), {"upload_max": "1 MiB"}, rate=2**20) as web:
        web.let_find(SLOW)
        yield web


class Blank(BaseHTTPRequestHandler):
    """A site of its own, with nothing on it and no rules."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>elsewhere</h1>")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of another site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blank)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


ATTACK = """async ([url, token, content, path, assets]) => {
    const api = url + '/api/v1', json = {'Content-Type': 'application/json'}, key = {Authorization: 'Bearer ' + token};
    const body = JSON.stringify({id: content}), done = [], note = (name) => () => { done.push(name); };
    const within = (seconds, start) => Promise.race([
        new Promise((go) => setTimeout(go, seconds * 1000)), new Promise((go) => start(go)),
    ]);
    const multipart = () => {
        const form = new FormData();
        form.append('file', new Blob(['from elsewhere']), 'planted.txt');
        return form;
    };
    // What may be read, or written and read.
    for (const [name, where, how] of [
        ['write', '/downloads', {method: 'POST', body, headers: {...key, ...json}}],
        ['share', '/shares', {method: 'POST', body: JSON.stringify({path}), headers: {...key, ...json}}],
        ['upload', '/shares', {method: 'POST', body: multipart(), headers: key}],
        ['remove', '/downloads/' + content, {method: 'DELETE', headers: key}],
        ['read', '/status', {headers: key}],
        ['session', '/session', {}],
        ['credentials', '/status', {credentials: 'include'}],
    ]) await fetch(api + where, how).then(note(name), () => 0);
    // What is sent all the same, with an answer that nobody sees.
    for (const [where, sent] of [['/downloads', body], ['/shares', JSON.stringify({path})], ['/shares', multipart()]]) {
        const blind = {method: 'POST', body: sent, mode: 'no-cors', credentials: 'include'};
        await fetch(api + where, blind).then(() => 0, () => 0);
        navigator.sendBeacon(api + where, sent);
    }
    for (const transport of ['websocket', 'polling'])
        await within(3, (go) => {
            const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=${transport}`);
            socket.onopen = note('socket');
            socket.onerror = go;
        });
    await within(3, (go) => {
        const events = new EventSource(url + '/socket.io/?EIO=4&transport=polling');
        events.onopen = events.onmessage = note('events');
        events.onerror = () => { events.close(); go(); };
    });
    // Forms, which ask nobody.
    for (const [number, [where, kind, name, value]] of [
        ['/downloads', 'application/x-www-form-urlencoded', 'id', content],
        ['/downloads', 'text/plain', `{"id": "${content}", "x": "`, '"}'],
        ['/shares', 'application/x-www-form-urlencoded', 'path', path],
        ['/shares', 'text/plain', `{"path": "${path}", "x": "`, '"}'],
        ['/shares', 'multipart/form-data', 'path', path],
        ['/shares', 'multipart/form-data', 'folder', 'planted'],
        [`/shares?token=${token}`, 'multipart/form-data', 'folder', 'planted'],
    ].entries()) {
        const frame = document.createElement('iframe'), form = document.createElement('form');
        const field = document.createElement('input');
        frame.name = form.target = `answer${number}`;
        [form.method, form.action, form.enctype, field.name, field.value] = ['POST', api + where, kind, name, value];
        form.append(field);
        document.body.append(frame, form);
        await within(3, (go) => { frame.onload = go; form.submit(); });
    }
    // What a page shows of others without asking.
    for (const [tag, where] of [
        ['img', '/api/v1/status'], ['img', assets.icon], ['script', '/api/v1/status'], ['script', assets.script],
        ['img', '/api/v1/downloads/' + content + '?data=true'], ['iframe', '/'],
    ]) {
        const shown = document.createElement(tag);
        if (tag !== 'iframe') shown.onload = note(tag + where);
        await within(3, (go) => {
            shown.addEventListener(tag === 'iframe' ? 'load' : 'error', go);
            shown.src = url + where;
            document.body.append(shown);
        });
    }
    return done;
}"""


def kept(web: WebPeer) -> list[Any]:
    """All that a page of another site must not change."""
    return [web.get("/shares")["items"], web.get("/downloads")["items"], web.uploads()]


def test_another_site_reads_and_writes_nothing_even_with_the_token(web, open_page, elsewhere, tmp_path):
    (tmp_path / "private.txt").write_text("nobody shares this")
    before = kept(web)
    own = open_page(web.url)
    names = {"icon": "link[rel=icon]", "script": "script[src]"}
    found = {
        name: own.locator(where).get_attribute("href" if name == "icon" else "src") for name, where in names.items()
    }
    assets = {name: f"/{str(where).removeprefix('./')}" for name, where in found.items()}
    page: Page = open_page(elsewhere, trusted=False)
    assert page.evaluate(ATTACK, [web.url, web.token, SLOW.id, str(tmp_path / "private.txt"), assets]) == []
    assert all("north" not in frame.content() for frame in page.frames)
    assert kept(web) == before
    assert "planted" not in str(web.uploads())


HOSTILE = {
    "page.html": "<!doctype html><title>ran</title><script>top.ran = document.title = 'ran'</script>",
    "picture.svg": "<svg xmlns='http://www.w3.org/2000/svg'><script>top.ran = 'ran'</script></svg>",
    "script.js": "top.ran = 'ran';",
    "feed.xml": "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>top.ran = 'ran'</x:script>",
    "page.xhtml": "<html xmlns='http://www.w3.org/1999/xhtml'><script>top.ran = 'ran'</script></html>",
}
EMBED = """([tag, url]) => new Promise((go) => {
    const shown = document.createElement(tag);
    shown.onload = shown.onerror = (event) => go(event.type);
    setTimeout(() => go('silent'), 300);
    shown[tag === 'object' ? 'data' : tag === 'link' ? 'href' : 'src'] = url;
    if (tag === 'link') shown.rel = 'stylesheet';
    document.body.append(shown);
})"""


def test_a_content_is_downloaded_and_never_run_as_a_page_of_ours(web, open_page, tmp_path):
    page = open_page(web.url, trusted=False, accept_downloads=True)
    for name, text in HOSTILE.items():
        (tmp_path / name).write_text(text)
        content = web.call("POST", "/shares", json={"path": str(tmp_path / name)}).json()["id"]
        url = web.url + web.call("POST", f"/contents/{content}/tickets").json()["url"]
        with page.expect_download() as download:
            page.evaluate("(url) => { location.href = url; }", url)
        assert (download.value.suggested_filename, download.value.path().read_text()) == (name, text)
        assert page.evaluate(EMBED, ["script", url]) == "error"
        for tag in ("iframe", "object", "embed"):
            page.evaluate(EMBED, [tag, url])
        assert (page.url, page.evaluate("window.ran")) == (f"{web.url}/", None)
        web.call("DELETE", f"/shares/{content}").raise_for_status()


def test_the_token_is_in_no_address_and_no_referer(web, open_page):
    page: Page = open_page("about:blank")
    asked: list[Request] = []
    sockets: list[str] = []
    page.on("request", lambda request: asked.insert(0, request))
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(web.page)
    expect(page.get_by_role("banner")).to_contain_text("Live")
    view(page, "Settings")
    expect(page.get_by_role("main")).to_contain_text("gateway.threads")
    sent = [(request.url.partition("#")[0], request.all_headers()) for request in asked]
    assert any(headers.get("authorization") == f"Bearer {web.token}" for _, headers in sent)
    assert sockets
    assert not any(web.token in url for url in [*sockets, *(url for url, _ in sent), page.url])
    assert not any(headers.get("referer") for _, headers in sent)
