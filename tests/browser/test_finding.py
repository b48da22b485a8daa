"""Finding and adding, in a real Chromium: search as one types, a look into a content before it is fetched, a part of
it, links pasted and dropped, folders of the peer's machine, and the first click on an empty page.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, Request, Route, expect

from bus import events, messages
from tests.kit.table import line, line_named, view
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

TREE = messages.FoundContent("e1" * 32, "Ocean temperatures", "tree", 10_003, 3, 1)
FILE = messages.FoundContent("e2" * 32, "deep ocean floor.png", "file", 6 * 2**20, 1, 0)
DEMO = messages.FoundContent("e4" * 32, "Shoal demo of south", "tree", 4 * 2**20, 1, 0)
NOBODY = "9" * 64
"""The stand-in peer finds nobody who has it."""
FILES = [(f"data/{place:05}.nc", 1) for place in range(10_000)] + [("notes/a.txt", 1), ("notes/b.txt", 1), ("run", 1)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    (home / "music").mkdir()
    (home / "music" / "song.flac").write_bytes(b"la")
    (home / ".secret").write_bytes(b"x")
    return home


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), {"folders": [str(home)]}) as web:
        web.let_list(TREE.id, FILES)
        web.let_find(FILE)
        yield web


def type_words(page: Page, words: str) -> None:
    page.get_by_role("searchbox").press_sequentially(words, delay=10)


def paste(page: Page, text: str, onto: str = "body") -> None:
    """As a browser does it, which a test may not: its clipboard is another program's."""
    page.evaluate(
        """([text, onto]) => {
            const data = new DataTransfer();
            data.setData('text/plain', text);
            const event = new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true});
            document.querySelector(onto).dispatchEvent(event);
        }""",
        [text, onto],
    )


def asked_by(page: Page, part: str) -> list[Request]:
    """The requests of a page to paths with this part, as they come."""
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request) if part in request.url else None)
    return asked


def test_an_empty_page_says_what_to_do_and_one_click_shares_or_fetches_a_demo(web, open_page):
    page = open_page(web.page)
    expect(page.get_by_text("Nothing is shared or fetched yet")).to_be_visible()
    page.get_by_role("button", name="Try it out").click()
    shared = line_named(page, "Shoal demo of north")
    expect(shared).to_contain_text("Sharing")
    expect(shared).to_contain_text("4.0 MiB")
    (readme,) = web.places.uploads_dir.glob("*/Shoal demo of north/read me.txt")
    assert "peer north" in readme.read_text()
    content = web.get("/shares")["items"][0]["id"]
    web.call("DELETE", f"/shares/{content}")
    expect(shared).to_have_count(0)
    web.let_find(DEMO)
    page.get_by_role("button", name="Try it out").click()
    expect(line(page, DEMO.id)).to_contain_text("Shoal demo of south")
    expect(page.get_by_role("log")).to_contain_text("Shoal demo of south is being fetched")


def test_the_network_is_searched_while_one_types_and_asked_once_one_pauses(web, open_page):
    web.let_find(TREE)
    page = open_page(web.page)
    asked = asked_by(page, "/search?")
    type_words(page, "ocean de")
    results = page.get_by_role("region", name="Search results")
    expect(results.get_by_role("heading")).to_have_text("1 result for “ocean de”")
    assert len(asked) == 1
    expect(results.locator("mark")).to_have_text(["de", "ocean"])
    expect(results).to_contain_text("6.0 MiB · 1 seed · 0 leechers")
    type_words(page, "zzz")
    expect(results).to_contain_text("Try fewer of them")
    page.keyboard.press("Escape")
    expect(page.get_by_role("searchbox")).to_have_value("")
    expect(results).to_have_count(0)


def test_of_more_results_than_the_server_gives_the_best_are_shown_and_said_to_be_so(web, open_page):
    for number in range(201):
        web.let_find(messages.FoundContent(f"{number:064x}", f"kelp {number}", "file", 1, 1, 0))
    page = open_page(web.page)
    type_words(page, "kelp")
    results = page.get_by_role("region", name="Search results")
    expect(results.get_by_role("heading")).to_have_text("The best 200 results for “kelp”")
    expect(results.get_by_role("listitem")).to_have_count(200)


def test_an_answer_that_comes_too_late_is_not_shown(web, open_page):
    page = open_page(web.page)
    held: list[Route] = []
    page.route("**/search?q=oce&*", lambda route: held.append(route))  # noqa: PLW0108  playwright needs a function
    with page.expect_request("**/search?q=oce&*"):
        type_words(page, "oce")
    type_words(page, "an floor")
    results = page.get_by_role("region", name="Search results")
    expect(results.get_by_role("heading")).to_have_text("1 result for “ocean floor”")
    with contextlib.suppress(Error):  # the page has given it up
        held[0].fulfill(json={"items": [], "next_cursor": None})
    expect(results.get_by_role("listitem")).to_have_count(1)
    problem = {"status": 503, "code": "ERR_UNREACHABLE", "detail": "no tracker answered: it is away"}
    page.route("**/search?q=down&*", lambda route: route.fulfill(status=503, json=problem))
    page.get_by_role("searchbox").fill("down")
    expect(results).to_contain_text("no tracker answered: it is away ERR_UNREACHABLE")
    page.unroute("**/search?q=down&*")
    results.get_by_role("button", name="Search again").click()
    expect(results).to_contain_text("Nobody on the network")


