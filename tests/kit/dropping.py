"""Dropping files on a page as a hand does: through the browser's own drag events, with real files and folders."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page


def drag_over(page: Page, *paths: Path) -> dict[str, object]:
    """Bring files and folders over the page, and hold them there."""
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})
    return data


def drop(page: Page, *paths: Path) -> None:
    """Drop files and folders on the page."""
    data = drag_over(page, *paths)
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchDragEvent", {"type": "drop", "x": 300, "y": 300, "data": data})
