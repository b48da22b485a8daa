"""Numbers over time, thinned to what a figure can show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import polars as pl
from msgspec import Struct

from experiments.cast import HONEST

POINTS: Final = 120
"""Times at which a series is shown."""
SHARES: Final = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Quantiles of a band, the middle one in the middle."""

Floats = np.ndarray


class Bands(Struct, frozen=True):
    """Quantiles of many values over time."""

    times: list[float]
    """Seconds since time 0."""
    quantiles: list[list[float]]
    """One list of SHARES for each time."""


def completed_share(seconds: Sequence[float], members: int, end: float) -> list[tuple[float, float]]:
    """The share of `members` that finished within so many seconds: corners of a staircase from 0 to `end`."""
    corners = [(0.0, 0.0)]
    for done, took in enumerate(sorted(seconds), 1):
        corners.append((took, done / members))
    return [*corners, (end, len(seconds) / members)]


def progress_bands(progress: pl.DataFrame, members: Sequence[str], size: int) -> Bands:
    """Quantiles over `members` of the share of `size` that each has verified; 0 before its first event.

    Args:
        progress: of one content, in the order of time.
        members: who fetches.
        size: of the content, bytes.
    """
    rows = progress.filter(pl.col("member").is_in(list(members)))
    times, names = rows["time"].to_numpy(), rows["member"].to_list()
    place = {name: index for index, name in enumerate(members)}
    keys = np.array([place[name] for name in names], np.int64)
    shares = rows["bytes"].to_numpy() / max(size, 1)
    grid = _grid(0.0, times)
    start = np.zeros(len(members))
    bands = [np.quantile(state, SHARES) for state in _carried(times, keys, shares, grid, start)]
    return Bands(grid.tolist(), [band.round(5).tolist() for band in bands])


def score_bands(reputation: pl.DataFrame, members: pl.DataFrame, observers: Sequence[str]) -> dict[str, Bands]:
    """Quantiles of the scores that `observers` gave, over pairs, by behaviour of the observed.

    A pair counts from its first score on.  Behaviours without a score have no entry.

    Args:
        reputation: in the order of time.
        members: the table.
        observers: whose opinions count.
    """
    rows = reputation.filter(pl.col("observer").is_in(list(observers)))
    rows = rows.join(members.select(observed="member", behaviour="behaviour"), on="observed", maintain_order="left")
    found = {}
    for name in rows["behaviour"].unique().sort():
        chosen = rows.filter(pl.col("behaviour") == name)
        pairs = (
            chosen.select(pl.struct("observer", "observed").rank("dense"))["observer"].to_numpy().astype(np.int64) - 1
        )
        times = chosen["time"].to_numpy()
        grid = _grid(float(times[0]), rows["time"].to_numpy())
        start = np.full(int(pairs.max()) + 1, np.nan)
        states = _carried(times, pairs, chosen["score"].to_numpy(), grid, start)
        found[str(name)] = Bands(grid.tolist(), [np.nanquantile(state, SHARES).round(5).tolist() for state in states])
    return found


def taken_shares(uploads: pl.DataFrame, members: pl.DataFrame) -> dict[str, list[tuple[float, float]]]:
    """Behaviour that is not honest -> (time, share of all that honest members had sent by then which its members got);
    nothing if they sent nothing.

    Args:
        uploads: in the order of time.
        members: the table.
    """
    honest = members.filter(pl.col("behaviour") == HONEST)["member"].implode()
    before = pl.col("bytes").shift(1).over("giver", "taker", "content").fill_null(0)
    rows = uploads.filter(pl.col("giver").is_in(honest)).with_columns(more=pl.col("bytes") - before)
    rows = rows.join(members.select(taker="member", behaviour="behaviour"), on="taker", maintain_order="left")
    if rows.is_empty():
        return {}
    times, more = rows["time"].to_numpy(), rows["more"].to_numpy()
    grid = _grid(0.0, times)
    ends = np.searchsorted(times, grid + 1e-9, "right")

    def by_then(sizes: Floats) -> Floats:
        return np.concatenate([[0], np.cumsum(sizes)])[ends]

    whole = np.maximum(by_then(more), 1)
    names = [str(name) for name in members["behaviour"].unique().sort() if name != HONEST]
    shares = {name: by_then(np.where(rows["behaviour"].to_numpy() == name, more, 0)) / whole for name in names}
    return {name: list(zip(grid.tolist(), found.round(6).tolist(), strict=True)) for name, found in shares.items()}


def _grid(begin: float, times: Floats) -> Floats:
    return np.linspace(begin, float(times.max()) if len(times) else begin, POINTS).round(4)


def _carried(times: Floats, keys: Floats, values: Floats, grid: Floats, state: Floats) -> Iterator[Floats]:
    """The newest value of each key at each time of the grid; `times` must not fall."""
    ends = np.searchsorted(times, grid + 1e-9, "right")
    done = 0
    for end in ends:
        # numpy assigns in order, so the newest of several values of one key stays.
        state[keys[done:end]] = values[done:end]
        done = int(end)
        yield state
