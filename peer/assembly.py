"""From the configuration to what the core and the links are told."""

from __future__ import annotations

from importlib.metadata import version

import psutil

from bus.auth import Allow
from bus.config import Loaded
from bus.errors import ERR_CONFIG, ShoalError
from bus.forms import dialable, is_loopback, split_host_port
from bus.identity import Identity
from bus.places import TrackerPlaces
from bus.settings import SecuritySettings, Settings
from peer.core.settings import NodeSettings, ReputationSettings, TrackerAddress
from peer.core.sharelink import TrackerHint


def access_rule(security: SecuritySettings) -> Allow:
    """Who may connect to the data socket."""
    allowed = frozenset(security.allow)
    return lambda domain, peer, address: security.access == "open" or peer in allowed


def tcp_endpoint(host: str, port: int) -> str:
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def tracker_addresses(loaded: Loaded) -> tuple[TrackerAddress, ...]:
    """The trackers to register with; the local one if the configuration names no other.

    The local tracker's key is made if it has none yet: both may be started at once, in any order.

    Raises:
        ShoalError: ERR_CONFIG, ERR_PATH or ERR_KEY_FILE, and what is wrong.
    """
    tracker = loaded.settings.tracker
    found = []
    if tracker.endpoint:
        if not tracker.public_key:
            raise ShoalError(ERR_CONFIG, "tracker.public_key is missing beside tracker.endpoint; `shoal up` prints it")
        found.append(TrackerAddress(tracker.endpoint, tracker.public_key))
    elif tracker.run and split_host_port(tracker.listen)[1]:  # of port 0 only who started both knows what it became
        places = TrackerPlaces(loaded.base_dir)
        places.prepare()
        found.append(TrackerAddress(dialable(tracker.listen), Identity.load_or_create(places.identity_file).peer_id))
    found.extend(TrackerAddress(other.endpoint, other.public_key) for other in tracker.others)
    return tuple(found)


def interface_addresses() -> tuple[str, ...]:
    """This machine's addresses that others may dial: no loopback, no link-local ones."""
    found = []
    for rows in psutil.net_if_addrs().values():
        for row in rows:
            address = row.address.partition("%")[0]
            usable = row.family.name in ("AF_INET", "AF_INET6") and not is_loopback(address)
            if usable and not address.startswith(("169.254.", "fe80:")):
                found.append(address)
    return tuple(found[:16])


def link_trackers(loaded: Loaded, settings: NodeSettings) -> tuple[TrackerHint, ...]:
    """The trackers to name in links for others: a tracker of this machine by an address that others can dial."""
    listen = split_host_port(loaded.settings.tracker.listen.removeprefix("tcp://"))[0]
    advertised = [split_host_port(text)[0] for text in settings.advertise]
    ours = next(iter([*advertised, *settings.addresses]), "")
    hints = []
    for tracker in settings.trackers:
        host, port = split_host_port(tracker.endpoint.removeprefix("tcp://"))
        if loaded.settings.tracker.run and ours and is_loopback(host) and not is_loopback(listen):
            host = f"[{ours}]" if ":" in ours else ours
        hints.append(TrackerHint(f"tcp://{host}:{port}", tracker.public_key))
    return tuple(hints)


def node_settings(loaded: Loaded, name: str, peer_id: str, download_dir: str, data_port: int) -> NodeSettings:
    """What the core is told, from the configuration."""
    settings: Settings = loaded.settings
    network, transfer, reputation = settings.network, settings.transfer, settings.reputation
    return NodeSettings(
        peer=peer_id,
        name=name,
        software=f"shoal {version('shoal')}",
        download_dir=download_dir,
        data_port=data_port,
        loopback=is_loopback(network.bind),
        encryption=settings.security.encryption,
        only=None if settings.security.access == "open" else frozenset(settings.security.allow),
        advertise=tuple(network.advertise),
        addresses=() if is_loopback(network.bind) else interface_addresses(),
        trackers=tracker_addresses(loaded),
        window=transfer.window,
        window_total=transfer.window_total,
        upload_budget=transfer.upload_budget,
        upload_slots=transfer.upload_slots,
        data_message_max=transfer.data_message_max,
        chunk_timeout=transfer.chunk_timeout,
        links_per_content=transfer.links_per_content,
        links=transfer.links,
        picker=transfer.picker,
        choker=transfer.choker,
        source_choice=transfer.source_choice,
        idle_ping=network.idle_ping,
        link_timeout=network.link_timeout,
        limit_up=settings.limits.up,
        limit_down=settings.limits.down,
        progress_interval=settings.events.progress_interval,
        renew=settings.tracker.renew,
        reputation=ReputationSettings(
            **{field: getattr(reputation, field) for field in ReputationSettings.__struct_fields__}
        ),
    )
