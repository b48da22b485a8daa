"""One peer of a simulated run: what is kept of it while it is away."""

from __future__ import annotations

from experiments.casting import Player
from experiments.sim.world import Host
from peer.core.limit_record import LimitRecord
from peer.core.node import PeerNode
from peer.core.records import DownloadRecord
from peer.core.settings import NodeSettings
from peer.core.standing import Standing


class SimulatedPeer:
    """One peer: what is kept of it while it is away, and its host while it is there."""

    def __init__(self, player: Player, peer_id: str, settings: NodeSettings, staged: bool) -> None:
        """`peer_id` is its first one; `staged`: something may happen to it."""
        self.player = player
        self.id = peer_id
        self.settings = settings
        self.staged = staged
        self.ids: list[str] = []
        """Under which it has run."""
        self.entered = False
        """It was told to begin: to share if it is complete, else to fetch."""
        self.away = False
        """It left or was killed, and has not returned."""
        self.host: Host | None = None
        self.node: PeerNode | None = None
        self.record: DownloadRecord | None = None
        self.limits: dict[str, LimitRecord] = {}
        self.held = 0
        """Chunks, as a bitmask."""
        self.complete = player.config.complete
        self.standings: dict[str, Standing] = {}
        self.running_time = 0.0

    def keep(self) -> None:
        """Remember what a peer has on its disk."""
        node = self.node
        if node is None:
            return
        offers = list(node.shelf.offers.values())
        self.held = offers[0].held if offers else self.held
        book = node.opinions.book
        self.standings = {peer: standing for peer in book.known() if (standing := book.standing(peer))}
        self.running_time = node.opinions.running_time
