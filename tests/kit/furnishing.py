"""A bit of everything that a page can show, with names nobody would choose."""

from __future__ import annotations

from bus import events
from tests.kit.web_peer import WebPeer

PEER = "5a" * 32
MARKUP = "<img src=x onerror=alert(1)><b>&amp;</b>"
LONG = "a-name-without-a-space-" * 9


def furnish(web: WebPeer) -> None:
    """Publish it."""
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
            "d1" * 32, MARKUP, "tree", 2**22, "/d/x", "downloading", 2**20, 4, 1, 2e6, 90.0, 1.0, 0, 4096,
            sources, "ff800000", "", "", 1e9, 0.0,
        )
    )  # fmt: skip
