"""The page's state: a fold of the peer's published state into rows, and what changed since a client last looked.

    events ──▶ PublishedState ──settle()──▶ rows, each with the count of the change that made it ──▶ frame(seen)

Events only mark rows as touched; `settle` works out the touched rows, so a thousand events between two calls cost what
one costs.  A client is a number: the count of the last change it has.  Nothing is queued for anyone, so a page that
sleeps costs no memory, and one that comes back gets what it missed in one frame, or everything if that is not known.

    {epoch, seq}   epoch is random per start of the gateway, seq counts changes of rows
    Snapshot       the whole state
    Changes        rows set and keys removed after `base`; applied to a state at `base` they give the state at `seq`

Invariant: any chain of frames, each asked for with the seq of the one before, ends in the state a snapshot would give.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from bus import events
from bus.state import PublishedState
from gateway.view import rows
from gateway.view.rows import Notice, Row
from gateway.view.shaping import Shaper

MAX_REMOVED: Final = 4096
"""Removals remembered for clients that are behind; a client further behind gets a snapshot."""

RowKey = tuple[str, str]
"""(section, key)"""


class Snapshot(Struct, frozen=True):
    """The whole state of a page."""

    epoch: str
    seq: int
    state: dict[str, dict[str, Row]]


class Changes(Struct, frozen=True):
    """What makes the state at `base` the state at `seq`."""

    epoch: str
    base: int
    seq: int
    set: dict[str, dict[str, Row]]
    remove: dict[str, list[str]]


class PeerFacts(Struct, frozen=True):
    """What the page shows of this peer that the peer's events do not say."""

    name: str
    """The configured name."""
    upload_max: int
    stale: bool = True
    disk_free: int | None = None


class PageView:
    """The rows of one peer's page, with the order in which they changed."""

    def __init__(self, epoch: str, facts: PeerFacts) -> None:
        self.epoch = epoch
        self.seq = 0
        self.facts = facts
        self._published = PublishedState()
        self._rows: dict[str, dict[str, Row]] = {section: {} for section in rows.SECTIONS}
        # Key -> count of its newest change, oldest change first: a changed key is taken out and put back at the end.
        self._changed: dict[RowKey, int] = {}
        self._removed: dict[RowKey, int] = {}
        self._floor = 0  # changes up to here are no longer all known
        self._touched: dict[RowKey, None] = {(rows.PEER, rows.SELF): None}
        self._running: set[str] = set()  # downloads whose end is news

    def touch(self, published: PublishedState, applied: Iterable[events.Event]) -> None:
        """Note that these events were folded into `published`."""
        self._published = published
        for event in applied:
            self._touched.update(dict.fromkeys(_rows_of(event)))

    def replace(self, published: PublishedState) -> None:
        """Take another state: a snapshot from the peer replaced the one before."""
        self.touch(published, published.rows())
        self._running = {
            row.id for row in published.of(events.Transfer, "transfers") if not row.finished and row.state != "error"
        }
        for section, present in self._rows.items():
            self._touched.update(dict.fromkeys((section, key) for key in present))

    def set_facts(self, facts: PeerFacts) -> None:
        if facts != self.facts:
            self.facts = facts
            self._touched[rows.PEER, rows.SELF] = None

    def settle(self) -> bool:
        """Work out every touched row; True if a row changed."""
        before = self.seq
        shaper = Shaper(self._published)
        for section, key in self._touched:
            row: Row | None
            if section == rows.PEER:
                facts = self.facts
                row = shaper.this_peer(facts.name, facts.upload_max, facts.stale, facts.disk_free)
            else:
                row = shaper.row(section, key)
            self._put(section, key, row)
        self._touched = {}
        self._forget_old_removals()
        return self.seq != before

    @property
    def is_stale(self) -> bool:
        """Whether the rows may be old: the peer is silent, or was not heard of yet."""
        row = self.row(rows.PEER, rows.SELF)
        return not isinstance(row, rows.PeerRow) or row.stale

    def rows_of(self, section: str) -> dict[str, Row]:
        """A copy of one section: key -> row, in order of first appearance."""
        return dict(self._rows[section])

    def row(self, section: str, key: str) -> Row | None:
        return self._rows[section].get(key)

    def snapshot(self) -> Snapshot:
        return Snapshot(self.epoch, self.seq, {section: dict(present) for section, present in self._rows.items()})

    def frame(self, epoch: str, seen: int) -> Snapshot | Changes | None:
        """What a client needs that has the state `seen` of `epoch`; None if it has everything."""
        if epoch != self.epoch or seen > self.seq or seen < self._floor:
            return self.snapshot()
        if seen == self.seq:
            return None
        changed: dict[str, dict[str, Row]] = {}
        removed: dict[str, list[str]] = {}
        for (section, key), count in reversed(self._changed.items()):
            if count <= seen:
                break
            changed.setdefault(section, {})[key] = self._rows[section][key]
        for (section, key), count in reversed(self._removed.items()):
            if count <= seen:
                break
            removed.setdefault(section, []).append(key)
        return Changes(self.epoch, seen, self.seq, changed, removed)

    def notices(self, applied: Iterable[events.Event]) -> list[Notice]:
        """What to tell a user about events that just happened (not about those of a snapshot)."""
        told = []
        for event in applied:
            if isinstance(event, events.TransferCompleted | events.TransferFailed):
                # Said again at every start and change of a download that ended long ago.
                if event.id in self._running:
                    self._running.discard(event.id)
                    told.append(_end_of(event))
            elif isinstance(event, events.Transfer):
                self._running.add(event.id)
            elif isinstance(event, events.ContentHashed) and event.error:
                told.append(Notice("error", event.error))
            elif isinstance(event, events.ContentShared) and event.error:
                told.append(Notice("error", f"{event.name}: {event.error}", item=event.id))
        return told

    def check_invariants(self) -> None:
        """For tests: raises AssertionError if the bookkeeping disagrees with the rows."""
        present = {(section, key) for section, found in self._rows.items() for key in found}
        assert set(self._changed) == present
        assert not present & set(self._removed)
        for order in (self._changed, self._removed):
            assert list(order.values()) == sorted(order.values())
        assert len(self._removed) <= MAX_REMOVED
        assert all(count > self._floor for count in self._removed.values())

    def _put(self, section: str, key: str, row: Row | None) -> None:
        present = self._rows[section]
        if present.get(key) == row:
            return
        self.seq += 1
        self._changed.pop((section, key), None)
        self._removed.pop((section, key), None)
        if row is None:
            del present[key]
            self._removed[section, key] = self.seq
        else:
            present[key] = row
            self._changed[section, key] = self.seq

    def _forget_old_removals(self) -> None:
        for key in list(self._removed)[: max(0, len(self._removed) - MAX_REMOVED)]:
            self._floor = self._removed.pop(key)


