"""Why a download is slow or stuck: one cause for each source, and the one that decides, with numbers.

Of what is complete: how fast it goes out, to how many, who waits, and which limit holds.

Nothing is kept for this: the answer is read off the state by which the download is driven.

    of a source                                        of the download, the first that holds
    refused, resting   it is not asked for now         paused, error, disk   it is not fetching
    withheld, nothing  it offers nothing missing       no_source             nobody has anything missing
    choked             it has given no slot            rate_limit            our own limit
    credit             what came is not yet written    credit                our own disk
    rate_limit         our limit holds back credit     priority              others come first
    priority, busy     others come first               endgame               everything is asked for
    endgame            all it has is asked for         silent                nobody sends a byte
    silent, sending    it is at its own pace           source, choked        the sources' pace; no slot anywhere
    blocked            our user wants no link with it
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from msgspec.structs import replace

from bus.boundary import ContentId, LinkId, PeerId
from bus.messages import Explained, Pieces, SourceExplained
from bus.units import format_duration, format_rate, format_size
from peer.core.download import Download, DownloadState
from peer.core.fetching import Fetching
from peer.core.haves import Haves
from peer.core.layout import Layout
from peer.core.limits import RateLimits
from peer.core.neighbours import Neighbours
from peer.core.opinions import Opinions
from peer.core.pieces import Offered, pieces_of
from peer.core.priority import RANKS
from peer.core.records import KnownContent
from peer.core.source import Source, SourceState
from peer.core.turn import Turn
from peer.core.uploads import Uploads

SILENT_AFTER: Final = 5.0
"""Seconds without a byte, with credit left, after which a source is called silent."""
AT_LIMIT: Final = 0.9
"""Share of a limit from which on it is what decides: nothing faster can be measured."""
MAX_SOURCES: Final = 200
MAX_NAMED: Final = 5
"""Peers that one line names."""
MAX_REASON: Final = 200
"""Characters of why one of them cannot be linked."""

Reason = tuple[str, str]
"""(cause, one line)"""


class Explaining:
    """Reads causes off the engine's state."""

    def __init__(
        self,
        turn: Turn,
        limits: RateLimits,
        neighbours: Neighbours,
        haves: Haves,
        fetching: Fetching,
        downloads: Callable[[], list[Download]],
        opinions: Opinions,
        unequal: Callable[[Download], str],
        uploads: Uploads,
        slots: int,
    ) -> None:
        """`downloads` gives all that run; `unequal` the line about peers of which only one side encrypts, or "".

        `slots` is how many uploads may go on at a time.
        """
        self._turn = turn
        self._limits = limits
        self._neighbours = neighbours
        self._haves = haves
        self._fetching = fetching
        self._downloads = downloads
        self._opinions = opinions
        self._unequal = unequal
        self._uploads = uploads
        self._slots = slots

    def answer(self, download: Download) -> Explained:
        """The causes for one download."""
        content, now = download.record.id, self._turn.now
        moves = download.state in (DownloadState.MANIFEST, DownloadState.FETCHING)
        rows = [self._row(download, link) for link in download.maps if moves and link in self._fetching.sources]
        if moves:
            rows += [_blocked(peer) for peer in download.candidates if self._opinions.blocked(peer)]
        unwritten = sum(job.size for job in self._fetching.jobs.values() if job.content == content)
        limit, limit_of = self._limit(download)
        cause, text = self._stopped(download) or self._decides(download, rows, unwritten)
        return Explained(
            request=0,
            content=content,
            name=download.record.name,
            state=download.item_state(now),
            cause=cause,
            text=text,
            rate=_rate(download.meter.rate(now)) if moves else 0.0,
            missing=download.missing.bit_count(),
            free=download.open_chunks.bit_count(),
            to_come=sum(row.to_come for row in rows),
            unwritten=unwritten,
            limit=limit,
            limit_of=limit_of,
            sources=rows[:MAX_SOURCES],
        )

    def complete(self, content: KnownContent, damaged: str) -> Explained:
        """Of a content that is no running download; `damaged` says what is wrong with it, if anything is."""
        if damaged:
            return _of_known(content, "error", "error", f"{damaged}; `shoal verify` looks again")
        if content.paused:
            return _of_known(content, "paused", "complete", "it is complete, and paused; `shoal resume` lets it go on")
        if content.unchecked:
            return _of_known(content, "verifying", "disk", "it is offered once its files were looked at")
        rates = self._uploads.sending.rates(content.id)
        rate = sum(rates.values())
        limit = self._limits.rate_of("up", content.id)
        of_content = limit and limit == self._limits.own_rate("up", content.id)
        words = ["it is complete"]
        words.append(f"{format_rate(rate)} go to {_many(len(rates), 'peer')}" if rates else "nobody fetches it now")
        words.append(f"{self._uploads.slots_used} of {_many(self._slots, 'upload slot')} in use")
        if waiting := self._uploads.waiting_for(content.id):
            names = ", ".join(self._called(link) for link in waiting[:MAX_NAMED])
            more = f" and {len(waiting) - MAX_NAMED} more" if len(waiting) > MAX_NAMED else ""
            words.append(f"{_many(len(waiting), 'peer')} without a slot: {names}{more}")
        if limit:
            whose = "uploads of this content are" if of_content else "all uploads together are"
            reached = ", and reach it" if rate >= AT_LIMIT * limit else ""
            words.append(f"{whose} limited to {format_rate(limit)}{reached}")
        answer = _of_known(content, "seeding", "complete", "; ".join(words))
        whose_limit: Literal["", "all", "content"] = "" if not limit else "content" if of_content else "all"
        return replace(answer, rate=_rate(rate), limit=limit, limit_of=whose_limit)

    def pieces(self, content: ContentId, layout: Layout, held: int) -> Pieces:
        """Which parts of a content are here, and what the linked peers have of it."""
        offers = [
            Offered(self._neighbours.by_link[link].peer, mask & layout.all_chunks, self._haves.is_seed(link, content))
            for link, mask in self._haves.interested(content)
            if link in self._neighbours.by_link
        ]
        return pieces_of(content, layout, held, offers)

    def _called(self, link: LinkId) -> str:
        neighbour = self._neighbours.by_link[link]
        return f"{neighbour.name} ({neighbour.peer[:8]})" if neighbour.name else neighbour.peer[:8]

    # -- the download --

    def _stopped(self, download: Download) -> Reason | None:
        if download.state is DownloadState.PAUSED:
            return "paused", "it is paused; `shoal resume` lets it go on"
        if download.state is DownloadState.FAILED:
            return "error", f"it stopped: {download.error}; `shoal resume` tries again"
        if download.state is DownloadState.PREPARING:
            return "disk", "its files are being opened, and what they hold is looked at"
        if download.state is DownloadState.FINISHING:
            return "disk", "every chunk is here; it is forced to the disk and put under its name"
        return None

    def _decides(self, download: Download, rows: list[SourceExplained], unwritten: int) -> Reason:
        causes = {row.cause: row.text for row in rows}
        what = "its manifest" if download.layout is None else _many(download.missing.bit_count(), "missing chunk")
        if not any(row.cause not in ("nothing", "withheld", "resting", "refused", "blocked") for row in rows):
            if seeds := sum(1 for row in rows if row.cause == "withheld"):
                linked = f"{_many(seeds, 'seed')} linked, handing out chunks one by one, and none"
                return "choked", f"{linked} for us right now; {what}"
            return "no_source", self._no_source(download, rows, what)
        if "rate_limit" in causes:
            limit, limit_of = self._limit(download)
            whose = "this content is" if limit_of == "content" else "all downloads together are"
            return "rate_limit", f"{whose} limited to {format_rate(limit)}; `shoal limit --down` changes it"
        if "credit" in causes:
            return "credit", f"the disk is behind: {format_size(unwritten)} came and wait to be written"
        if "priority" in causes:
            return "priority", causes["priority"]
        sending = [row for row in rows if row.cause in ("sending", "silent", "endgame", "busy")]
        if sending:
            return self._sources_decide(download, sending, what)
        waiting = sum(1 for row in rows if row.cause == "choked")
        return "choked", f"{_many(waiting, 'source')} with what is missing; no upload slot was given yet"

    def _sources_decide(self, download: Download, rows: list[SourceExplained], what: str) -> Reason:
        to_come = format_size(sum(row.to_come for row in rows))
        silent = sum(1 for row in rows if row.cause == "silent")
        if silent == len(rows):
            return "silent", f"{_many(silent, 'source')} may send, and no byte comes: {to_come} asked for"
        if download.layout is not None and not download.open_chunks:
            return (
                "endgame",
                f"the last {what}: all asked for; {to_come} still to come from {_many(len(rows), 'source')}",
            )
        rate = format_rate(download.meter.rate(self._turn.now))
        return "source", f"{rate} is what {_many(len(rows), 'source')} can send; {what}"

    def _no_source(self, download: Download, rows: list[SourceExplained], what: str) -> str:
        named = len(download.candidates)
        linked = sum(1 for peer in download.candidates if peer in self._neighbours.by_peer)
        held = sum(1 for row in rows if row.cause in ("resting", "refused"))
        offers = f"{_many(held, 'source')} not asked for now, and nobody else" if held else "nobody linked"
        more = f"; {unequal}" if (unequal := self._unequal(download)) else ""
        if blocked := sum(1 for row in rows if row.cause == "blocked"):
            more += f"; {_many(blocked, 'peer')} blocked here"
        reasons: dict[str, PeerId] = {}
        for peer in download.candidates:
            if peer not in self._neighbours.by_peer and (reason := self._neighbours.why_unreached(peer)):
                reasons.setdefault(reason, peer)
        more += "".join(f"; {peer[:8]}: {reason[:MAX_REASON]}" for reason, peer in list(reasons.items())[:MAX_NAMED])
        return f"{offers} offers {what}; trackers name {_many(named, 'peer')}, {linked} linked{more}"

    def _limit(self, download: Download) -> tuple[int, Literal["", "all", "content"]]:
        """The download limit that applies, and whose it is."""
        rate = self._limits.rate_of("down", download.record.id)
        if not rate:
            return 0, ""
        return rate, "content" if rate == self._limits.own_rate("down", download.record.id) else "all"

    # -- one source --

    def _row(self, download: Download, link: LinkId) -> SourceExplained:
        source = self._fetching.sources[link]
        window = source.window
        cause, text = self._reason(download, source)
        is_open = source.state is SourceState.OPEN
        return SourceExplained(
            peer=source.peer,
            cause=cause,
            text=text,
            rate=_rate(source.meter.rate(self._turn.now)) if is_open else 0.0,
            chunks=(download.offered(link) & download.missing).bit_count(),
            to_come=source.unreceived_of(download.record.id),
            credit=window.limit - window.received if is_open else 0,
            unwritten=window.received - window.consumed if is_open else 0,
        )

    def _reason(self, download: Download, source: Source) -> Reason:
        now = self._turn.now
        if self._opinions.refused(source.peer):
            return "refused", "its reputation is too low; it is not asked"
        offers = download.layout is None or download.offered(source.link) & download.missing
        is_seed = self._haves.is_seed(source.link, download.record.id)
        if not offers and not is_seed:
            return "nothing", "it has nothing that is missing here"
        rest = self._fetching.rests_until(source.link) - now
        if rest > 0:
            return "resting", f"asked again in {format_duration(rest)}: it refused, was late or broke the protocol"
        if source.state is SourceState.WAITING:
            return "choked", f"it has given no upload slot for {format_duration(now - source.moved_at)}"
        if not offers:
            return "withheld", "a seed that hands out its chunks one by one, and offers none to us now"
        if source.state is SourceState.IDLE:
            return "idle", "no stream is open; one is asked for within 5 s"
        return self._open_reason(download, source)

    def _open_reason(self, download: Download, source: Source) -> Reason:
        now, window, content = self._turn.now, source.window, download.record.id
        if self._is_limited(download, source):
            return "rate_limit", "our own limit lets it send no faster"
        if not source.unreceived_of(content):
            return self._not_asked(download, source)
        credit, unwritten = window.limit - window.received, window.received - window.consumed
        if not credit and unwritten > window.window // 2:
            return "credit", f"its window of {format_size(window.window)} is full: {format_size(unwritten)} not written"
        quiet = now - source.moved_at
        if credit and quiet >= SILENT_AFTER:
            return "silent", f"{format_size(credit)} of credit and no byte for {format_duration(quiet)}"
        return "sending", f"{format_size(source.unreceived_of(content))} asked for, {format_size(credit)} of credit"

    def _is_limited(self, download: Download, source: Source) -> bool:
        """Whether our own limit decides how fast this source sends: it holds something back, or is reached."""
        content, now = download.record.id, self._turn.now
        own, total = self._limits.own_rate("down", content), self._limits.own_rate("down")
        if own and (self._limits.own_ready_at("down", content, now) > now):
            return True
        if not (own or total):
            return False
        reached = (own and download.meter.rate(now) >= AT_LIMIT * own) or (
            total and self._fetching.meter.rate(now) >= AT_LIMIT * total
        )
        return bool(reached) or self._fetching.granting.is_held_back(source.link)

    def _not_asked(self, download: Download, source: Source) -> Reason:
        """It offers what is missing and is not asked for any of it."""
        rank = RANKS[download.record.priority]
        others = [d for d in self._downloads() if source.unreceived_of(d.record.id)]
        before = sum(1 for d in others if RANKS[d.record.priority] < rank)
        if before:
            return (
                "priority",
                f"{_many(before, 'download')} of higher priority {'comes' if before == 1 else 'come'} first",
            )
        if download.layout is not None and not download.open_chunks & download.offered(source.link):
            return "endgame", "all it has that is missing is asked of others"
        return "busy", f"{format_size(source.unreceived)} of other downloads are asked of it first"


def _of_known(content: KnownContent, state: str, cause: str, text: str) -> Explained:
    return Explained(0, content.id, content.name, state, cause, text, 0.0, 0, 0, 0, 0, 0, "", [])


def _blocked(peer: PeerId) -> SourceExplained:
    return SourceExplained(peer, "blocked", "blocked here; `shoal reputation --clear` lifts that", 0.0, 0, 0, 0, 0)


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _rate(rate: float) -> float:
    return round(rate, 1) if rate >= 1 else 0.0
