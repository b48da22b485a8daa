"""Every setting in force, in words: made from the declarations that the configuration is read by.

A secret is no setting: the token, the password and the keys lie in files, of which a setting says at most the path.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from msgspec import UNSET, Struct, UnsetType, inspect, to_builtins

from bus.config import DEFAULT_FILE, ENVIRONMENT_PREFIX, Loaded
from bus.forms import DURATION, RATE, SIZE, Form
from bus.readable import LimitsInForce
from bus.settings import LIVE, PeerSettings, Settings
from bus.wording import as_written, default_in_words, field_texts, struct_of, text_of, type_in_words
from gateway.changeable import OWN_ENTRY, by_hand, why_closed, why_overruled

_UNITS: Final = {SIZE: "bytes", RATE: "bytes a second", DURATION: "seconds"}
Control = Literal["switch", "choice", "whole", "number", "size", "rate", "duration", "text", "list"]
_FORMS: Final[dict[Form, Control]] = {SIZE: "size", RATE: "rate", DURATION: "duration"}
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
    control: Control
    """How it is set: a switch, one of `choices`, a number, a quantity, a text, or a list."""
    choices: list[str]
    least: float | None
    """The smallest value it may have, in `unit`, if there is one."""
    most: float | None
    written: str
    """The value that the configuration gives it by now, and that another one would take the place of."""
    closed: str
    """Why it cannot be changed here, in a few words; empty: it can."""
    by_hand: str
    """Where in the file it stands, or would."""
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
    restart: str
    """How to restart, in a sentence."""


class Configured(Struct, frozen=True):
    """The configuration of one peer, as it was when the gateway began."""

    peer: str
    """Its name."""
    loaded: Loaded
    """What is in force."""
    begun: Loaded
    """The same without what a supervisor told: what a start by the user made of the file."""
    read: Callable[[bytes | None], Loaded]
    """What such a start would make of it by now, or with that content; raises ShoalError."""
    supervised: bool
    """A supervisor started the gateway, and the peer with it."""

    @property
    def file(self) -> Path:
        """It need not exist."""
        return self.loaded.file or self.loaded.folder / DEFAULT_FILE


def describe(configured: Configured, now: Loaded | None, file_error: str, limits: LimitsInForce) -> SettingsShown:
    """The settings that are in force for a peer.

    Args:
        now: the configuration as it is read by now, or None if it cannot be.
        limits: what is in force while it runs.
    """
    running = {
        f"limits.{direction}": rate
        for direction, rate, is_set in (("up", limits.up, limits.up_is_set), ("down", limits.down, limits.down_is_set))
        if is_set
    }
    reader = _Reader(configured, now, running)
    top = struct_of(Settings)
    sections = [
        SettingsSection("", "", [reader.shown("", field, Settings) for field in top.fields if _is_plain(field)])
    ]
    for field in top.fields:
        kind = PeerSettings if field.name == _PEERS else _section_of(field)
        if kind is not None:
            prefix = OWN_ENTRY if field.name == _PEERS else f"{field.name}."
            shown = [reader.shown(prefix, inner, kind) for inner in struct_of(kind).fields]
            sections.append(SettingsSection(field.name, text_of(kind), shown))
    return SettingsShown(str(configured.file), file_error, sections, _restart(configured))


class _Reader:
    """Looks up values and where they come from."""

    def __init__(self, configured: Configured, now: Loaded | None, running: dict[str, int]) -> None:
        self._values = _values(configured.loaded, configured.peer)
        self._begun = _values(configured.begun, configured.peer)
        self._coming = _values(now, configured.peer) if now else self._begun
        self._configured = configured
        self._running = running

    def shown(self, prefix: str, field: inspect.Field, kind: type[Struct]) -> SettingShown:
        key = f"{prefix}{field.name}"
        value = self._running.get(key, self._values[key])
        extra = field.type.extra if isinstance(field.type, inspect.Metadata) else None
        form = (extra or {}).get("form")
        configured = _PEERS if prefix == OWN_ENTRY else key
        word, _, name = self._origin(key, configured).partition(" ")
        control, choices, least, most = _control(field.type)
        coming = self._coming[key]
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
            control=control,
            choices=choices,
            least=least,
            most=most,
            written=as_written(field.type, coming),
            closed=why_closed(key) or why_overruled(key, self._configured.begun),
            by_hand=by_hand(key),
            after_restart=UNSET if coming == self._begun[key] else as_written(field.type, coming),
        )

    def _origin(self, key: str, configured: str) -> str:
        """A supervisor that only repeats the file is no origin."""
        same = self._values[key] == self._begun[key]
        return (self._configured.begun if same else self._configured.loaded).origins[configured]


def _values(loaded: Loaded, peer: str) -> dict[str, object]:
    """Key -> value, of this peer's entry one key each."""
    values = loaded.as_flat()
    entry = next((one for one in loaded.settings.peers if one.name == peer), PeerSettings(peer))
    return values | {f"{OWN_ENTRY}{name}": value for name, value in to_builtins(entry).items()}


def _restart(configured: Configured) -> str:
    if configured.supervised:
        return "Press Ctrl-C where `shoal up` or `make run` runs, and start it again."
    name = configured.peer
    return f"Stop `shoal peer {name}` and `shoal gateway {name}`, and start them again."


def _control(kind: inspect.Type) -> tuple[Control, list[str], float | None, float | None]:
    """How a value of this type is set, its choices, and its range."""
    if isinstance(kind, inspect.Metadata):
        form = (kind.extra or {}).get("form")
        control, choices, least, most = _control(kind.type)
        return _FORMS.get(form, "text") if isinstance(form, Form) else control, choices, least, most
    match kind:
        case inspect.BoolType():
            return "switch", [], None, None
        case inspect.LiteralType(values=words):
            return "choice", sorted(map(str, words)), None, None
        case inspect.IntType() | inspect.FloatType():
            low = kind.ge if kind.gt is None else kind.gt
            return "whole" if isinstance(kind, inspect.IntType) else "number", [], low, kind.le
        case inspect.VarTupleType():
            return "list", [], None, None
    return "text", [], None, None


def _is_plain(field: inspect.Field) -> bool:
    return field.name != _PEERS and _section_of(field) is None


def _section_of(field: inspect.Field) -> type[Struct] | None:
    return field.type.cls if isinstance(field.type, inspect.StructType) else None
