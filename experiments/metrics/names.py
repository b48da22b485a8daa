"""How the numbers of experiments are called, for whoever asks for them before there are any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final

NAMES: Final = (
    "finished", "median_completion", "p90_completion", "last_completion", "share_of_bound", "share_of_chunked_bound",
    "goodput", "waiting", "lacking_one", "seed_load", "duplicate_share", "rejected_share", "jain_upload",
    "jain_download", "tracker_mean", "tracker_peak", "false_refusals", "events_lost", "wrong_bytes",
)  # fmt: skip
"""Of the whole swarm."""
OF_PARTS: Final = ("finished", "median_completion")
"""Of each group (`finished.group.NAME`) and each behaviour (`finished.behaviour.NAME`) of leechers, if there are
several."""
OF_BEHAVIOURS: Final = ("score", "taken", "detection", "bad_chunks")
"""Of each behaviour: `score.NAME`."""


def possible_names(groups: Iterable[str], behaviours: Iterable[str]) -> list[str]:
    """Every name that a number may have with these groups and behaviours; which there are is known at the end."""
    behaviours = list(behaviours)
    parts = [*(f"group.{group}" for group in groups), *(f"behaviour.{behaviour}" for behaviour in behaviours)]
    return [
        *NAMES,
        *(f"{name}.{part}" for name in OF_PARTS for part in parts),
        *(f"{name}.{behaviour}" for name in OF_BEHAVIOURS for behaviour in behaviours),
    ]


def name_problems(wanted: Iterable[str], groups: Iterable[str], behaviours: Iterable[str]) -> Iterator[str]:
    """What is wrong with the names that a scenario's `metrics` has."""
    names = possible_names(groups, behaviours)
    for name in wanted:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(NAMES)}, and those of parts"
            yield f"metrics: expected the name of a number, found {name!r}; {hint}"
