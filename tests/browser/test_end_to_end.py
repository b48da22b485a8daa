"""The whole of Shoal through its pages: dropped at north, found and fetched at south, and north's score rises."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from bus.ready import PeerUp
from tests.kit.dropping import drop
from tests.kit.swarm import Swarm
from tests.kit.table import details, line_named, view
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.system]

SIZE = 24 * 2**20
PART = 4 * 2**20
"""Bytes of a file among others."""
WITHIN = 60_000
"""Milliseconds; two peers, a tracker, two gateways and a browser share the machine."""


def page_of(peer: PeerUp) -> str:
    assert peer.url is not None
    assert peer.token_file is not None
    return f"{peer.url}/#token={Path(peer.token_file).read_text().strip()}"


def look_into(page: Page, peer: PeerUp, result: Locator) -> Locator:
    """Open the preview of what was found; looking is not fetching."""
    result.get_by_role("button", name="northern wind.flac", exact=True).click()
    dialog = page.get_by_role("dialog", name="northern wind.flac")
    expect(dialog).to_contain_text("A single file of 24.0 MiB", timeout=WITHIN)
    key = {"Authorization": f"Bearer {page_of(peer).rpartition('=')[2]}"}
    assert requests.get(f"{peer.url}/api/v1/downloads", headers=key, timeout=10).json()["items"] == []
    return dialog


def percent(bar: Locator) -> int:
    return int(bar.get_attribute("aria-valuenow") or 0)


def test_a_file_dropped_at_north_reaches_south_and_north_is_thanked(tmp_path, open_page):
    # A name of two words, found by the second; slow enough to be watched.
    song = tmp_path / "northern wind.flac"
    song.write_bytes(os.urandom(SIZE))
    with Swarm(tmp_path / _made(tmp_path, "swarm"), gateways=True, settings={"limits": {"up": "4 MiB/s"}}) as swarm:
        north, south = swarm.peer("north"), swarm.peer("south")

        at_north = open_page(page_of(north))
        view(at_north, "Network")
        expect(at_north.get_by_role("region", name="Trackers")).to_contain_text("Reached", timeout=WITHIN)
        view(at_north, "Transfers")
        drop(at_north, song)
        expect(line_named(at_north, "northern wind.flac")).to_contain_text("Sharing", timeout=WITHIN)

        at_south = open_page(page_of(south))
        result = at_south.get_by_role("region", name="Search results").get_by_role("listitem")

        def search_finds_it() -> bool:
            at_south.get_by_role("searchbox").fill("wind")
            at_south.get_by_role("searchbox").press("Enter")
            expect(at_south.get_by_role("region", name="Search results")).to_be_visible()
            return int(result.count()) == 1

        eventually(search_finds_it, within=20, every=0.3)
        expect(result).to_contain_text("1 seed")
        look_into(at_south, south, result).get_by_role("button", name="Download 24.0 MiB").click()

        view(at_south, "Transfers")
        download = line_named(at_south, "northern wind.flac")
        bar = download.get_by_role("progressbar")
        seen = {eventually(lambda: 0 < percent(bar) < 100 and percent(bar), within=30)}
        expect(download).to_contain_text("Downloading")
        expect(details(at_south, download)).to_contain_text("from 1 of 1 source")
        seen.add(percent(bar))
        at_south.screenshot(path=tmp_path / "south-downloads.png", full_page=True)

        def is_complete() -> bool:
            seen.add(percent(bar))
            return 100 in seen

        eventually(is_complete, within=60)
        assert len(seen) > 3  # it was seen to move
        expect(download).to_contain_text("Sharing")
        expect(at_south.get_by_role("log")).to_contain_text("northern wind.flac is complete")

        expect(details(at_south, download, "Sources").get_by_role("row", name="north")).to_contain_text("24.0 MiB")
        expect(details(at_south, download, "Events")).to_contain_text("Complete: 24 MiB")
        view(at_south, "Reputation")
        ranking = at_south.locator(f"#reputation [data-peer='{north.id}']")
        expect(ranking).to_contain_text(re.compile("north.*0.51", re.DOTALL))  # it began at 0.50
        ranking.get_by_role("button").click()
        expect(at_south.get_by_role("dialog")).to_contain_text("It sent us verified data")
        at_south.get_by_role("button", name="Trust").click()
        expect(ranking).to_contain_text("trusted")
        at_south.keyboard.press("Escape")
        view(at_north, "Network")
        expect(at_north.get_by_role("region", name="Peers")).to_contain_text("south")

        fetched = Path(south.download_dir) / "northern wind.flac"
        assert fetched.read_bytes() == song.read_bytes()
        at_south.screenshot(path=tmp_path / "south-has-it.png", full_page=True)
        # Their servers stop first, of which a browser would complain.
        at_north.close()
        at_south.close()


def test_a_file_set_high_on_the_page_is_complete_before_the_others(tmp_path, open_page):
    trip = tmp_path / "trip"
    trip.mkdir()
    for name in ("a", "b", "c"):
        (trip / name).write_bytes(os.urandom(PART))
    with Swarm(tmp_path / _made(tmp_path, "swarm"), gateways=True, settings={"limits": {"up": "256 KiB/s"}}) as swarm:
        content = swarm.cli("share", str(trip)).data[0]["id"]
        south = swarm.peer("south")
        page = open_page(page_of(south))
        api, key = f"{south.url}/api/v1", {"Authorization": f"Bearer {page_of(south).rpartition('=')[2]}"}

        def rows() -> Any:
            return requests.get(f"{api}/contents/{content}/held", headers=key, timeout=10).json()["items"]

        def here() -> list[float]:
            """How much of each file, 1 being all of it."""
            return [row["bytes_done"] / PART for row in rows()]

        requests.post(f"{api}/downloads", json={"id": content}, headers=key, timeout=10).raise_for_status()
        files = details(page, line_named(page, "trip"), "Files")
        choice = files.get_by_role("combobox", name="Priority of c", exact=True)
        choice.select_option("High", timeout=WITHIN)
        expect(choice).to_have_value("high")
        eventually(lambda: rows()[2]["priority"] == "high", within=10)
        swarm.cli("limit", "--up", "8 MiB/s")
        shares = eventually(lambda: [now] if (now := here())[2] == 1.0 else [], within=30)[0]
        assert max(shares[:2]) < 0.75
        expect(files.get_by_role("progressbar", name="Here of c")).to_have_attribute("aria-valuenow", "100")
        expect(choice).to_have_count(0)
        eventually((Path(south.download_dir) / "trip" / "a").exists, within=30)
        for name in ("a", "b", "c"):
            assert (Path(south.download_dir) / "trip" / name).read_bytes() == (trip / name).read_bytes()
        page.close()  # before the server, of which it would complain


def _made(parent: Path, name: str) -> str:
    (parent / name).mkdir()
    return name
