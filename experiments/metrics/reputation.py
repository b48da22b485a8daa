"""Whether opinions fit the facts: scores by behaviour, bad peers found, good ones left alone.

Opinions are those of honest members alone; a liar's are worth nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl
from msgspec import Struct

from experiments.cast import HONEST
from experiments.metrics.completion import Spread, spread

SLOW: Final = "slow"
HARMLESS: Final = (HONEST, SLOW)
"""Behaviours that nobody has a reason to refuse."""
BAD_CAUSES: Final = ("CORRUPTED_DATA", "TIMED_OUT", "REFUSED_UPLOAD")
_PAIR: Final = ("observer", "observed")


class Scores(Struct, frozen=True):
    """The last scores that honest members gave to those of a behaviour."""

    pairs: int
    """Of an honest member and one that it has a score of."""
    mean: float
    lowest: float
    highest: float


class Detection(Struct, frozen=True):
    """How honest members dealt with those of a behaviour, pair by pair."""

    pairs: int
    """Of an honest member and one that did it something bad, or that it refused."""
    refused: int
    """Pairs in which it was refused or banned."""
    seconds: Spread | None
    """From the first bad act to the first refusal or ban; None if nobody was refused."""
    chunks: Spread | None
    """Bad chunks that the victim received up to the refusal, or to the end; None if there were none."""


class Behaviour(Struct, frozen=True):
    """What came of those that act in one way."""

    behaviour: str
    members: int
    scores: Scores | None
    detection: Detection | None
    """None if they did nothing bad and nobody refused them."""
    taken: float | None = None
    """Of the bytes that honest members sent while an honest leecher lacked something, the share that they got; None if
    some honest leecher never finished, or nobody told of progress."""


def taken(uploads: pl.DataFrame, members: pl.DataFrame, until: float) -> dict[str, float]:
    """Behaviour -> share of the bytes that honest members sent up to a time which its members got.

    Args:
        uploads: the table.
        members: the table.
        until: when the last honest leecher had everything, seconds.
    """
    sent = uploads.filter((pl.col("time") <= until) & pl.col("giver").is_in(_honest(members)))
    last = sent.group_by("giver", "taker", "content").agg(pl.col("bytes").max())
    behaviours = members.select(taker="member", behaviour="behaviour")
    got = last.join(behaviours, on="taker").group_by("behaviour").agg(pl.col("bytes").sum())
    whole = int(got["bytes"].sum())
    return {str(name): round(size / whole, 6) for name, size in got.sort("behaviour").iter_rows()} if whole else {}


def final_scores(reputation: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """The last score of each pair with an honest observer: observer, observed, score, behaviour of the observed."""
    last = reputation.sort("time", maintain_order=True).group_by(_PAIR, maintain_order=True).agg(pl.col("score").last())
    behaviours = members.select(observed="member", behaviour="behaviour")
    return last.filter(pl.col("observer").is_in(_honest(members))).join(behaviours, on="observed").sort(_PAIR)


def bad_acts(reputation: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    """When each pair's bad acts began: observer, observed, time.

    A bad act is a chunk that failed verification, or a change of score for a bad cause.
    """
    judged = reputation.filter(pl.col("cause").is_in(BAD_CAUSES)).select(*_PAIR, "time")
    chunks = rejected.select(observer="victim", observed="culprit", time="time")
    return pl.concat([judged, chunks]).group_by(_PAIR).agg(pl.col("time").min())


def first_refusals(refusals: pl.DataFrame) -> pl.DataFrame:
    """When each pair's observer first refused or banned the observed: observer, observed, time."""
    opinions = refusals.filter(pl.col("kind").is_in(["refused", "banned"]))
    return opinions.group_by(_PAIR).agg(pl.col("time").min())


