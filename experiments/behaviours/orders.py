"""What a running peer of an experiment can be told, by name, over its control socket (`Instruct`)."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct


class Order(Struct, frozen=True, omit_defaults=True):
    """One instruction."""

    do: Literal["leave", "kill", "pause", "partition", "corrupt", "delay"]
    """`leave`: say good-bye and go.  `kill`: go without a word.  The others: see experiments/scenario.py, Failure."""
    lasts: float = 0.0
    """Seconds until it is mended, or the peer returns; 0: for good."""
    delay: float = 0.0
    """Of `delay`: seconds."""
    side: tuple[str, ...] = ()
    """Of `partition`: ids of the peers on this side, itself included."""


def write_order(order: Order) -> str:
    return msgspec.json.encode(order).decode()


def read_order(text: str) -> Order:
    """An order as it was written.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return msgspec.json.decode(text, type=Order)
