"""Manifests and digest lists as they come, slice by slice, until they are whole and checked.

They are not trusted before their hash is right, so each is collected in memory, at most
`MAX_MANIFEST` bytes, and nothing of it is looked at until then.
"""

from __future__ import annotations

from typing import Final

from bus.errors import ERR_MANIFEST, ShoalError
from bus.messages import MAX_MANIFEST
from peer.core.interface import StoreManifest

MOST: Final = 16
"""Manifests collected at a time; the one that was begun first gives way."""


class Collector:
    """Slices of manifests.  Used by one thread."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, str], bytearray] = {}

    def add(self, effect: StoreManifest) -> bytes | None:
        """Take a slice; returns the manifest when it is whole.  A slice that does not continue it is dropped.

        Raises:
            ShoalError: ERR_MANIFEST if it is larger than a manifest may be.
        """
        key = (effect.content, effect.manifest)
        if not 0 < effect.total <= MAX_MANIFEST:
            self._begun.pop(key, None)
            raise ShoalError(
                ERR_MANIFEST,
                f"manifest {effect.manifest[:16]} refused: {effect.total:,} bytes, the limit is {MAX_MANIFEST:,}",
            )
        if effect.offset == 0:
            self._begun.pop(key, None)
            while len(self._begun) >= MOST:
                del self._begun[next(iter(self._begun))]
            self._begun[key] = bytearray()
        collected = self._begun.get(key)
        if collected is None or effect.offset != len(collected) or effect.offset + effect.length > effect.total:
            return None
        collected += memoryview(effect.payload)[: effect.length]  # type: ignore[arg-type]
        if len(collected) < effect.total:
            return None
        return bytes(self._begun.pop(key))

    def drop(self, content: str) -> None:
        """Forget what was collected for a content."""
        for key in [key for key in self._begun if key[0] == content]:
            del self._begun[key]