def detections(
    members: pl.DataFrame,
    reputation: pl.DataFrame,
    rejected: pl.DataFrame,
    refusals: pl.DataFrame,
    arrived: pl.DataFrame,
) -> pl.DataFrame:
    """One row for each pair of an honest observer and one that did it something bad or that it refused.

    Columns: observer, observed, behaviour, since (the first bad act, else when both were there), refused (null if
    never), chunks (bad ones up to the refusal).

    Args:
        members: the table.
        reputation: the table.
        rejected: the table.
        refusals: the table.
        arrived: member and time at which it was there.
    """
    acts = bad_acts(reputation, rejected).rename({"time": "act"})
    refused = first_refusals(refusals).rename({"time": "refused"})
    pairs = acts.join(refused, on=_PAIR, how="full", coalesce=True)
    pairs = pairs.filter(pl.col("observer").is_in(_honest(members)))
    pairs = pairs.join(members.select(observed="member", behaviour="behaviour"), on="observed")
    for side in _PAIR:
        pairs = pairs.join(
            arrived.select(pl.col("member").alias(side), pl.col("time").alias(f"{side}_at")), side, "left"
        )
    both = pl.max_horizontal("observer_at", "observed_at", pl.lit(0.0))
    pairs = pairs.with_columns(since=pl.min_horizontal(pl.coalesce("act", both), "refused"))
    chunks = (
        rejected.select(observer="victim", observed="culprit", time="time")
        .join(refused, on=_PAIR, how="left")
        .filter(pl.col("refused").is_null() | (pl.col("time") <= pl.col("refused")))
        .group_by(_PAIR)
        .agg(chunks=pl.len().cast(pl.Int64))
    )
    pairs = pairs.join(chunks, on=_PAIR, how="left").with_columns(pl.col("chunks").fill_null(0))
    return pairs.select(*_PAIR, "behaviour", "since", "refused", "chunks").sort(_PAIR)


def false_refusals(refusals: pl.DataFrame, members: pl.DataFrame) -> int:
    """Pairs in which an honest member refused, banned or for its reputation denied a stream to a harmless one.

    Must be 0.  Harmless are honest and slow members.
    """
    harmless = members.filter(pl.col("behaviour").is_in(HARMLESS))["member"].to_list()
    for_reputation = pl.col("kind").is_in(["refused", "banned"]) | (pl.col("reason") == "reputation")
    found = refusals.filter(
        for_reputation & pl.col("observer").is_in(_honest(members)) & pl.col("observed").is_in(harmless)
    )
    return len(found.select(_PAIR).unique())


def behaviours(
    members: pl.DataFrame, scores: pl.DataFrame, found: pl.DataFrame, shares: Mapping[str, float] | None
) -> list[Behaviour]:
    """One entry for each behaviour in the cast, by name.

    Args:
        members: the table.
        scores: as `final_scores` gives them.
        found: as `detections` gives them.
        shares: as `taken` gives them; None if nobody can tell.
    """
    return [
        Behaviour(
            behaviour=str(name),
            members=int((members["behaviour"] == name).sum()),
            scores=_scores(scores.filter(pl.col("behaviour") == name)["score"]),
            detection=_detection(found.filter(pl.col("behaviour") == name)),
            taken=None if shares is None else shares.get(str(name), 0.0),
        )
        for name in members["behaviour"].unique().sort()
    ]


def _scores(scores: pl.Series) -> Scores | None:
    values: list[float] = scores.to_list()
    return Scores(len(values), round(sum(values) / len(values), 4), min(values), max(values)) if values else None


def _detection(pairs: pl.DataFrame) -> Detection | None:
    if pairs.is_empty():
        return None
    refused = pairs.filter(pl.col("refused").is_not_null())
    seconds = (refused["refused"] - refused["since"]).round(3).to_list()
    chunks = [float(count) for count in pairs["chunks"] if count]
    return Detection(len(pairs), len(refused), spread(seconds), spread(chunks))


def _honest(members: pl.DataFrame) -> list[str]:
    return members.filter(pl.col("behaviour") == HONEST)["member"].to_list()
