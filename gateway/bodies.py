"""Bodies of requests and answers of the REST interface that are no row of the page's state."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from bus import messages


class SessionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    password: Annotated[str, Meta(max_length=1024)]


class SessionAnswer(Struct, frozen=True):
    token: str


class SessionOffer(Struct, frozen=True):
    password: bool
    """Whether a password is exchanged for the token here."""


class ShareRequest(Struct, frozen=True, forbid_unknown_fields=True):
    path: messages.PathText
    name: messages.Name = ""


class SharedContent(Struct, frozen=True):
    """What has just been shared, as `shoal share` tells it."""

    id: str
    name: str
    kind: str
    size: int
    files: int
    chunks: int
    seconds: float
    link: str
    skipped: list[str]


class DownloadRequest(Struct, frozen=True, forbid_unknown_fields=True):
    id: messages.PathText = ""
    link: messages.PathText = ""
    only: Annotated[list[messages.PathText], Meta(max_length=1000)] = []


class ItemPatch(Struct, frozen=True, forbid_unknown_fields=True):
    action: Literal["pause", "resume", "verify"]


class TrackerState(Struct, frozen=True):
    endpoint: str
    state: str


class Status(Struct, frozen=True):
    """This peer, as `shoal status` tells it, with what a page adds."""

    name: str
    id: str
    version: str
    uptime: float
    """Seconds."""
    trackers: list[TrackerState]
    up_rate: float
    down_rate: float
    disk_free: int | None
    download_dir: str
    started: datetime | None


class Explanation(Struct, frozen=True):
    """A score and the events that made it, oldest first."""

    peer: str
    score: float
    events: list[messages.ReputationEvent]


class Started(Struct, frozen=True):
    """A content that the peer has been told to fetch."""

    id: str
