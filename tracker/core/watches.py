"""Watches: who is told when a swarm changes, how often, and of what.

A push is a hint.  A watcher hears of a content's first change at once and then at most once
per interval, with the counts of that moment and a random few of the peers that came and
went; whoever wants more asks.  Work is per push, never per change and watcher: a watcher
whose next push is already timed costs nothing until then.

    quiet    no timer is set; the next change pushes at once, or sets one
    timed    one timer is set, at which what has changed since the last push is told

Each link also has a pace, so that a peer that watches thousands of contents, all of which
change together (another seed of all of them arrives), gets them spread out instead of
losing its link to an overflow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Final

from bus.boundary import ContentId, LinkId, PeerId
from tracker.core.interface import Limits
from tracker.core.selection import pick
from tracker.core.timers import Timers

REMEMBERED: Final = 256
"""Changes of one content kept for pushes to come; older ones are in the counts only."""


class Pace:
    """When a link may be pushed to: `push_burst` at once, then `push_rate` a second."""

    __slots__ = ("_full_at", "_span", "_step")

    def __init__(self, limits: Limits) -> None:
        self._step = 1.0 / limits.push_rate
        self._span = limits.push_burst / limits.push_rate
        self._full_at = 0.0

    def reserve(self, now: float) -> float:
        """The time of the next free slot, now or later; it is then taken."""
        self._full_at = max(self._full_at, now) + self._step
        return max(now, self._full_at - self._span)

    def ahead(self, now: float) -> float:
        """Seconds until there is a free slot."""
        return max(0.0, self._full_at - self._span - now)


class Watching:
    """One link's interest in one content."""

    __slots__ = ("content", "link", "not_before", "pace", "peer", "told")

    def __init__(self, content: ContentId, link: LinkId, peer: PeerId, pace: Pace, told: int) -> None:
        self.content = content
        self.link = link
        self.peer = peer
        self.pace = pace
        self.told = told
        """Changes of the content that this watcher has been told of, or that were before its time."""
        self.not_before = 0.0


class Watched:
    """One content that somebody watches."""

    __slots__ = ("changed", "changes", "quiet", "watches")

    def __init__(self) -> None:
        self.watches: dict[LinkId, Watching] = {}
        self.quiet: dict[LinkId, Watching] = {}
        self.changes = 0
        self.changed: deque[PeerId] | None = None
        """The peers of the newest changes; the last one is change number `changes`.  Made at the first: anybody may
        watch what nobody has, and an empty one takes more memory than all the rest."""

    def since(self, told: int, most: int, rng: Random) -> list[PeerId]:
        """The peers of the remembered changes after `told`, each once: all of them, or `most` random ones."""
        changed = self.changed or ()
        kept = len(changed)
        count = min(self.changes - told, kept)
        if count > most:
            return list(dict.fromkeys(changed[index] for index in pick(range(kept - count, kept), most, rng)))
        return list(dict.fromkeys(changed[index] for index in range(kept - count, kept)))


Push = Callable[[Watching, list[PeerId], float], bool]
"""Tell a watcher of these peers' changes; False if its link takes nothing now."""


class Watches:
    """All watches; pushes through the function it is given."""

    __slots__ = ("_contents", "_interval", "_most", "_push", "_rng", "_timers")

    def __init__(self, limits: Limits, timers: Timers, rng: Random, push: Push) -> None:
        self._interval = limits.push_interval
        self._most = 2 * limits.push_peers  # some came, some went
        self._rng = rng
        self._timers = timers
        self._push = push
        self._contents: dict[ContentId, Watched] = {}

    def __len__(self) -> int:
        return len(self._contents)

    def add(self, content: ContentId, link: LinkId, peer: PeerId, pace: Pace) -> None:
        """Start a watch; one that exists goes on."""
        watched = self._contents.get(content)
        if watched is None:
            watched = self._contents[content] = Watched()
        if link not in watched.watches:
            watch = watched.watches[link] = Watching(content, link, peer, pace, watched.changes)
            watched.quiet[link] = watch

    def remove(self, contents: Iterable[ContentId], link: LinkId) -> None:
        """End a link's watches of these contents."""
        for content in contents:
            watched = self._contents.get(content)
            if watched is None:
                continue
            watched.watches.pop(link, None)
            watched.quiet.pop(link, None)
            if not watched.watches:
                del self._contents[content]

    def note(self, content: ContentId, peer: PeerId, now: float) -> None:
        """A swarm changed because of `peer`."""
        watched = self._contents.get(content)
        if watched is None:
            return
        watched.changes += 1
        if watched.changed is None:
            watched.changed = deque(maxlen=REMEMBERED)
        watched.changed.append(peer)
        for watch in list(watched.quiet.values()):
            if watch.peer == peer:
                continue  # its own doing is no news to it
            when = max(watch.not_before, watch.pace.reserve(now))
            if when <= now:
                if self._tell(watched, watch, now):
                    continue
                when = now + self._interval
            del watched.quiet[watch.link]
            self._timers.at(when, self._fire, watch)

    def _fire(self, watch: Watching, now: float) -> None:
        watched = self._contents.get(watch.content)
        if watched is None or watched.watches.get(watch.link) is not watch:
            return
        if self._tell(watched, watch, now):
            watched.quiet[watch.link] = watch
        else:
            self._timers.at(now + self._interval, self._fire, watch)

    def _tell(self, watched: Watched, watch: Watching, now: float) -> bool:
        if not self._push(watch, watched.since(watch.told, self._most, self._rng), now):
            return False
        watch.told = watched.changes
        watch.not_before = now + self._interval
        return True

    def check_invariants(self) -> None:
        """Raises AssertionError if an empty content is kept or a quiet watch is no watch; for tests."""
        for watched in self._contents.values():
            assert watched.watches
            assert all(watched.watches.get(link) is watch for link, watch in watched.quiet.items())
