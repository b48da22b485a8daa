"""A peer's control socket, for tests that look closer than the command line does."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from bus.events import LinkRow, ReputationChanged, Transfer
from bus.messages import Get, Message
from bus.ready import PeerReady, PeerUp
from bus.rpc import RpcClient
from bus.sockets import make_context
from bus.state import PublishedState
from tests.kit.waiting import hold_for


class Remote:
    """One peer, by what it wrote when it was ready."""

    def __init__(self, peer: PeerReady | PeerUp) -> None:
        self._context = make_context()
        self._client = RpcClient(self._context, peer.control)

    def call(self, message: Message, timeout: float = 20.0) -> Message:
        return self._client.call(message, timeout)

    def get(self, content: str, only: Sequence[str] = ()) -> None:
        """Start a download, or want more of it, and do not wait for it."""
        self.call(Get(0, content, only=list(only)))

    def state(self, *sections: str) -> PublishedState:
        return self._client.snapshot(sections)

    def transfer(self, content: str) -> Transfer | None:
        """What the peer says of a download."""
        return next((row for row in self.state("transfers").of(Transfer, "transfers") if row.id == content), None)

    def progress(self, content: str) -> float:
        """Share of a download that is verified, 0 to 1."""
        row = self.transfer(content)
        return row.bytes_done / row.size if row and row.size else 0.0

    def complete(self, content: str) -> bool:
        row = self.transfer(content)
        return row is not None and row.state == "seeding"

    def sent_to(self, peer: str) -> int:
        """Payload bytes sent to a peer since this one started, once it no longer changes (it is told once a second)."""

        def sent() -> int:
            return next((row.sent for row in self.state("peers").of(LinkRow, "peers") if row.peer == peer), 0)

        while len(set(samples := hold_for(1.5, sent))) > 1:
            pass
        return samples[-1]

    def score(self, peer: str) -> float:
        rows = self.state("reputation").of(ReputationChanged, "reputation")
        return next((row.score for row in rows if row.peer == peer), 0.5)

    def close(self) -> None:
        self._client.close()
        self._context.destroy(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
