"""What is kept of contents and downloads across restarts."""

from __future__ import annotations

from msgspec import Struct

from bus.boundary import ContentId, PeerId
from bus.events import ItemState
from bus.messages import Priority
from peer.core.bitmap import Range
from peer.core.layout import Layout


class KnownContent(Struct, frozen=True):
    """A content this peer offers whole: shared in place, or downloaded and finished."""

    id: ContentId
    name: str
    layout: Layout
    path: str
    upload: bool
    """Received through the page."""
    downloaded: bool
    """Fetched by Shoal, so remove --data may delete it."""
    added: float
    """Wall clock, seconds since 1970."""
    paused: bool = False
    unchecked: bool = False
    """Of an earlier run, and its files were not looked at yet: it is not offered before they were."""

    @property
    def state(self) -> ItemState:
        """As users see it, if nothing is wrong with it."""
        return "paused" if self.paused else "verifying" if self.unchecked else "seeding"


class DownloadRecord(Struct, frozen=True):
    """What is kept of a download across restarts."""

    id: ContentId
    name: str
    """Empty until known."""
    directory: str
    """Absolute path of the folder it goes to."""
    path: str
    """Final path, empty until the manifest is known."""
    only: tuple[str, ...]
    trackers: tuple[tuple[str, str], ...]
    """(endpoint, public key) of the trackers its link named."""
    paused: bool
    added: float
    seconds: float = 0.0
    finished: float = 0.0
    sources: tuple[tuple[PeerId, int], ...] = ()
    duplicate_bytes: int = 0
    rejected_bytes: int = 0
    priority: Priority = "normal"
    sequential: bool = False
    """Chunks from first to last, whatever picker is configured."""
    optimum: float = 0.0
    """Seconds that any way of sharing would need at least, 0 while unknown."""
    least: float = 0.0
    """The same of the bytes that came in `seconds`."""
    file_priorities: tuple[tuple[str, Priority], ...] = ()
    """Of files and folders of a tree, by path (file_priority.py)."""
    left_out: tuple[Range, ...] = ()
    """Entries of a tree that are not fetched though `only` names them (selection.py)."""
