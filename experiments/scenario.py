"""What an experiment does: one YAML file, read as strictly as the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, cast

import msgspec
from msgspec import Meta, Struct, inspect

from bus import forms
from bus.errors import ERR_CONFIG, ShoalError
from bus.schema import read_value
from bus.settings import MIB, Rate, Seconds
from bus.strict_yaml import read_yaml

MAX_LEECHERS: Final = 200
"""Each is a process; larger swarms are for the simulator."""


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Rate limits of every peer, in bytes a second."""

    up: Rate = 0
    """0: unlimited."""
    down: Rate = 0
    """0: unlimited."""


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """One seed that shares one file, and leechers that all begin to fetch it at once."""

    leechers: Annotated[int, Meta(ge=1, le=MAX_LEECHERS)]
    """How many peers fetch; the seed is one more."""
    size: Annotated[int, Meta(ge=1, extra={"form": forms.SIZE})] = 64 * MIB
    """Bytes of the file."""
    limits: Limits = Limits()
    seed: Annotated[int, Meta(ge=0)] = 1
    """Of the file's bytes. What real processes do by chance is not in our hands."""
    timeout: Seconds = 300.0
    """Seconds after the start of the downloads until the experiment has failed."""


_SCHEMA: Final = cast("inspect.StructType", inspect.type_info(Scenario))


def read_scenario(path: Path) -> Scenario:
    """The scenario in a file.

    Raises:
        ShoalError: ERR_CONFIG, one line with the file, the key, what was expected and what was found.
    """
    try:
        return msgspec.convert(read_value(_SCHEMA, "", read_yaml(path)), Scenario)
    except OSError as error:
        raise ShoalError(ERR_CONFIG, f"scenario {path}: expected a readable file: {error.strerror}") from None
    except ValueError as error:
        raise ShoalError(ERR_CONFIG, f"scenario {path}: {error}") from None
