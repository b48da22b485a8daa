"""Files of contents saved and played from the page, in a real Chromium."""

from __future__ import annotations

import io
import random
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from bus import messages
from tests.kit.table import details, line, line_named
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

SONG = "d1" * 32
TRIP = "d2" * 32
SECONDS = 60
RATE = 8000


def noise(seconds: int) -> bytes:
    """A WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(random.Random(1).randbytes(2 * RATE * seconds))
    return file.getvalue()


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), rate=2**10) as web:
        yield web


@pytest.fixture(scope="module")
def song(web: WebPeer) -> Path:
    path = web.base / "sea shanty.wav"
    path.write_bytes(noise(SECONDS))
    return path


def menu_of(page: Page, row: Locator) -> Locator:
    row.click(button="right")
    return page.get_by_role("menu", name="What to do")


def playing(page: Page) -> Locator:
    """The player, once it plays."""
    player = page.get_by_role("dialog", name="sea shanty.wav").locator("audio")
    eventually(
        lambda: float(player.evaluate("it => it.currentTime")) > 0,
        within=15,
        message=lambda: str(player.evaluate("it => [it.readyState, it.networkState, it.paused, it.error?.message]")),
    )
    return player


def seek(player: Locator, second: int) -> None:
    """To a second of it; done when it can go on from there."""
    player.evaluate("(it, second) => { it.currentTime = second; }", second)
    eventually(
        lambda: player.evaluate("it => !it.seeking && it.readyState >= 2 && it.currentTime") >= second, within=15
    )


def test_a_file_is_saved_with_its_own_name_and_bytes(web, song, open_page):
    web.call("POST", "/shares", json={"path": str(song)}).raise_for_status()
    page = open_page(web.page)
    with page.expect_download() as saving:
        menu_of(page, line_named(page, song.name)).get_by_role("menuitem", name="Save a copy").click()
    assert saving.value.suggested_filename == song.name
    assert Path(saving.value.path()).read_bytes() == song.read_bytes()


def test_one_file_of_a_folder_is_saved_and_what_is_no_sound_or_film_is_not_played(web, open_page):
    folder = web.base / "trip"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "a.txt").write_text("first")
    (folder / "b.txt").write_text("second")
    content = web.call("POST", "/shares", json={"path": str(folder)}).json()["id"]
    web.let_list(content, [("b.txt", 6), ("docs/a.txt", 5)])
    page = open_page(web.page)
    files = details(page, line(page, content), "Files")
    with page.expect_download() as saving:
        files.get_by_role("button", name="Save docs/a.txt").click()
    assert saving.value.suggested_filename == "a.txt"
    assert Path(saving.value.path()).read_text() == "first"
    expect(files.get_by_role("button", name="Play")).to_have_count(0)
    menu = menu_of(page, line(page, content))
    expect(menu.get_by_role("menuitem", name="Save")).to_have_count(0)


def test_a_sound_plays_and_is_sought_in_and_its_player_is_closed(web, song, open_page):
    content = web.call("POST", "/shares", json={"path": str(song)}).json()["id"]
    web.let_find(messages.FoundContent(content, song.name, "file", song.stat().st_size, 1, 1))
    page = open_page(web.page)
    details(page, line(page, content), "Files").get_by_role("button", name="Play sea shanty.wav").click()
    player = playing(page)
    assert player.evaluate("it => Math.round(it.duration)") == SECONDS
    seek(player, 50)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("audio")).to_have_count(0)


def test_what_is_played_for_longer_than_its_ticket_is_good_goes_on_with_another(web, song, open_page):
    long = web.base / "long" / song.name
    long.parent.mkdir()
    long.write_bytes(noise(50 * SECONDS))  # more than a browser reads ahead
    content = web.call("POST", "/shares", json={"path": str(long)}).json()["id"]
    page = open_page(web.page, trusted=False)
    menu_of(page, line(page, content)).get_by_role("menuitem", name="Play").click()
    player = playing(page)
    first = str(player.get_attribute("src"))
    # Tickets of the same second are the same one.
    tickets = f"/contents/{content}/tickets"
    eventually(lambda: not first.startswith(web.call("POST", tickets).json()["url"]), within=3)
    page.route(lambda url: url.endswith(first), lambda route: route.fulfill(status=401))
    page.evaluate("const then = Date.now() + 3_700_000; Date.now = () => then")
    seek(player, 48 * SECONDS)
    assert player.get_attribute("src") != first
    eventually(lambda: float(player.evaluate("it => it.currentTime")) > 48 * SECONDS, within=15)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_download_is_played_while_it_comes(web, song, open_page):
    size = song.stat().st_size
    web.fetch(messages.FoundContent(SONG, song.name, "file", size, 1, 1))
    web.order(f"lies {SONG} {size // 4} {song}")
    page = open_page(web.page)
    menu_of(page, line(page, SONG)).get_by_role("menuitem", name="Play").click()
    player = playing(page)
    web.order(f"lies {SONG} {size} {song}")
    seek(player, 45)
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    # What has stopped and is not complete can be neither saved nor played.
    web.call("PATCH", f"/downloads/{SONG}", json={"action": "pause"})
    expect(line(page, SONG)).to_contain_text("Paused")
    menu = menu_of(page, line(page, SONG))
    expect(menu.get_by_role("menuitem", name="Save a copy")).to_be_disabled()
    expect(menu.get_by_role("menuitem", name="Play")).to_be_disabled()


def test_what_is_no_sound_in_spite_of_its_name_is_said_to_be_none(web, open_page):
    lie = web.base / "lie.mp3"
    lie.write_text("no sound at all" * 1000)
    web.call("POST", "/shares", json={"path": str(lie)}).raise_for_status()
    page = open_page(web.page)
    menu_of(page, line_named(page, "lie.mp3")).get_by_role("menuitem", name="Play").click()
    expect(page.get_by_role("dialog", name="lie.mp3")).to_contain_text("It cannot be played")
