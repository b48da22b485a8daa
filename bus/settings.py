"""Every setting there is: its key, type, range, default and meaning.  No default lives anywhere else.

The tree of structs is the tree of keys in config.yaml.  Sizes and rates are held in bytes (a second),
durations in seconds; `bus/config.py` reads what people write and fills these structs.
"""

from __future__ import annotations

import re
import socket
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from bus import forms
from bus.errors import ERR_NOT_FOUND, ShoalError

KIB: Final = 2**10
MIB: Final = 2**20
GIB: Final = 2**30
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR

Bytes = Annotated[int, Meta(ge=0, extra={"form": forms.SIZE})]
# Twice the largest data message, so that a message always fits half a window: the receiver announces credit when half
# is free, and a window that cannot take the next message then waits for ever.
Window = Annotated[int, Meta(ge=2 * MIB, le=16 * GIB, extra={"form": forms.SIZE})]
LIVE: Final = "live"
"""Marks a setting that can be changed while the peer runs."""

Rate = Annotated[int, Meta(ge=0, extra={"form": forms.RATE, LIVE: True})]
# A millisecond is as fine as the reactor's timers are.
Seconds = Annotated[float, Meta(ge=0.001, le=366 * DAY, extra={"form": forms.DURATION})]
Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
# A link that is dialled takes three of the process's 4,096 ZeroMQ sockets, and some are for all else.
Links = Annotated[int, Meta(ge=1, le=1300)]
Share = Annotated[float, Meta(ge=0, le=1)]
Gain = Annotated[float, Meta(ge=0, le=1)]
Loss = Annotated[float, Meta(ge=-1, le=0)]
Key = Annotated[str, Meta(extra={"form": forms.KEY})]
KeyOrNone = Annotated[str, Meta(extra={"form": forms.KEY_OR_NONE})]
Endpoint = Annotated[str, Meta(extra={"form": forms.ENDPOINT})]
EndpointOrNone = Annotated[str, Meta(extra={"form": forms.ENDPOINT_OR_NONE})]
Listen = Annotated[str, Meta(extra={"form": forms.LISTEN})]
Address = Annotated[str, Meta(extra={"form": forms.ADDRESS})]
HostPort = Annotated[str, Meta(extra={"form": forms.HOST_PORT})]
Host = Annotated[str, Meta(extra={"form": forms.HOST})]
AllowedHost = Annotated[str, Meta(extra={"form": forms.ALLOWED_HOST})]
Network = Annotated[str, Meta(extra={"form": forms.NETWORK})]
PeerName = Annotated[str, Meta(extra={"form": forms.PEER_NAME})]
FilePath = Annotated[str, Meta(extra={"form": forms.PATH})]
FilePathOrNone = Annotated[str, Meta(extra={"form": forms.PATH_OR_NONE})]


class OtherTracker(Struct, frozen=True, forbid_unknown_fields=True):
    """One more tracker that the peers register with."""

    endpoint: Endpoint
    """Where it is reached, tcp://HOST:PORT."""
    public_key: Key
    """Its CURVE public key, 64 hex digits."""


class TrackerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The tracker of this machine, if it runs one, and the one its peers use."""

    run: bool = False
    """Whether `shoal up` runs a tracker."""
    listen: Listen = "tcp://127.0.0.1:5570"
    """Where the local tracker listens, tcp://HOST:PORT; port 0 takes any free one."""
    endpoint: EndpointOrNone = ""
    """Where the peers reach their tracker; empty: the local one, if it runs."""
    public_key: KeyOrNone = ""
    """Their tracker's CURVE public key, 64 hex digits; empty: the local one's, if it runs."""
    others: tuple[OtherTracker, ...] = ()
    """More trackers to register with."""
    lease: Seconds = 90.0
    """Seconds for which the tracker believes a registration without hearing again."""
    renew: Seconds = 30.0
    """Seconds between a peer's renewals; under `lease`."""
    reply_peers: Annotated[int, Meta(ge=1, le=50)] = 50
    """Peers in one answer at most."""
    keys_per_address: Count = 64
    """Identities that one address may have registered at a time."""
    contents_per_key: Count = 10_000
    """Contents that one identity may announce."""
    push_interval: Seconds = 5.0
    """Seconds at least between two pushes of one swarm's changes to one watcher."""

    @property
    def known(self) -> bool:
        """Whether the peers know any tracker from the configuration."""
        return bool(self.run or self.endpoint or self.others)


class PeerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """One peer that `shoal up` runs on this machine."""

    name: PeerName
    """Its name on this machine, and of its folder in `data_dir`."""
    data_port: Port = 0
    """TCP port for other peers; 0 takes any free one."""
    web_port: Port = 0
    """TCP port of its page; 0 takes any free one."""
    download_dir: FilePathOrNone = ""
    """Folder for finished downloads; empty: in the peer's own folder."""


class NetworkSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How peers reach one another."""

    bind: Address = "0.0.0.0"  # the two machines of the README then find each other without a word here
    """Address on which the peers' data ports listen."""
    advertise: tuple[HostPort, ...] = ()
    """HOST:PORT under which others reach a peer here, for port forwarding; empty: the interfaces' addresses."""
    hwm: Annotated[int, Meta(ge=1, le=100_000)] = 256
    """Messages that ZeroMQ queues for one connection in one direction."""
    idle_ping: Seconds = 5.0
    """Seconds between pings of a link; under `link_timeout`."""
    link_timeout: Seconds = 15.0
    """Seconds without hearing anything after which a link is lost."""


class SecuritySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may connect."""

    encryption: bool = True
    """Whether data links between peers are encrypted (CURVE), the same on both sides; false only where every machine on
    the network is trusted, and never beside `access: private`."""
    access: Literal["open", "private"] = "open"
    """Who may fetch from the peers here: open, everybody; private, only `allow`."""
    allow: tuple[Key, ...] = ()
    """Peer ids, 64 hex digits, that may connect when `access` is private."""


class TransferSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Downloads and uploads."""

    window: Window = 16 * MIB
    """Bytes that one uploader may be ahead of what this peer has written: as many at least, more where its rate and
    distance need more, but never more than its share of `window_total`; by default at most `window_total`."""
    window_total: Window = 32 * MIB
    """Bytes of the windows of all streams together, which share them equally: one of four has a quarter at most; at
    least `window`."""
    upload_budget: Window = 16 * MIB
    """Bytes read for uploads and not yet sent, of all streams together."""
    upload_slots: Annotated[int, Meta(ge=1, le=1000)] = 8
    """Streams that this peer serves at a time."""
    workers: Annotated[int, Meta(ge=1, le=16)] = 2
    """Threads that read, verify and write."""
    links_per_content: Count = 30
    """Links that one content may use; at most `links`."""
    links: Links = 200
    """Links of one peer: as many that it dialled, and as many that others did."""
    picker: Literal["rarest-first", "random", "sequential"] = "rarest-first"
    """Order in which chunks are wanted; `shoal get --sequential` asks for another for one download."""
    choker: Literal["reputation", "reciprocity", "round-robin", "none"] = "reputation"
    """Who gets an upload slot, for 10 s and more: the best scores (free riders last), who sends us most, or everyone in
    turn; `none`: who asks first keeps it until it has all it wants, whatever its score."""
    source_choice: Literal["reputation", "rate", "random"] = "reputation"
    """Whom to dial first, and who takes first what another source did not bring: the best scores, who sends us most, or
    anybody."""
    data_message_max: Annotated[int, Meta(ge=16 * KIB, le=MIB, extra={"form": forms.SIZE})] = MIB
    """Bytes of payload in one data message."""
    chunk_timeout: Seconds = 20.0
    """Seconds without a byte of a wanted chunk, with credit left, before its source counts as late."""
    sync_bytes: Annotated[int, Meta(ge=MIB, le=16 * GIB, extra={"form": forms.SIZE})] = 64 * MIB
    """Bytes written before they are forced to the disk and recorded."""
    sync_interval: Seconds = 1.0
    """Seconds after which written bytes are forced to the disk and recorded, however few."""
    min_free_disk: Bytes = 512 * MIB
    """Bytes of the disk that a download leaves free."""


class LimitSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Rate limits of one peer."""

    up: Rate = 0
    """Bytes a second sent to others; 0: unlimited. `shoal limit` changes it while running, and then wins."""
    down: Rate = 0
    """Bytes a second received from others; 0: unlimited. `shoal limit` as for `up`."""
    exempt_networks: tuple[Network, ...] = ("127.0.0.0/8", "::1/128")
    """Networks whose addresses skip the limits per address and the request rates."""


class ReputationSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How a peer scores others, from 0 to 1; a newcomer has 0.5."""

    model: Literal["smoothing", "none", "tit-for-tat", "beta"] = "smoothing"
    """How events make a score: `smoothing` moves it by the changes below; `beta` weighs good and bad events, so that
    a long history moves slowly; `tit-for-tat` compares the bytes that it gave us and took from us lately, and refuses
    nobody for that; `none` leaves everybody at 0.5, refuses and bans nobody. Another model begins anew."""
    alpha: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Share of each change that is applied at once (exponential smoothing)."""
    successful_upload: Gain = 0.02
    """Change for `upload_unit` of verified bytes received from it; for less, as much less, but for its first."""
    successful_download: Gain = 0.01
    """Change for a download that it finished from us."""
    refused_upload: Loss = -0.04
    """Change for a chunk that it offered and refused."""
    timed_out: Loss = -0.1
    """Change for a wanted chunk of which nothing came in time."""
    corrupted_data: Loss = -1.0
    """Change for a chunk that failed verification."""
    refuse_below: Annotated[float, Meta(ge=0, le=0.5)] = 0.2
    """Score under which a peer is refused; a newcomer never is."""
    soft_floor: Share = 0.25
    """Score under which refusals and lateness alone lead nobody; at least `refuse_below`."""
    download_ceiling: Share = 0.55
    """Score to which downloading alone lifts, so that taking never pays like giving."""
    upload_unit: Annotated[int, Meta(ge=64 * KIB, extra={"form": forms.SIZE})] = 64 * MIB
    """Verified bytes that count as one successful upload."""
    half_life: Seconds = 7 * DAY
    """Seconds of running time in which a score goes half the way back to 0.5; in the model `beta`, in which what is
    known counts half."""
    tit_for_tat_half_life: Seconds = 600.0
    """Seconds of running time in which bytes given and taken count half, in the model `tit-for-tat`."""
    ban_after: Count = 2
    """Corrupted chunks within `ban_within` that ban a peer."""
    ban_within: Seconds = 24 * HOUR
    """Seconds for which a corrupted chunk counts towards a ban."""
    ban_first: Seconds = HOUR
    """Seconds of the first ban; each further one is twice as long."""
    ban_longest: Seconds = 24 * HOUR
    """Seconds of the longest ban; at least `ban_first`."""


class GatewaySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The web page of each peer."""

    host: Host = "127.0.0.1"
    """Address on which the pages listen; anything but loopback needs `password_file`."""
    upload_max: Annotated[int, Meta(ge=1, extra={"form": forms.SIZE})] = 64 * GIB
    """Bytes of one upload through the page."""
    password_file: FilePathOrNone = ""
    """File whose first line is the page's password; empty: none."""
    allowed_hosts: tuple[AllowedHost, ...] = ()
    """Host names, besides localhost and `host`, by which browsers may call the page."""
    threads: Annotated[int, Meta(ge=2, le=1024)] = 64
    """Requests and open pages served at a time."""
    folders: tuple[FilePath, ...] = ("~",)
    """Folders that the page shows, with all below but hidden names and links, when a path is chosen to be shared; `~`
    is the home of who runs it. Any path may be typed all the same."""


class EventSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What every process publishes about itself."""

    heartbeat: Seconds = 1.0
    """Seconds between heartbeats."""
    progress_interval: Seconds = 0.25
    """Seconds at least between two progress events of one item."""


class LoggingSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The log, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged: this and what is graver."""
    format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object a line."""


def peer_name_of(host: str) -> str:
    """A peer name made of the first label of a host name."""
    return re.sub(r"[^a-z0-9-]+", "-", host.partition(".")[0].lower())[:32].strip("-") or "peer"


def _peer_of_this_host() -> tuple[PeerSettings, ...]:
    return (PeerSettings(peer_name_of(socket.gethostname())),)


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of the processes that share one configuration."""

    data_dir: FilePath = "var"
    """Folder of all state of the tracker and peers; relative to the configuration file's folder."""
    tracker: TrackerSettings = TrackerSettings()
    peers: tuple[PeerSettings, ...] = field(default_factory=_peer_of_this_host)
    """The peers of this machine; by default one, named after the host."""
    network: NetworkSettings = NetworkSettings()
    security: SecuritySettings = SecuritySettings()
    transfer: TransferSettings = TransferSettings()
    limits: LimitSettings = LimitSettings()
    reputation: ReputationSettings = ReputationSettings()
    gateway: GatewaySettings = GatewaySettings()
    events: EventSettings = EventSettings()
    logging: LoggingSettings = LoggingSettings()

    def peer(self, name: str) -> PeerSettings:
        """The peer of that name.

        Raises:
            ShoalError: ERR_NOT_FOUND, naming the peers there are.
        """
        for peer in self.peers:
            if peer.name == name:
                return peer
        known = ", ".join(peer.name for peer in self.peers) or "none"
        raise ShoalError(ERR_NOT_FOUND, f"peer {name!r} is not in the configuration; its peers are: {known}")