def _rows_of(event: events.Event) -> list[RowKey]:
    """The rows that an event may change."""
    match event:
        case events.PeerStarted():
            return [(rows.PEER, rows.SELF)]
        case events.TrackerRow(endpoint=endpoint):
            return [(rows.TRACKER, endpoint)]
        case events.ContentHashing(path=path) | events.ContentHashed(path=path):
            return [(rows.HASHING, path)]
        case events.ContentShared(id=content) | events.ContentWithdrawn(id=content):
            return [(rows.SHARES, content)]
        case events.Transfer(id=content) | events.TransferRemoved(id=content):
            return [(rows.DOWNLOADS, content)]
        case events.UploadProgress(content=content, peer=peer) | events.UploadEnded(content=content, peer=peer):
            return [(rows.UPLOADS, f"{content}/{peer}")]
        case (
            events.SwarmHasChanged(content=content)
            | events.LimitsChanged(content=content)
            | events.LimitsCleared(content=content)
            | events.ContentUploaded(content=content)
        ):
            # The limits of all contents together are said of none.
            return [(rows.SHARES, content), (rows.DOWNLOADS, content)] if content else [(rows.PEER, rows.SELF)]
        case events.LinkRow(peer=peer):
            return [(rows.PEERS, peer), (rows.REPUTATION, peer), (rows.PEER, rows.SELF)]
        case events.ReputationChanged(peer=peer) | events.ReputationForgotten(peer=peer):
            return [(rows.REPUTATION, peer), (rows.PEERS, peer)]
    return []


def _end_of(download: events.TransferCompleted | events.TransferFailed) -> Notice:
    if isinstance(download, events.TransferCompleted):
        return Notice("success", f"{download.name} is complete", item=download.id)
    return Notice("error", f"{download.name}: {download.error}", download.error_code, download.id)
