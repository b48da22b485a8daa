"""Our user's own verdicts about other peers: trust, block, neither, or forget; what follows from them at once.

    trust   never refused or banned; counts as known, with a score of 0.5 at least
    block   no link with it: what stands ends, none is dialled or accepted, whoever names it
    clear   what it did decides again
    forget  that too is dropped: it is a newcomer

What a peer sends is verified whatever the verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bus.boundary import LinkId, PeerId
from bus.errors import ERR_NOT_FOUND, ERR_USAGE, ShoalError
from bus.messages import CloseReason, Done, JudgePeer
from peer.core.downloads import Downloads
from peer.core.haves import Haves
from peer.core.interface import Reply, Token
from peer.core.neighbours import Neighbours
from peer.core.opinions import Opinions
from peer.core.sharelink import ID, PREFIX
from peer.core.shelf import Shelf
from peer.core.source import SourceState
from peer.core.standing import Verdict
from peer.core.swarms import Swarms
from peer.core.turn import Turn
from peer.core.uploads import Uploads

_VERDICTS: Final[dict[str, Verdict]] = {"trust": "trusted", "block": "blocked", "clear": ""}


class Judging:
    """Carries out verdicts."""

    def __init__(
        self,
        ours: PeerId,
        turn: Turn,
        opinions: Opinions,
        neighbours: Neighbours,
        uploads: Uploads,
        downloads: Downloads,
        swarms: Swarms,
        shelf: Shelf,
        haves: Haves,
        end_link: Callable[[LinkId, str], None],
    ) -> None:
        """`ours` is our own id; `end_link` ends a link, for the reason given."""
        self._ours = ours
        self._turn = turn
        self._opinions = opinions
        self._neighbours = neighbours
        self._uploads = uploads
        self._downloads = downloads
        self._swarms = swarms
        self._shelf = shelf
        self._haves = haves
        self._end_link = end_link

    def judge(self, token: Token, message: JudgePeer) -> None:
        """Carry out one request; whoever hears that it is done may rely on it, whatever happens next.

        Raises:
            ShoalError: ERR_USAGE or ERR_NOT_FOUND: no peer is named by that.
        """
        peer = self._named(message.peer)
        if message.verdict == "forget":
            self._opinions.forget(peer)
        else:
            self._opinions.judge(peer, _VERDICTS[message.verdict])
        if self._opinions.blocked(peer):
            self._block(peer)
        elif self._opinions.refused(peer):
            self._end_streams(peer, "reputation")
        else:
            self._swarms.let_in(peer)  # perhaps it was refused until now
        self._turn.add(Reply(token, Done(0, peer), kept="reputation"))

    def _named(self, text: str) -> PeerId:
        """The one peer whose id is, or begins with, `text`; a whole id need not be known."""
        if not PREFIX.fullmatch(text):
            raise ShoalError(ERR_USAGE, f"{text[:80]!r} is no peer: give 64 hex digits, or 8 or more of its first ones")
        known = [text] if ID.fullmatch(text) else self._known()
        matches = [peer for peer in known if peer.startswith(text)]
        if not matches:
            raise ShoalError(ERR_NOT_FOUND, f"no known peer begins with {text}; give all 64 digits of its id")
        if len(matches) > 1:
            raise ShoalError(ERR_USAGE, f"{len(matches)} known peers begin with {text}; give more digits")
        if matches[0] == self._ours:
            raise ShoalError(ERR_USAGE, f"{text} is this peer itself; give another one's id")
        return matches[0]

    def _known(self) -> dict[PeerId, bool]:
        """Peers of which something is kept, that were linked, or that trackers named as sources; and ourselves."""
        named = [peer for download in self._downloads.active.values() for peer in download.candidates]
        return dict.fromkeys([self._ours, *self._opinions.book.known(), *self._neighbours.traffic, *named], True)

    def _block(self, peer: PeerId) -> None:
        self._end_streams(peer, "access")
        for neighbour in self._neighbours.links_of(peer):
            wanted = self._haves.interested_in(neighbour.link)
            self._swarms.shut_out(peer, [content for content in wanted if content in self._shelf.offers])
            self._end_link(neighbour.link, "blocked here")

    def _end_streams(self, peer: PeerId, reason: CloseReason) -> None:
        fetching = self._downloads.fetching
        for neighbour in self._neighbours.links_of(peer):
            self._uploads.close(neighbour.link, reason)
            source = fetching.sources.get(neighbour.link)
            if source is not None and source.state is not SourceState.IDLE:
                fetching.close(source, reason)
