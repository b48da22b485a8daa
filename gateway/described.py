"""Every setting in force, in words: made from the declarations that the configuration is read by.

A secret is no setting: the token, the password and the keys lie in files, of which a setting says at most the path.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import UNSET, Struct, UnsetType, inspect, to_builtins

from bus.config import DEFAULT_FILE, ENVIRONMENT_PREFIX, Loaded
from bus.forms import DURATION, RATE, SIZE, Form
from bus.readable import LimitsInForce
from bus.settings import LIVE, PeerSettings, Settings
from bus.wording import as_written, default_in_words, field_texts, struct_of, text_of, type_in_words

_UNITS: Final = {SIZE: "bytes", RATE: "bytes a second", DURATION: "seconds"}
_PEERS: Final = "peers"

Origin = Literal["default", "file", "environment", "flag", "running"]


class SettingShown(Struct, frozen=True):
    """One setting: what it does, what it may be, what it is, and how it is changed."""

    key: str
    """Its place in config.yaml, with dots; `[]` stands for the entry of this peer."""
    text: str
    """What it does."""
    allowed: str
    """What it may be, with its range."""
    default: str
    """As it would stand in config.yaml."""
    value: str
    """The same, of what is in force."""
    amount: float | None
    """The value in `unit`, if it is a quantity or a number."""
    unit: str
    """bytes, bytes a second, seconds, or empty."""
    origin: Origin
    """running: set while it runs, and kept."""
    origin_name: str
    """Path of the file, name of the variable or flag, or empty."""
    live: bool
    """It can be changed while the peer runs, through /limits; anything else takes a restart."""
    variable: str
    """The environment variable that sets it, too; empty: none does it alone."""
    after_restart: str | UnsetType = UNSET
    """What it will be after a restart, if the configuration is another one by now."""


class SettingsSection(Struct, frozen=True):
    """Settings that belong together."""

    name: str
    """Empty: those of no section."""
    text: str
    settings: list[SettingShown]


class SettingsShown(Struct, frozen=True):
    """Every setting of this peer."""

    file: str
    """Path of the configuration file; it need not exist."""
    file_error: str
    """Why the file cannot be read as it is now; empty: it can."""
    sections: list[SettingsSection]


def describe(loaded: Loaded, now: Loaded | None, file_error: str, peer: str, limits: LimitsInForce) -> SettingsShown:
    """The settings that `loaded` put in force for the peer of that name.

    Args:
        now: the configuration as it is read by now, or None if it cannot be.
        limits: what is in force while it runs.
    """
    running = {
        f"limits.{direction}": rate
        for direction, rate, is_set in (("up", limits.up, limits.up_is_set), ("down", limits.down, limits.down_is_set))
        if is_set
    }
    reader = _Reader(loaded, now, peer, running)
    top = struct_of(Settings)
    sections = [
        SettingsSection("", "", [reader.shown("", field, Settings) for field in top.fields if _is_plain(field)])
    ]
    for field in top.fields:
        kind = PeerSettings if field.name == _PEERS else _section_of(field)
        if kind is not None:
            prefix = "peers[]." if field.name == _PEERS else f"{field.name}."
            shown = [reader.shown(prefix, inner, kind) for inner in struct_of(kind).fields]
            sections.append(SettingsSection(field.name, text_of(kind), shown))
    file = loaded.file or loaded.folder / DEFAULT_FILE
    return SettingsShown(str(file), file_error, sections)


class _Reader:
    """Looks up values and where they come from."""

    def __init__(self, loaded: Loaded, now: Loaded | None, peer: str, running: dict[str, int]) -> None:
        self._values = _values(loaded, peer)
        self._coming = _values(now, peer) if now else {}
        self._origins = loaded.origins
        self._running = running

    def shown(self, prefix: str, field: inspect.Field, kind: type[Struct]) -> SettingShown:
        key = f"{prefix}{field.name}"
        value = self._running.get(key, self._values[key])
        extra = field.type.extra if isinstance(field.type, inspect.Metadata) else None
        form = (extra or {}).get("form")
        configured = _PEERS if prefix == "peers[]." else key
        word, _, name = self._origins[configured].partition(" ")
        coming = self._coming.get(key, self._values[key])
        return SettingShown(
            key=key,
            text=field_texts(kind).get(field.name, ""),
            allowed=type_in_words(field.type).replace("`", ""),
            default=default_in_words(field).strip("`"),
            value=as_written(field.type, value),
            amount=float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None,
            unit=_UNITS.get(form, "") if isinstance(form, Form) else "",
            origin="running" if key in self._running else word,  # type: ignore[arg-type]
            origin_name="" if key in self._running else name,
            live=bool((extra or {}).get(LIVE)),
            variable="" if configured == _PEERS else ENVIRONMENT_PREFIX + key.replace(".", "__").upper(),
            after_restart=UNSET if coming == self._values[key] else as_written(field.type, coming),
        )


def _values(loaded: Loaded, peer: str) -> dict[str, object]:
    """Key -> value, of this peer's entry one key each."""
    values = loaded.as_flat()
    entry = next((one for one in loaded.settings.peers if one.name == peer), PeerSettings(peer))
    return values | {f"peers[].{name}": value for name, value in to_builtins(entry).items()}


def _is_plain(field: inspect.Field) -> bool:
    return field.name != _PEERS and _section_of(field) is None


def _section_of(field: inspect.Field) -> type[Struct] | None:
    return field.type.cls if isinstance(field.type, inspect.StructType) else None
