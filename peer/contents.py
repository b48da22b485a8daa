"""What this peer has on its disk, by content id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bus.boundary import ContentId
from bus.errors import ERR_NOT_FOUND, ShoalError
from peer.reading import Source
from peer.shared import SharedFiles
from peer.temporary import TemporaryFiles

SHORTEST_PREFIX: Final = 8
"""Digits of an id that may stand for it."""


class Contents:
    """Contents offered whole, and downloads whose files are open.

    Changed by one thread, looked at by all: each lookup is one step for the interpreter.
    """

    def __init__(self) -> None:
        self.shared: dict[ContentId, SharedFiles] = {}
        self.downloads: dict[ContentId, TemporaryFiles] = {}

    def source(self, content: ContentId) -> Source:
        """Where a content's bytes can be read.

        Raises:
            ShoalError: ERR_NOT_FOUND.
        """
        source = self.shared.get(content) or self.downloads.get(content)
        if source is None:
            raise ShoalError(ERR_NOT_FOUND, f"content {content[:16]} is not here; it was removed, or is not ready yet")
        return source

    def find(self, content: str) -> tuple[ContentId, Source] | None:
        """A content named by its id, or by 8 or more of its first digits if only one has them."""
        found = self.shared.get(content) or self.downloads.get(content)
        if found is not None:
            return content, found
        matches = dict(self._beginning_with(content)) if len(content) >= SHORTEST_PREFIX else {}
        return next(iter(matches.items())) if len(matches) == 1 else None

    def _beginning_with(self, digits: str) -> Iterator[tuple[ContentId, Source]]:
        for known in (self.downloads, self.shared):
            for content in list(known):
                source = known.get(content)
                if source is not None and content.startswith(digits):
                    yield content, source
