"""From the name of a behaviour to what stands around the core."""

from __future__ import annotations

from typing import Final

from experiments.behaviours.chaos import Chaos
from experiments.behaviours.cheats import (
    Corrupter,
    FreeRider,
    Liar,
    Oscillator,
    Staller,
    Sybil,
    Trickler,
    Whitewasher,
)
from experiments.behaviours.wrapping import Means, Part, PeerCore, Wrapped

BEHAVIOURS: Final[dict[str, type[Wrapped] | None]] = {
    "honest": None,
    "slow": None,  # an honest peer with a tenth of the rate
    "free-rider": FreeRider,
    "large-view": FreeRider,  # a free rider with many more links
    "corrupter": Corrupter,
    "staller": Staller,
    "trickler": Trickler,
    "liar": Liar,
    "oscillator": Oscillator,
    "whitewasher": Whitewasher,
    "sybil": Sybil,
}


def playing(core: PeerCore, part: Part, means: Means) -> PeerCore:
    """A core that behaves as its part says, and obeys no orders."""
    behaviour = BEHAVIOURS[part.behaviour]
    return core if behaviour is None else behaviour(core, part, means)


def on_stage(core: PeerCore, part: Part, means: Means) -> Chaos:
    """A core that behaves as its part says, and to which anything may happen."""
    return Chaos(playing(core, part, means), part, means)
