"""What goes into the tracker's core and comes out of it, beyond the links of bus/boundary.py.

Lookups by words need an index that does not fit the core, so they are two steps: the effect
`SearchStore` asks for candidates, the event `StoreFound` brings them, and the core ranks.
What must survive a restart leaves the core as `Save` and comes back as `SavedState`.
"""

from __future__ import annotations

from msgspec import Struct

from bus.boundary import ContentId, HangUp, LinkEvent, Publish, Send
from bus.messages import Count, Endpoints, Hex64, Kind, Name, Port


class Limits(Struct, frozen=True, kw_only=True):
    """Every number of the tracker's core: durations in seconds, rates per second.

    Those without a default are settings (`bus/settings.py` holds theirs).
    """

    lease: float
    """A registration is believed this long without hearing again."""
    push_interval: float
    """At most one push per watcher and content in this time."""
    ping_after: float
    """Of sending nothing on a link."""
    hang_up_after: float
    """Of hearing nothing on a link."""
    sample_peers: int
    """In one answered query."""
    keys_per_address: int
    contents_per_key: int
    exempt_networks: tuple[str, ...]
    """Per-address limits and request rates do not count here."""
    reply_bytes: int = 16 * 1024
    """Of an answered query: no small question has a large answer."""
    push_peers: int = 16
    push_rate: float = 200.0
    push_burst: int = 64
    """Pushes on one link: a peer that watches 10,000 contents must not lose its link to an overflow."""
    duplicate_wait: float = 5.0
    """How long an older link has to answer a ping before a newer one of the same peer takes its place."""
    register_rate: float = 1.0
    register_burst: int = 5
    """Of one key; a register counts once, whatever its pages."""
    network_register_rate: float = 20.0
    network_register_burst: int = 40
    """Of one /24 (IPv6: /56)."""
    control_rate: float = 20.0
    control_burst: int = 40
    """Of one key: everything but registers, lookups and watches."""
    watch_rate: float = 100.0
    watch_burst: int = 2000
    """Of one key.  Generous, because watches are cheap, are not answered, and come one by one when many files are
    shared together; what a link may hold of them has a limit of its own."""
    lookup_rate: float = 5.0
    lookup_burst: int = 20
    """Of one key: queries and searches."""
    pending_searches: int = 1000
    """In the store at a time, from everybody."""
    search_candidates: int = 1000
    """Asked of the store; the best of them are answered."""
    offences: int = 3
    """Broken messages on one link before it is cut."""


# --- searching -----------------------------------------------------------------------------


class SearchStore(Struct, frozen=True, gc=False):
    """Find contents; answered by StoreFound or SearchFailed with the same token."""

    token: int
    words: tuple[str, ...]
    """Folded (`ranking.fold`); a candidate's folded name holds all of them."""
    id_prefix: str
    """8 or more hex digits, or empty: contents whose id starts so are candidates too."""
    limit: int
    """Candidates at most, those likely to rank high first."""


class StoreFound(Struct, frozen=True, gc=False):
    """The candidates of a search, in no particular order."""

    token: int
    contents: tuple[ContentId, ...]


class SearchFailed(Struct, frozen=True, gc=False):
    """The store cannot answer a search."""

    token: int
    reason: str


# --- what survives a restart ---------------------------------------------------------------


class PeerRecord(Struct, frozen=True, gc=False):
    """A registration, without its list."""

    peer: Hex64
    name: Name
    address: str
    """Host it was last seen at."""
    port: Port
    loopback: bool
    advertise: Endpoints
    addresses: Endpoints
    epoch: Count
    n: Count
    encrypted: bool = True


class PeerGone(Struct, frozen=True, gc=False):
    """A registration ended, and its offers with it."""

    peer: Hex64


class OfferRecord(Struct, frozen=True, gc=False):
    """One line of a peer's list, as that peer words it."""

    peer: Hex64
    content: Hex64
    name: Name
    kind: Kind
    size: Count
    complete: bool


class OfferGone(Struct, frozen=True, gc=False):
    """A peer took one content off its list."""

    peer: Hex64
    content: Hex64


class ContentRecord(Struct, frozen=True, gc=False):
    """A content as the tracker words it: what searches look at."""

    id: Hex64
    name: Name
    kind: Kind
    size: Count


class ContentGone(Struct, frozen=True, gc=False):
    """Nobody has the content any more."""

    id: Hex64


Change = PeerRecord | PeerGone | OfferRecord | OfferGone | ContentRecord | ContentGone


class Save(Struct, frozen=True, gc=False):
    """Write these changes, in this order, all or none."""

    changes: tuple[Change, ...]


class SavedState(Struct, frozen=True):
    """Everything that was saved; offers in the order in which they were first made."""

    peers: tuple[PeerRecord, ...] = ()
    offers: tuple[OfferRecord, ...] = ()
    contents: tuple[ContentRecord, ...] = ()


TrackerEvent = LinkEvent | StoreFound | SearchFailed
TrackerEffect = Send | HangUp | Publish | SearchStore | Save
