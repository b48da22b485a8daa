"""The peer's events as a page that looks at them gets them, through a real gateway."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from bus import events
from tests.kit.page_frames import OpenPage
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web")) as web:
        yield web


def test_a_page_that_asks_for_events_gets_those_of_its_topic_and_counts_of_all_until_it_asks_for_no_more(web):
    with OpenPage(web) as page, OpenPage(web) as other:
        for wrong in ({"topic": 5}, {"topic": "x" * 65}, {"subject": ""}, "link."):
            page.say("tap", wrong)
        page.say("tap", {"topic": "link."})
        eventually(lambda: any("heartbeat.peer" in frame["counts"] for frame in page.events), within=5)
        web.publish(events.LinkIsUp("5a" * 32, "ada", "tcp://10.0.0.1:1", True, 0.0, 0.0, 5, 7, ""))
        seen = eventually(lambda: [one for frame in page.events for one in frame["events"]], within=5)
        assert [one["type"] for one in seen] == ["link.up"]
        assert json.loads(seen[0]["body"])["name"] == "ada"
        assert set(seen[0]) == {"type", "seq", "time", "body", "cut", "missed"}
        assert all(set(frame) == {"events", "dropped", "counts", "missed"} for frame in page.events)
        page.say("untap")
        page.say("tap", "nonsense")
        frames = len(page.events)
        begin = time.monotonic()
        eventually(lambda: time.monotonic() > begin + 1.5, within=5)  # the peer's heart beats every second
        assert len(page.events) <= frames + 1  # one may have been on its way
        assert other.events == []


def test_a_flood_reaches_a_page_that_looks_as_its_newest_events_and_the_number_of_the_others(web):
    flood = 30_000
    with OpenPage(web) as page:
        page.say("tap", {"topic": "upload."})
        eventually(lambda: page.events, within=5)
        begin = time.monotonic()
        web.order(f"flood {flood}")

        def counted() -> int:
            came: int = sum(frame["counts"].get("upload.progress", 0) for frame in page.events)
            missed: int = sum(frame["missed"].get("upload", 0) for frame in page.events)
            return came + missed

        eventually(lambda: counted() >= flood + 1, within=30)
        assert counted() == flood + 1
        frames = page.events
        assert len(frames) <= 10 * (time.monotonic() - begin) + 3
        assert max(len(frame["events"]) for frame in frames) <= 200
        shown = sum(len(frame["events"]) + frame["dropped"] for frame in frames)
        assert shown == sum(frame["counts"].get("upload.progress", 0) for frame in frames)
