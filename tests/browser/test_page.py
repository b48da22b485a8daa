"""The page in a real Chromium, before a stand-in peer that says what each test needs."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Page, expect

from bus import events, messages
from peer.core.sharelink import parse_link
from tests.kit.dropping import drag_over, drop
from tests.kit.web_peer import WebPeer, children_of

pytestmark = [pytest.mark.browser, pytest.mark.system]

PEER = "5a" * 32
SLOW = messages.FoundContent("e1" * 32, "ocean temperatures", "tree", 2**36, 3, 1)
QUICK = messages.FoundContent("e2" * 32, "ocean floor.png", "file", 6 * 2**20, 1, 0)
MARKUP = "<img src=x onerror=alert(1)><b>&amp;</b>"
LONG = "a-name-without-a-space-" * 9


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), {"upload_max": "1 MiB"}, rate=20 * 2**20) as web:
        web.let_find(SLOW)
        web.let_find(QUICK)
        furnish(web)
        yield web


def furnish(web: WebPeer) -> None:
    """A bit of everything that a page can show, with names nobody would choose."""
    web.publish(events.TrackerReached("tcp://192.168.1.10:5570", "ab" * 32, "reached", ""))
    states: list[tuple[str, events.ItemState, str]] = [
        ("lecture notes", "seeding", ""),
        (LONG, "error", "it changed"),
    ]
    for number, (name, state, error) in enumerate(states):
        web.publish(
            events.ContentShared(
                f"{number:064x}", name, "tree", 2**30, 12, 1024, f"/data/{name}", False, state, error, 1e9
            )
        )
    web.publish(events.LinkIsUp(PEER, MARKUP, "192.168.1.12", True, 1000.0, 2e6, 5, 2**20, ""))
    web.publish(events.ReputationChanged(PEER, 0.63, ["newcomer"], {"SUCCESSFUL_UPLOAD": 3}, "SUCCESSFUL_UPLOAD"))
    web.publish(events.UploadProgress(f"{0:064x}", PEER, 2**21, 1000.0))
    sources = [events.SourceRow(PEER, 2**20, 2e6, 8, "open")]
    web.publish(
        events.TransferProgress(
            "d1" * 32, MARKUP, "file", 2**22, "/d/x", "downloading", 2**20, 4, 1, 2e6, 90.0, 1.0, 0, 4096,
            sources, "ff800000", "", "", 1e9, 0.0,
        )
    )  # fmt: skip


def test_the_token_leaves_the_address_bar_and_survives_a_reload(web, open_page):
    page = open_page(web.page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("north")
    assert page.url == f"{web.url}/"
    page.reload()
    expect(page.get_by_role("heading", name="Downloads")).to_be_visible()
    assert page.evaluate("document.cookie") == ""


def test_without_a_token_the_page_asks_for_one(web, open_page):
    page = open_page(web.url)
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("refused")
    page.get_by_label("Token").fill(web.token)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", name="Downloads")).to_be_visible()


def test_the_page_shows_this_peer_and_everything_it_knows(web, open_page):
    page = open_page(web.page)
    this = page.get_by_role("region", name="This peer", exact=True)
    expect(this).to_contain_text("tcp://192.168.1.10:5570")
    expect(this).to_contain_text("Reached")
    expect(this).to_contain_text(str(web.places.download_dir))
    expect(page.get_by_role("banner")).to_contain_text("Live")
    expect(page.get_by_role("banner")).to_contain_text(re.compile(r"[TG]iB free"))
    shares = page.get_by_role("region", name="Shared by this peer")
    expect(shares).to_contain_text("lecture notes")
    expect(shares).to_contain_text("it changed")
    expect(page.get_by_role("region", name="Peers")).to_contain_text("192.168.1.12")
    expect(page.get_by_role("region", name="Uploads")).to_contain_text("lecture notes")
    expect(page.get_by_role("region", name="Reputation")).to_contain_text("0.63")
    expect(page).to_have_title(re.compile(r"↓ 1\.9 MiB/s .*north"))


def test_names_from_others_are_text_and_nothing_else(web, open_page):
    page = open_page(web.page)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for region in ("Downloads", "Peers", "Reputation"):
        expect(page.get_by_role("region", name=region)).to_contain_text(MARKUP)
    assert page.locator("#app img").count() == 0
    assert dialogs == []


def test_a_search_a_download_and_its_progress_to_the_end(web, open_page):
    page = open_page(web.page)
    page.keyboard.press("/")
    page.keyboard.type("ocean")
    page.keyboard.press("Enter")
    results = page.get_by_role("region", name="Search results")
    expect(results.get_by_role("listitem")).to_have_count(2)
    expect(results).to_contain_text("3 seeds · 1 leecher")
    page.get_by_role("button", name="Download ocean floor.png").click()
    downloads = page.get_by_role("region", name="Downloads")
    bar = downloads.get_by_role("progressbar", name="Progress of ocean floor.png")
    expect(bar).to_have_attribute("aria-valuenow", "100")
    item = downloads.locator(f"[data-id='{QUICK.id}']")
    expect(item).to_contain_text("100 %")
    expect(item).to_contain_text("Sharing")
    expect(page.get_by_role("log")).to_contain_text("ocean floor.png is complete")
    expect(results).to_contain_text("On this peer")
    item.get_by_text("Sources and parts").click()
    expect(item.get_by_role("img")).to_have_attribute("aria-label", "Parts held: 6 of 6 chunks")
    expect(item.get_by_role("row")).to_have_count(3)
    item.get_by_role("button", name="Remove").click()
    choices = ["Keep it", "Remove and delete the file", "Remove from the list"]
    expect(page.get_by_role("dialog").get_by_role("button")).to_have_text(choices)


def test_a_download_is_paused_resumed_and_removed_with_its_data(web, open_page):
    page = open_page(web.page)
    page.get_by_role("searchbox").fill(f"shoal:{SLOW.id}?name=x")
    page.get_by_role("search").get_by_role("button", name="Download").click()
    item = page.locator(f"#downloads [data-id='{SLOW.id}']")
    expect(item).to_contain_text("Downloading")
    expect(item).to_contain_text("left")
    item.get_by_role("button", name="Pause").click()
    expect(item).to_contain_text("Paused")
    item.get_by_role("button", name="Resume").click()
    expect(item).to_contain_text("Downloading")
    item.get_by_role("button", name="Remove").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button")).to_have_text(["Keep it", "Remove the download"])
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_have_count(0)
    expect(item).to_be_visible()
    item.get_by_role("button", name="Remove").click()
    dialog.get_by_role("button", name="Remove the download").click()
    expect(item).to_have_count(0)


def test_files_dropped_anywhere_are_shared(web, open_page, tmp_path):
    (tmp_path / "dropped.txt").write_text("from a hand")
    folder = tmp_path / "holiday"
    (folder / "deep").mkdir(parents=True)
    (folder / "nothing").mkdir()
    (folder / "deep" / "süß & 'quoted' \"name\".txt").write_text("x")
    page = open_page(web.page)
    expect(page.get_by_role("heading", name="Downloads")).to_be_visible()
    drag_over(page, tmp_path / "dropped.txt", folder)
    expect(page.get_by_text("Drop to share")).to_be_visible()
    drop(page, tmp_path / "dropped.txt", folder)
    expect(page.get_by_text("Drop to share")).to_have_count(0)
    shares = page.get_by_role("region", name="Shared by this peer")
    expect(shares.locator("[data-id]").filter(has_text="dropped.txt")).to_contain_text("uploaded here")
    expect(shares.locator("[data-id]").filter(has_text="holiday")).to_contain_text("1 file")
    (uploaded,) = web.places.uploads_dir.glob("*/holiday")
    found = sorted(str(path.relative_to(uploaded)) for path in uploaded.rglob("*"))
    assert found == ["deep", "deep/süß & 'quoted' \"name\".txt", "nothing"]


def test_files_and_folders_are_shared_by_picking_them(web, open_page, tmp_path):
    folder = tmp_path / "picked folder"
    folder.mkdir()
    (folder / "inside.txt").write_text("x")
    (tmp_path / "picked.txt").write_text("y")
    page = open_page(web.page)
    page.get_by_label("Files to share").set_input_files(tmp_path / "picked.txt")
    page.get_by_label("Folder to share").set_input_files(folder)
    shares = page.get_by_role("region", name="Shared by this peer")
    expect(shares.locator("[data-id]").filter(has_text="picked.txt")).to_be_visible()
    expect(shares.locator("[data-id]").filter(has_text="picked folder")).to_be_visible()


def test_a_path_is_shared_and_withdrawn_and_a_wrong_one_is_explained(web, open_page, tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    page = open_page(web.page)
    path = page.get_by_label("Path of a file or folder on this peer's machine")
    path.fill(str(tmp_path / "missing"))
    page.get_by_role("button", name="Share path").click()
    expect(page.get_by_role("log")).to_contain_text("cannot be read ERR_UNREADABLE")
    expect(path).to_have_value(str(tmp_path / "missing"))
    path.fill(str(tmp_path / "thesis.txt"))
    page.get_by_role("button", name="Share path").click()
    row = page.locator("#shares [data-id]").filter(has_text="thesis.txt")
    expect(row).to_be_visible()
    row.get_by_role("button", name="Stop sharing").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop sharing").click()
    expect(row).to_have_count(0)
    assert (tmp_path / "thesis.txt").exists()


def test_a_link_to_a_share_is_copied_with_the_trackers_that_others_can_reach(web, open_page):
    web.publish(events.TrackerReached("tcp://127.0.0.1:5570", "cd" * 32, "reached", ""))
    page = open_page(web.page, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the link to lecture notes").click()
    expect(page.get_by_role("log")).to_contain_text("Copied the link to lecture notes")
    link = parse_link(page.evaluate("navigator.clipboard.readText()"))
    assert (link.content, link.name) == (f"{0:064x}", "lecture notes")
    assert [(hint.endpoint, hint.key) for hint in link.trackers] == [("tcp://192.168.1.10:5570", "ab" * 32)]


def test_an_upload_that_is_too_long_is_refused_before_it_is_sent(web, open_page, tmp_path):
    (tmp_path / "huge.bin").write_bytes(bytes(2 * 2**20))
    page = open_page(web.page)
    expect(page.get_by_role("heading", name="Downloads")).to_be_visible()
    drop(page, tmp_path / "huge.bin")
    expect(page.get_by_role("log")).to_contain_text("takes uploads of up to 1.0 MiB")


def test_the_page_follows_without_a_reload(web, open_page):
    page = open_page(web.page)
    expect(page.get_by_role("heading", name="Downloads")).to_be_visible()
    page.evaluate("window.unloaded = false")
    web.publish(events.ReputationChanged("b" * 64, 0.97, [], {}, ""))
    expect(page.get_by_role("region", name="Reputation").get_by_role("listitem").first).to_contain_text("0.97")
    assert page.evaluate("window.unloaded") is False


def test_a_silent_peer_and_a_lost_server_are_said_and_the_page_recovers(tmp_path, open_page):
    with WebPeer(tmp_path) as web:
        page = open_page(web.page, trusted=False)  # a browser itself reports a connection that is lost
        expect(page.get_by_role("banner")).to_contain_text("Live")
        web.kill_peer()
        expect(page.get_by_role("status")).to_contain_text("has been silent")
        expect(page.get_by_role("banner")).to_contain_text("Peer silent")
        web.start_peer()
        expect(page.get_by_role("banner")).to_contain_text("Live")
        expect(page.get_by_role("status")).to_be_empty()
        page.evaluate("window.loaded = 'once'")
        assert web.gateway is not None
        os.kill(web.gateway.pid, signal.SIGSTOP)
        (worker,) = children_of(web.gateway.pid)
        os.kill(worker, signal.SIGKILL)  # nobody starts another one as long as its parent stands still
        expect(page.get_by_role("status")).to_contain_text("lost its server")
        expect(page.get_by_role("banner")).to_contain_text("Disconnected")
        web.restart_gateway()
        web.publish(events.ReputationChanged("b" * 64, 0.97, [], {}, ""))
        expect(page.get_by_role("banner")).to_contain_text("Live")
        expect(page.get_by_role("region", name="Reputation")).to_contain_text("0.97")
        assert page.evaluate("window.loaded") == "once"


LAYOUTS = [(1280, 900, False), (1280, 900, True), (768, 1024, False), (390, 844, True), (320, 640, False)]


@pytest.mark.parametrize(("width", "height", "dark"), LAYOUTS)
def test_nothing_sticks_out_at_any_width(web, open_page, width, height, dark):
    page = open_page(web.page, width, height, dark)
    expect(page.get_by_role("region", name="Downloads")).to_contain_text(MARKUP)
    for summary in page.get_by_text("Sources and parts").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    wide = "[...document.querySelectorAll('#app *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 &&"
    wide += " !e.closest('.hidden-visually')).map(e => e.outerHTML.slice(0, 120))"
    assert page.evaluate(wide) == []


def luminance(colour: str) -> float:
    red, green, blue = (float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3])
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


TEXTS_ON_GROUNDS = """() => [...document.querySelectorAll('#app *')]
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && e.checkVisibility())
  .map(e => {
    let ground = e;
    const clear = (element) => getComputedStyle(element).backgroundColor === 'rgba(0, 0, 0, 0)';
    while (ground && clear(ground)) ground = ground.parentElement;
    return [e.textContent.trim().slice(0, 40), getComputedStyle(e).color,
            getComputedStyle(ground ?? document.body).backgroundColor];
  })"""


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_is_readable_on_its_ground(web, open_page, dark):
    page = open_page(web.page, dark=dark)
    expect(page.get_by_role("region", name="Downloads")).to_contain_text(MARKUP)
    faint = []
    for text, colour, ground in page.evaluate(TEXTS_ON_GROUNDS):
        light, deep = sorted((luminance(colour), luminance(ground)), reverse=True)
        if (light + 0.05) / (deep + 0.05) < 4.5:  # WCAG 2.2, 1.4.3, level AA
            faint.append((text, colour, ground))
    assert faint == []


def test_everything_has_a_name_and_a_place(web, open_page):
    page = open_page(web.page)
    expect(page.get_by_role("region", name="Downloads")).to_contain_text(MARKUP)
    assert page.get_by_role("heading", level=1).count() == 1
    for landmark in ("banner", "main", "search"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input:not([hidden])')].filter(e => !(e.textContent.trim() ||"
        " e.ariaLabel || (e.labels && e.labels.length))).map(e => e.outerHTML)"
    )
    assert nameless == []
    assert page.evaluate("document.documentElement.lang") == "en"


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(web, open_page):
    page = open_page(web.page)
    expect(page.get_by_role("region", name="Downloads")).to_contain_text(MARKUP)
    controls = page.evaluate("document.querySelectorAll('#app :is(button, summary, input):not([hidden])').length")
    reached = set()
    for _ in range(controls + 5):
        page.keyboard.press("Tab")
        place = page.evaluate(
            "(() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " return e === document.body ? null : [[...document.querySelectorAll('*')].indexOf(e), s.outlineStyle] })()"
        )
        if place is not None:
            assert place[1] != "none"
            reached.add(place[0])
    assert len(reached) == controls


def test_who_wants_no_motion_gets_none(web, open_page):
    page = open_page(web.page, reduced_motion="reduce")
    expect(page.get_by_role("region", name="Downloads")).to_contain_text(MARKUP)
    moving = page.evaluate(
        "[...document.querySelectorAll('#app *')].filter(e => parseFloat(getComputedStyle(e).transitionDuration) > 0)"
        ".length"
    )
    assert moving == 0


class Blank(BaseHTTPRequestHandler):
    """A site of its own, with nothing on it and no rules."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>elsewhere</h1>")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


