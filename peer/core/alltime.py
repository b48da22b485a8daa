"""How many bytes of each content were ever uploaded: counted as they go, told and kept now and then.

Absolute figures, so telling or keeping one twice changes nothing.  What was counted since the last time is lost in a
crash: two seconds of a figure that only people look at.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from bus.boundary import ContentId
from bus.events import ContentUploaded
from peer.core.downloads import KEEP_EVERY
from peer.core.interface import KeepUploaded
from peer.core.turn import Turn


class Uploaded(Struct):
    """What was uploaded of one content."""

    content: ContentId
    bytes: int
    """Of its chunks, to all peers, in all runs; what is sent twice counts twice."""
    told: int
    """As published and kept last."""


class AllTime:
    """What was uploaded of every content, in all runs."""

    def __init__(self, turn: Turn, kept: Mapping[ContentId, int]) -> None:
        """`kept` is what earlier runs uploaded."""
        self._turn = turn
        self._all = {content: Uploaded(content, size, size) for content, size in kept.items()}
        self._changed: dict[ContentId, Uploaded] = {}
        """Those of which `bytes` is not `told`."""
        for content, size in kept.items():
            turn.publish(ContentUploaded(content, size))

    def of(self, content: ContentId) -> Uploaded:
        """The count of a content: one object as long as the process runs."""
        found = self._all.get(content)
        if found is None:
            found = self._all[content] = Uploaded(content, 0, 0)
        return found

    def count(self, uploaded: Uploaded, size: int) -> None:
        """Bytes of a content's chunks went out."""
        if uploaded.bytes == uploaded.told:
            self._changed[uploaded.content] = uploaded
            self._turn.timers.set_earlier(("keep",), self._turn.now + KEEP_EVERY)
        uploaded.bytes += size

    def keep(self) -> None:
        """Publish and keep what changed since the last time."""
        if not self._changed:
            return
        for uploaded in self._changed.values():
            uploaded.told = uploaded.bytes
            self._turn.publish(ContentUploaded(uploaded.content, uploaded.bytes))
        self._turn.add(KeepUploaded(tuple((content, one.bytes) for content, one in self._changed.items())))
        self._changed.clear()

    def forget(self, content: ContentId) -> None:
        """A content was removed: should it come again, it begins at 0."""
        uploaded = self._all.get(content)
        if uploaded is not None and uploaded.bytes:
            uploaded.bytes = uploaded.told = 0
            self._changed.pop(content, None)
            self._turn.publish(ContentUploaded(content, 0))
