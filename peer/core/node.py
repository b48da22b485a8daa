"""PeerNode: the whole protocol of a peer, as one object without I/O.

    effects = node.handle(event, now)
    deadline = node.next_deadline()
    effects = node.on_deadline(now)

It only wires the parts.  The service (sockets, disk) and the simulator drive the same object.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bus import messages as sent
from bus.boundary import (
    ContentId,
    DialFailed,
    LinkBlocked,
    LinkId,
    LinkLost,
    LinkUp,
    LinkWritable,
    Misbehaved,
    PeerId,
    Received,
)
from peer.core.capacity import Capacities
from peer.core.choker import CHOKERS
from peer.core.commands import Commands
from peer.core.download import Download, DownloadState
from peer.core.downloads import Downloads
from peer.core.explain import Explaining
from peer.core.footing import Footing
from peer.core.haves import Haves
from peer.core.interface import (
    ChunkChecked,
    Command,
    ContentAdded,
    CoreEffect,
    CoreEvent,
    DataRemoved,
    FilesLooked,
    Finished,
    ManifestParsed,
    ManifestRejected,
    PartRead,
    Prepared,
    ReadFailed,
    Reopened,
    ReopenFailed,
    ReplyWhenAnnounced,
    SpaceChecked,
    Stored,
    StoreFailed,
    Verified,
)
from peer.core.judging import Judging
from peer.core.library import Library
from peer.core.limit_record import LimitRecord, LocalTime
from peer.core.limiting import Limiting
from peer.core.limits import RateLimits
from peer.core.neighbours import Neighbours
from peer.core.opinions import Opinions
from peer.core.previews import Previews
from peer.core.receiving import Receiving
from peer.core.records import DownloadRecord, KnownContent
from peer.core.reports import Reports
from peer.core.searching import Searching
from peer.core.settings import NodeSettings
from peer.core.shelf import Shelf
from peer.core.source_choice import SOURCE_CHOICES
from peer.core.standing import Standing
from peer.core.swarms import Swarms
from peer.core.trackers import Trackers
from peer.core.turn import Turn
from peer.core.uploads import Uploads

LINK_REPORT: Final = 1.0


class PeerNode:
    """One peer's protocol."""

    def __init__(
        self,
        settings: NodeSettings,
        rng: random.Random,
        now: float,
        wall: float,
        contents: Iterable[KnownContent] = (),
        downloads: Iterable[DownloadRecord] = (),
        standings: dict[PeerId, Standing] | None = None,
        run_before: float = 0.0,
        limits: Iterable[LimitRecord] = (),
        uploaded: Mapping[ContentId, int] | None = None,
    ) -> None:
        """`run_before`: seconds that earlier runs took; `uploaded`: bytes they sent; `wall`: the clock at `now`."""
        self.settings = settings
        self.turn = turn = Turn(rng, now, wall)
        self.next_deadline = turn.timers.next
        """Tells when `on_deadline` is to be called."""
        self.opinions = Opinions(settings.reputation, standings or {}, run_before, turn)
        self.shelf = Shelf(turn)
        self.limits = RateLimits(settings.limit_up, settings.limit_down, now)
        self.neighbours = Neighbours(settings, turn, self.opinions.blocked)
        self.haves = Haves(turn, self.shelf)
        self.capacities = Capacities(turn, self.limits, self.neighbours, self.haves)
        self.reports = Reports(settings, turn, self.neighbours, self.capacities)
        self.trackers = Trackers(
            settings,
            turn,
            self.shelf,
            self._swarm_listed,
            self._swarm_changed,
            self._on_reached,
        )
        choker = CHOKERS[settings.choker]()
        choice = SOURCE_CHOICES[settings.source_choice](self.opinions.score, self.neighbours.rate_from, rng)
        self.uploads = Uploads(
            settings,
            turn,
            self.shelf,
            self.limits,
            self.neighbours,
            self.haves,
            choker,
            self.opinions.score,
            self.opinions.refused if choker.by_score else self.opinions.banned,
            self._footing,
            self.opinions.record,
            uploaded or {},
        )
        self.uploads.seeding.ask_count = self.trackers.query
        self.downloads = Downloads(
            settings,
            turn,
            self.shelf,
            self.limits,
            self.neighbours,
            self.haves,
            self.opinions,
            choice,
            self._download_changed,
            self.trackers.offers_changed,
        )
        self.fetching = self.downloads.fetching
        self.library = Library(
            turn,
            self.shelf,
            self.haves,
            self.trackers,
            self.uploads,
            self.downloads,
            self.reports,
            self._download_started,
            self.opinions.record,
        )
        self.limiting = Limiting(settings, turn, self.limits, limits, self.uploads, self.fetching)
        self.explaining = Explaining(
            turn,
            self.limits,
            self.neighbours,
            self.haves,
            self.fetching,
            lambda: list(self.downloads.active.values()),
            self.opinions,
            self.reports.unequal,
            self.uploads,
            settings.upload_slots,
        )
        self.swarms = Swarms(
            settings,
            turn,
            self.shelf,
            self.neighbours,
            self.trackers,
            self.downloads,
            choice,
            self.opinions.refused,
        )
        judging = Judging(
            settings.peer,
            turn,
            self.opinions,
            self.neighbours,
            self.uploads,
            self.downloads,
            self.swarms,
            self.shelf,
            self.haves,
            self._end_link,
        )
        self.searching = Searching(turn, self.trackers)
        self.previews = Previews(
            turn,
            self.neighbours,
            self.haves,
            self.trackers,
            self.downloads,
            self.swarms,
            self.searching,
            self.reports.unequal,
        )
        self.commands = Commands(
            settings,
            turn,
            self.shelf,
            self.trackers,
            self.downloads,
            self.library,
            self.limiting,
            self.explaining,
            judging,
            self.searching,
            self.previews,
        )
        self.receiving = Receiving(
            turn,
            self.neighbours,
            self.haves,
            self.trackers,
            self.uploads,
            self.downloads,
            self.library,
            self.commands,
            self.swarms,
            self.capacities,
        )
        self._on_timer = self._timer_table()
        self._on_event: dict[type, Callable[..., None]] = self._event_table()
        self._start(list(contents), list(downloads))

    def _start(self, contents: list[KnownContent], downloads: list[DownloadRecord]) -> None:
        for record in downloads:
            if record.finished:
                self.reports.remember(record)
        for content in contents:
            self.library.put_known(content)
        for record in downloads:
            if not record.finished:
                self.library.start_download(record)
        self.opinions.publish_all()
        self.turn.timers.set(("links",), self.turn.now + LINK_REPORT)

    # -- the three calls --

    def handle(self, event: CoreEvent, now: float) -> list[CoreEffect]:
        """Take in one event; returns the effects it has, in order."""
        turn = self.turn
        turn.now = now
        self._on_event[type(event)](event)
        effects, turn.effects = turn.effects, []
        return effects

    def on_deadline(self, now: float) -> list[CoreEffect]:
        """Time passed."""
        self.turn.now = now
        for key in self.turn.timers.pop_due(now):
            self._on_timer[key[0]](*key[1:])
        return self.turn.take_effects()

    def start_effects(self) -> list[CoreEffect]:
        """The effects of construction: dials, and events about what is there."""
        return self.turn.take_effects()

    def stop(self, now: float) -> list[CoreEffect]:
        """Say good-bye: end streams, leave the trackers, keep all records."""
        self.turn.now = now
        self.downloads.stop()
        self.uploads.stop()
        self.trackers.leave()
        return self.turn.take_effects()

    def _timer_table(self) -> dict[object, Callable[..., None]]:
        """What each timer does, by the first word of its key; the rest of the key are the arguments."""
        fetching, uploads, trackers = self.fetching, self.uploads, self.trackers
        return {
            "ping": self.receiving.ping_due,
            "haves": self.haves.flush,
            "report": lambda: self.reports.progress_due(self.downloads, uploads),
            "links": self._links_due,
            "send": uploads.sending.pump,
            "choke": uploads.choke_due,
            "offers": uploads.seeding.due,
            "credit": fetching.granting.due,
            "ask": fetching.ask_due,
            "steal": fetching.asking.steal_due,
            "stall": fetching.stalls_due,
            "keep": self.library.keep_due,
            "space": self.library.space_due,
            "forgive": fetching.forgive_due,
            "look": self.swarms.look,
            "introduce": self.swarms.introduce_due,
            "announce": trackers.announce_due,
            "renew": trackers.renew_due,
            "tracker_dial": trackers.dial_due,
            "tracker_ping": trackers.ping_due,
            "tracker_request": trackers.request_due,
            "search": self.searching.due,
            "settle": self.commands.settle_due,
            "preview": self.previews.due,
        }

    def _links_due(self) -> None:
        if self.settings.reports_progress:
            self.neighbours.report_progress()
        self.capacities.sample(self.uploads.sending.meter.rate(self.turn.now))
        self.turn.timers.set(("links",), self.turn.now + LINK_REPORT)

    # -- links --

    def _event_table(self) -> dict[type, Callable[..., None]]:
        downloads, uploads = self.downloads, self.uploads
        return {
            LinkUp: self.receiving.link_up,
            LinkLost: self.receiving.link_lost,
            DialFailed: self.receiving.dial_failed,
            LinkBlocked: self.receiving.link_flow,
            LinkWritable: self.receiving.link_flow,
            Received: self.receiving.received,
            Misbehaved: self.receiving.misbehaved,
            Command: lambda e: self.commands.handle(e.token, e.message),
            ReplyWhenAnnounced: self.commands.reply_when_announced,
            ContentAdded: lambda e: self.library.content_added(e.content),
            PartRead: uploads.sending.on_part_read,
            ReadFailed: self.library.read_failed,
            Stored: downloads.on_stored,
            SpaceChecked: self.library.space_checked,
            StoreFailed: self._store_failed,
            ManifestParsed: self._manifest_parsed,
            ManifestRejected: downloads.on_manifest_rejected,
            Prepared: self._prepared,
            Finished: self.library.finished,
            Verified: self.library.verified,
            FilesLooked: self.library.files_looked,
            Reopened: self._reopened,
            ReopenFailed: self.commands.again.reopen_failed,
            ChunkChecked: self._chunk_checked,
            LocalTime: self.limiting.local_time,
            DataRemoved: lambda e: self.commands.removed(e.content, e.error),
        }

    # -- callbacks of the parts --

    def _footing(self, peer: PeerId) -> Footing:
        """On what footing a peer takes from us, by what it gave us or refused to give, or by our user's word."""
        if not self.opinions.unproven(peer):
            return Footing.KNOWN  # as everybody is where nothing counts
        took = self.neighbours.traffic[peer].up.total
        return Footing.FREE_RIDER if took and self.fetching.kept_waiting(peer) else Footing.NEWCOMER

    def _end_link(self, link: LinkId, reason: str) -> None:
        self.receiving.end_link(link, reason)

    def _manifest_parsed(self, event: ManifestParsed) -> None:
        if event.layout is not None:
            self.previews.manifest_read(event.content, event.layout)
        else:
            self.downloads.on_manifest_parsed(event)

    def _prepared(self, event: Prepared) -> None:
        self.downloads.on_prepared(event)
        self.previews.known(event.content, event.name, event.layout)

    def _store_failed(self, event: StoreFailed) -> None:
        self.downloads.on_store_failed(event)
        self.previews.store_failed(event)

    def _download_started(self, record: DownloadRecord) -> None:
        self.previews.give_way(record.id)
        self.swarms.look(record.id)
        self._download_changed(self.downloads.active[record.id])

    def _download_changed(self, download: Download) -> None:
        if download.state is not DownloadState.REMOVED and not download.preview:
            self.reports.download_changed(download, self.downloads)

    def _chunk_checked(self, event: ChunkChecked) -> None:
        self.library.chunk_checked(event)
        self.commands.again.checked(event)

    def _reopened(self, event: Reopened) -> None:
        self.library.reopened(event)
        self.commands.again.reopened(event)

    def _swarm_listed(self, swarm: sent.Swarm) -> None:
        self.swarms.listed(swarm)
        self.uploads.seeding.counted(swarm.content, swarm.seeds)

    def _swarm_changed(self, push: sent.SwarmChanged) -> None:
        self.swarms.changed(push)
        self.uploads.seeding.counted(push.content, push.seeds)

    def _on_reached(self) -> None:
        self.swarms.tracker_reached()
        self.searching.tracker_reached()
