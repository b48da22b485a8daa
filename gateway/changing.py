"""A change of settings, carried over into the text of the configuration file; nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, inspect

from bus.config import Loaded
from bus.errors import ERR_CONFIG, ERR_REFUSED, ERR_STATE, ShoalError
from bus.schema import kind_at, read_value
from bus.settings import PeerSettings, Settings
from bus.strict_yaml import decode, parse_yaml
from bus.wording import struct_of
from bus.yaml_line import Scalar, with_value
from gateway.changeable import OWN_ENTRY, by_hand, why_closed, why_overruled

Value = str | int | float | bool
SettingsPatch = Annotated[dict[Annotated[str, Meta(max_length=200)], Value], Meta(min_length=1, max_length=100)]
"""Key, as the settings are told, and its new value, as it would stand in config.yaml."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def changed_content(content: bytes, patch: Mapping[str, Value], peer: str, file: Path, loaded: Loaded) -> bytes:
    """What the file would hold with these settings changed, all of them.

    Args:
        content: what it holds now.
        peer: whose entry the keys that begin with `peers[].` are in.
        loaded: says what is stronger than the file.

    Raises:
        ShoalError: ERR_CONFIG for an unknown key or a value that it cannot have; ERR_REFUSED for a setting that no page
            may change; ERR_STATE if the environment or the command line wins over the file, or if the file has a form
            in which the line cannot be changed safely.
    """
    for key, value in patch.items():
        _check(key, value, file, loaded)
    try:
        text = decode(content)
        for key, value in patch.items():
            text = _with_setting(text, key, value, peer, file)
    except ValueError as error:
        raise ShoalError(ERR_STATE, f"{file} cannot be changed here: {error}; change it by hand") from None
    mark = _BYTE_ORDER_MARK if content.startswith(_BYTE_ORDER_MARK) else b""
    return mark + text.encode()


def _check(key: str, value: Value, file: Path, loaded: Loaded) -> None:
    try:
        kind = _kind_of(key)
    except ValueError as error:
        raise ShoalError(ERR_CONFIG, str(error)) from None
    remedy = f"change {by_hand(key)} in {file} by hand, then start again"
    if closed := why_closed(key):
        raise ShoalError(ERR_REFUSED, f"no page may change {key}: {closed}; {remedy}")
    if overruled := why_overruled(key, loaded):
        raise ShoalError(ERR_STATE, f"{key} is not the file's to say: {overruled}; change it there")
    try:
        read_value(kind, key, value)
    except ValueError as error:
        raise ShoalError(ERR_CONFIG, str(error)) from None


def _kind_of(key: str) -> inspect.Type:
    if key.startswith(OWN_ENTRY):
        return kind_at(struct_of(PeerSettings), key.removeprefix(OWN_ENTRY))
    return kind_at(struct_of(Settings), key)


def _with_setting(text: str, key: str, value: Scalar, peer: str, file: Path) -> str:
    path: list[str | int] = [*key.split(".")]
    if key.startswith(OWN_ENTRY):
        path = ["peers", _place_of(peer, text, file), key.removeprefix(OWN_ENTRY)]
    try:
        return with_value(text, path, value)
    except ValueError as error:
        raise ValueError(f"{error}; {by_hand(key)} would say {value}") from None


def _place_of(peer: str, text: str, file: Path) -> int:
    """The place of the peer's entry in the file's list."""
    document = parse_yaml(text)
    entries = document.get("peers") if isinstance(document, dict) else None
    for place, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict) and entry.get("name") == peer:
            return place
    message = f"{file} has no entry for the peer {peer}; add one below peers by hand, then start again"
    raise ShoalError(ERR_STATE, message)