def test_a_tree_of_10_000_files_is_looked_into_and_a_part_of_it_fetched_without_a_mouse(web, open_page):
    web.let_find(TREE)
    page = open_page(web.page)
    posted = asked_by(page, "/downloads")
    type_words(page, "temperatures")
    expect(page.get_by_role("region", name="Search results").get_by_role("listitem")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Ocean temperatures")
    expect(dialog).to_contain_text("10,003 of 10,003 files chosen")
    tree = dialog.get_by_role("tree", name="Files")
    expect(tree).to_be_focused()
    expect(tree.get_by_role("treeitem")).to_have_count(3)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    expect(tree.get_by_role("treeitem", name="run")).to_be_visible()
    assert tree.get_by_role("treeitem").count() < 60, "only what is in view is drawn"
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    expect(dialog).to_contain_text("3 of 10,003 files chosen, 3 B of 9.8 KiB")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(tree.get_by_role("treeitem", name="data")).to_have_attribute("aria-checked", "mixed")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(tree.get_by_role("treeitem", name="notes")).to_have_attribute("aria-checked", "false")
    dialog.get_by_role("button", name="Download 2 B").press("Enter")
    expect(line(page, TREE.id)).to_have_attribute("aria-selected", "true")
    (post,) = [request for request in posted if request.method == "POST"]
    assert post.post_data_json == {"id": TREE.id, "only": ["data/00000.nc", "run"]}


def test_a_choice_that_cannot_be_asked_for_is_explained(web, open_page):
    web.let_find(TREE)
    page = open_page(web.page)
    page.get_by_role("searchbox").fill(TREE.id)
    page.get_by_role("button", name="Open").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="None").click()
    expect(dialog).to_contain_text("Nothing is chosen")
    expect(dialog.get_by_role("button", name="Download")).to_be_disabled()
    dialog.get_by_role("treeitem", name="data").locator(".box").click()
    dialog.get_by_role("treeitem", name="data").click()
    dialog.get_by_role("treeitem", name="00000.nc").click()
    expect(dialog).to_contain_text("too many single files for one request (at most 1,000)")
    expect(dialog.get_by_role("button", name="Download")).to_be_disabled()
    dialog.get_by_role("button", name="All").click()
    expect(dialog.get_by_role("button", name="Download 9.8 KiB")).to_be_enabled()


def test_what_nobody_has_is_said_and_can_be_asked_for_all_the_same(web, open_page):
    page = open_page(web.page)
    paste(page, f"look at this: shoal:{NOBODY}?name=lost%20film !")
    dialog = page.get_by_role("dialog", name="lost film")
    expect(dialog).to_contain_text(f"no peer shares {NOBODY}")
    expect(dialog).to_contain_text("ERR_NOT_FOUND")
    expect(dialog.get_by_role("button", name="Look again")).to_be_enabled()
    posted = asked_by(page, "/downloads")
    dialog.get_by_role("button", name="Download").click()
    expect(page.get_by_role("log")).to_contain_text("no tracker knows")  # the stand-in's own word for it
    assert posted[0].post_data_json == {"link": f"shoal:{NOBODY}?name=lost%20film"}
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_link_is_taken_wherever_it_is_pasted_or_dropped_but_in_a_box(web, open_page):
    page = open_page(web.page)
    dialog = page.get_by_role("dialog")
    link = f"shoal:{FILE.id}?name=deep%20ocean%20floor.png"
    paste(page, link, "#search")
    paste(page, "shoal:not-a-link")
    expect(page.get_by_role("log")).to_contain_text("This is no whole link")
    expect(dialog).to_have_count(0)
    paste(page, FILE.id)
    expect(dialog).to_contain_text("A single file of 6.0 MiB")
    dialog.get_by_role("button", name="Cancel").click()
    data = {"items": [{"mimeType": "text/plain", "data": link}], "files": [], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 600, "y": 500, "data": data})
    expect(page.get_by_text("Drop a link to look into it")).to_be_visible()
    session.send("Input.dispatchDragEvent", {"type": "drop", "x": 600, "y": 500, "data": data})
    expect(dialog).to_contain_text("A single file of 6.0 MiB")
    expect(page.get_by_text("Drop a link to look into it")).to_have_count(0)
    dialog.get_by_role("button", name="Download 6.0 MiB").click()
    expect(line(page, FILE.id)).to_be_visible()
    paste(page, link)
    expect(dialog).to_contain_text("It is on this peer already")


def test_what_is_being_hashed_shows_how_far_it_is(web, open_page):
    page = open_page(web.page)
    web.publish(events.ContentHashing("/data/films", "films being hashed", 2**20, 2**22, 3, 12))
    row = page.get_by_role("grid").get_by_role("row", name="films being hashed")
    expect(row).to_contain_text("Hashing")
    expect(row.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "25")
    waiting = page.get_by_role("grid").get_by_role("row", name="films that wait")
    web.publish(events.ContentHashing("/data/more", "films that wait", 0, 0, 0, 0, waiting=True))
    expect(waiting).to_contain_text("Queued")
    web.publish(events.ContentHashing("/data/more", "films that wait", 2**20, 2**22, 0, 1))
    expect(waiting).to_contain_text("Hashing")
    for path in ("/data/films", "/data/more"):
        web.publish(events.ContentHashed(path, ""))
    expect(row).to_have_count(0)
    expect(waiting).to_have_count(0)


def test_a_path_is_chosen_among_the_folders_of_the_peer_s_machine(web, open_page, home):
    page = open_page(web.page)
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_role("button", name="Browse…").click()
    dialog = page.get_by_role("dialog", name="Share from this peer's machine")
    expect(dialog.get_by_text(str(home))).to_be_visible()
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    expect(dialog.get_by_role("button", name="music", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("listitem")).to_contain_text("song.flac")
    page.keyboard.press("Backspace")
    dialog.get_by_role("button", name="Share music").click()
    expect(dialog).to_have_count(0)
    expect(line_named(page, "music")).to_contain_text("Sharing")
    view(page, "Search")
    expect(page.get_by_text("Type what you look for")).to_be_visible()
