"""A few hostile names through share, tracker and page, in real peers and a real Chromium; all: tests/long/names.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from bus import events, messages
from tests.browser.test_end_to_end import page_of
from tests.kit.hostile_names import KINDS, REFUSED
from tests.kit.name_walk import Walk
from tests.kit.swarm import Swarm
from tests.kit.table import line
from tests.kit.web_peer import WebPeer

pytestmark = [pytest.mark.browser, pytest.mark.system]

CHOSEN = [names[0] for names in KINDS.values()]


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    with Swarm(tmp_path_factory.mktemp("swarm"), gateways=True) as swarm:
        yield swarm


def test_a_name_of_every_kind_is_text_from_disk_to_disk(swarm, tmp_path, open_page):
    paths = [tmp_path / name for name in CHOSEN]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]))
    shared = {row["id"]: row["name"] for row in swarm.cli("share", *map(str, paths)).data}
    assert sorted(shared.values()) == sorted(CHOSEN)
    north = Walk(open_page(page_of(swarm.peer("north"))), "north")
    north.table(shared, picture=False)
    south = Walk(open_page(page_of(swarm.peer("south"))), "south")
    for content, name in shared.items():
        south.fetch(content, name)
    south.table(shared, picture=False)
    for content, name in list(shared.items())[::3]:
        south.ask(content, name)
    assert [*north.ran, *south.ran, *north.broken, *south.broken] == []
    fetched = {path.name: path.read_bytes() for path in Path(swarm.peer("south").download_dir).iterdir()}
    assert fetched == {path.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize(("name", "named"), REFUSED.items())
def test_a_name_that_would_deceive_its_reader_is_refused_in_one_clear_line(swarm, tmp_path, name, named):
    (tmp_path / name).touch()
    line = swarm.cli("share", str(tmp_path / name), expect=2).err.strip()
    assert line.isprintable()
    assert "ERR_PATH" in line
    assert named in line
    assert "rename it" in line


STACKED = "e" + 50 * "\u0301"
"""Two hundred pixels high."""


def paints_above(page: Page, element: Locator) -> bool:
    """Whether what is above its box looks otherwise while it is not painted."""
    box = element.bounding_box()
    assert box is not None
    above = {"x": box["x"], "y": box["y"] - 100, "width": min(box["width"], 200), "height": 98}
    before = page.screenshot(clip=above)  # type: ignore[arg-type]
    node = element.element_handle()  # which is found also while it is hidden
    node.evaluate("e => { e.style.visibility = 'hidden'; }")
    after = page.screenshot(clip=above)  # type: ignore[arg-type]
    node.evaluate("e => { e.style.visibility = ''; }")
    return before != after


def test_names_run_in_their_own_direction_also_in_lines_that_showed_others_before(tmp_path, open_page):
    with WebPeer(tmp_path) as web:
        names = {f"{number:064x}": f"{'a' if number % 3 else chr(0x5D0)} {number}.txt" for number in range(60)}
        for content, name in names.items():
            web.publish(events.ContentShared(content, name, "file", 1, 1, 1, "/s/x", False, "seeding", "", 1e9))
        page = open_page(web.page)
        walk = Walk(page, "north")
        walk.table(names, picture=False)
        assert [*walk.ran, *walk.broken] == []
        page.close()


def test_marks_that_are_piled_up_on_a_letter_are_painted_over_nothing_else(tmp_path, open_page):
    with WebPeer(tmp_path) as web:
        web.publish(events.ContentShared("ab" * 32, STACKED, "file", 1, 1, 1, "/s/x", False, "seeding", "", 1e9))
        web.let_find(messages.FoundContent("0c" * 32, STACKED, "file", 1, 1, 0))
        web.let_list("ab" * 32, [("plain", 1), (STACKED, 1), ("plain too", 1)])
        page = open_page(web.page, reduced_motion="reduce")
        name = line(page, "ab" * 32).locator("bdi")
        name.dblclick()
        page.mouse.move(0, 0)
        assert not paints_above(page, name)
        assert not paints_above(page, page.get_by_role("region", name="Details").locator("h2"))
        page.get_by_role("tab", name="Files").click()
        assert not paints_above(page, page.get_by_role("tabpanel").locator("bdi").nth(1))
        page.get_by_role("grid").press("Delete")
        assert not paints_above(page, page.get_by_role("dialog").locator("h2"))
        page.keyboard.press("Escape")
        web.publish(events.ContentHashed("/x", f"{STACKED} vanished while it was hashed"))
        toast = page.get_by_role("log").get_by_role("paragraph")
        expect(toast).to_contain_text("vanished")
        assert not paints_above(page, toast)
        toast.evaluate("e => { e.style.overflow = 'visible'; }")
        assert paints_above(page, toast)
        page.get_by_role("searchbox").fill("e")
        page.get_by_role("searchbox").press("Enter")
        name = page.locator("#results [data-result] bdi")
        expect(name).to_be_visible()
        assert not paints_above(page, name)
        page.close()
