"""Which settings a page may change, and why not the others.

Only what is named here: a setting that is added later is closed until somebody thought of it.  The reasons are in
docs/adr/0016-what-a-page-may-change.md.
"""

from __future__ import annotations

from typing import Final

from bus.config import Loaded

OWN_ENTRY: Final = "peers[]."
"""Stands before the keys of the entry of this gateway's peer."""

_MAY: Final = (
    "transfer.", "reputation.", "logging.", "limits.up", "limits.down", "network.hwm", "network.idle_ping",
    "network.link_timeout", "events.progress_interval", "peers[].data_port",
)  # fmt: skip
"""Keys, and beginnings of keys."""
_WHY_NOT: Final = (
    ("security", "it decides who may connect"),
    ("tracker", "it decides which trackers the peers here trust, and what the one here lets others do"),
    ("network", "it decides at which addresses others reach this machine"),
    ("gateway", "it decides who reaches the page, and how much of this machine the page reaches"),
    ("peers[].web_port", "it decides where the page is reached"),
    ("peers", "it decides which peers there are, and where their data lies"),
    ("data_dir", "it decides where all data lies"),
    ("limits", "it decides who is let past the limits"),
    ("events", "pages take a peer for gone that is silent for 3 s"),
)


def why_closed(key: str) -> str:
    """Why no page may change this setting, in a few words; empty: it may."""
    if any(key.startswith(name) if name.endswith(".") else key == name for name in _MAY):
        return ""
    return next((reason for name, reason in _WHY_NOT if key.startswith(name)), "it is not among those it may change")


def why_overruled(key: str, loaded: Loaded) -> str:
    """Why a line in the file would change nothing: what is stronger gives the value; empty: nothing is."""
    layer, _, name = loaded.origins.get("peers" if key.startswith(OWN_ENTRY) else key, "").partition(" ")
    if layer == "environment":
        return f"it comes from the environment, {name}, which wins over the file"
    return "it comes from the command line, which wins over the file" if layer == "flag" else ""


def by_hand(key: str) -> str:
    """Where a person changes it."""
    section, _, name = key.rpartition(".")
    if key.startswith(OWN_ENTRY):
        return f"the line {name} of the peer's entry below peers"
    return f"the line {name} of the section {section}" if section else f"the line {name}"