ATTACK = """async ([url, token, content]) => {
    const api = url + '/api/v1', json = {'Content-Type': 'application/json'}, key = {Authorization: 'Bearer ' + token};
    const body = JSON.stringify({id: content}), done = [], note = (name) => () => { done.push(name); };
    const late = new Promise((go) => setTimeout(go, 3000));
    await fetch(api + '/downloads', {method: 'POST', body, headers: {...key, ...json}}).then(note('write'), () => 0);
    await fetch(api + '/status', {headers: key}).then(note('read'), () => 0);
    await fetch(api + '/downloads', {method: 'POST', body, mode: 'no-cors'}).then(() => 0, () => 0);
    for (const path of ['/socket.io/?EIO=4&transport=websocket', '/socket.io/?EIO=4&transport=websocket&x=1'])
        await Promise.race([late, new Promise((go) => {
            const socket = new WebSocket(url.replace('http', 'ws') + path);
            socket.onmessage = () => { done.push('socket'); go(); };
            socket.onerror = go;
        })]);
    const frame = document.createElement('iframe');
    const loaded = new Promise((go) => { frame.onload = go; });
    frame.src = url;
    document.body.append(frame);
    await Promise.race([late, loaded]);
    return done;
}"""


def test_another_site_reads_and_writes_nothing_even_with_the_token(web, open_page):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Blank)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        page: Page = open_page(f"http://127.0.0.1:{server.server_port}/", trusted=False)
        assert page.evaluate(ATTACK, [web.url, web.token, SLOW.id]) == []
        assert all("north" not in frame.content() for frame in page.frames)
    finally:
        server.shutdown()
        server.server_close()
    assert SLOW.id not in [row["id"] for row in web.get("/downloads")["items"]]
