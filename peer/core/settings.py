"""What PeerNode is told at its start.  The composition root fills this from config.yaml."""

from __future__ import annotations

from math import inf

from msgspec import Struct


class TrackerAddress(Struct, frozen=True):
    """Where a tracker is and the key it must prove."""

    endpoint: str
    public_key: str


class ReputationSettings(Struct, frozen=True):
    """See config.yaml `reputation` and peer/core/scoring.py."""

    model: str = "smoothing"
    alpha: float = 0.5
    successful_upload: float = 0.02
    successful_download: float = 0.01
    refused_upload: float = -0.04
    timed_out: float = -0.1
    corrupted_data: float = -1.0
    refuse_below: float = 0.2
    soft_floor: float = 0.25
    download_ceiling: float = 0.55
    upload_unit: int = 64 * 2**20
    half_life: float = 7 * 86400.0
    tit_for_tat_half_life: float = 600.0
    ban_after: int = 2
    ban_within: float = 86400.0
    ban_first: float = 3600.0
    ban_longest: float = 86400.0


class NodeSettings(Struct, frozen=True):
    """Sizes in bytes, times in seconds, rates in bytes a second (0: no limit)."""

    peer: str
    """Our id."""
    name: str
    software: str
    download_dir: str
    data_port: int
    loopback: bool
    """The data socket is bound to loopback only."""
    encryption: bool = True
    """Of data links; peers whose setting is another cannot be linked."""
    only: frozenset[str] | None = None
    """Ids of the peers that may fetch from us; None: everybody may."""
    advertise: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    trackers: tuple[TrackerAddress, ...] = ()
    window: int = 16 * 2**20
    window_total: int = 32 * 2**20
    upload_budget: int = 16 * 2**20
    upload_slots: int = 8
    data_message_max: int = 2**20
    data_message_min: int = 16 * 1024
    """Smaller ones only where chunks, credit or `data_message_max` end; a large simulation sends whole chunks."""
    chunk_timeout: float = 20.0
    links_per_content: int = 30
    links: int = 200
    picker: str = "rarest-first"
    choker: str = "reputation"
    source_choice: str = "reputation"
    idle_ping: float = 5.0
    link_timeout: float = 15.0
    limit_up: int = 0
    limit_down: int = 0
    progress_interval: float = 0.25
    """Between events about rates and progress; infinite: none are made, and no totals of uploads either."""
    renew: float = 30.0
    """Between renewals of a tracker's lease, at most a third of it."""
    reputation: ReputationSettings = ReputationSettings()

    @property
    def reports_progress(self) -> bool:
        """Whether events about rates and progress are made at all."""
        return self.progress_interval < inf
