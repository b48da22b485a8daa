"""All numbers of one experiment, from its tables."""

from __future__ import annotations

from typing import Final

import polars as pl
from msgspec import Struct

from experiments.cast import HONEST, Member
from experiments.metrics import bound, completion, fairness, population, reputation, tracker, volume
from experiments.metrics.completion import Completion
from experiments.metrics.population import Late, Population
from experiments.metrics.reputation import Behaviour
from experiments.metrics.tracker import TrackerLoad
from experiments.metrics.volume import Matrix
from experiments.statistics import quantile
from experiments.tables.making import Tables

MOST_DOWNLOADS: Final = 200
"""Leechers whose downloads are listed one by one; of more, the table has them."""


class Download(Struct, frozen=True):
    """One leecher's."""

    peer: str
    started: float
    """Seconds since time 0, the first start of any leecher."""
    completed: float | None
    """Seconds since time 0; None if it did not."""
    bytes: int
    """Verified."""
    goodput: float
    """Verified bytes a second from its own start to its completion; 0 if it did not complete."""
    duplicate_bytes: int
    rejected_bytes: int
    optimum_share: float | None = None
    """How much of the optimum it reached by its own account, from rates that peers told one another; None: unknown."""


class Metrics(Struct, frozen=True):
    """One experiment.  Those of time and bytes are of the content that was heard of first."""

    content: str
    size: int
    chunks: int
    seed_peer: str
    leechers: int
    finished: int
    """Leechers that completed."""
    downloads: list[Download]
    """By name; none if there are more than 200."""
    first_completion: float | None
    """Seconds since time 0, as the next two; None if nobody finished."""
    median_completion: float | None
    last_completion: float | None
    completion: list[Completion]
    """All leechers, then each group, then each behaviour."""
    goodput: float
    """Verified bytes a second of all who finished together, until the last completion."""
    duplicate_bytes: int
    duplicate_share: float
    """Of duplicate bytes in the verified ones."""
    rejected_bytes: int
    rejected_share: float
    seed_share: float
    """Of all verified bytes, the share that came from the seeds; 1 / leechers at best."""
    seed_load: float
    """Verified bytes from the seeds over the size; 1 at best."""
    bound_seconds: float | None
    """No swarm could end before; None without rate limits."""
    share_of_bound: float | None
    """bound_seconds / last_completion; 1 is perfect."""
    chunked_bound_seconds: float | None
    """As bound_seconds, if a chunk must be whole before it is passed on."""
    share_of_chunked_bound: float | None
    jain_upload: float | None
    """Jain's fairness of the bytes that each leecher gave."""
    jain_download: float | None
    """Jain's fairness of the rates at which those who finished downloaded."""
    tracker: TrackerLoad | None
    behaviours: list[Behaviour]
    false_refusals: int
    """Pairs of honest members in which one refused the other for its reputation; must be 0."""
    events_lost: int
    """By the numbers that events carry; must be 0."""
    wrong_bytes: int | None
    """Bytes of finished downloads that differ from what was shared; must be 0; None if nobody compared them."""
    matrix: Matrix
    late: Late | None = None
    """Who still waited towards the end; None if all finished, or nobody began."""


def leechers_of(tables: Tables) -> pl.DataFrame:
    """One row for each member without the content at the start, by name; nulls if it never began to fetch."""
    transfers = tables.transfers.filter(pl.col("content") == 0).drop("content", "arrives")
    return tables.members.filter(~pl.col("complete")).join(transfers, on="member", how="left").sort("member")


def measure(tables: Tables, events_lost: int = 0, wrong_bytes: int | None = None, progress: bool = True) -> Metrics:
    """Everything.

    Args:
        tables: of the experiment.
        events_lost: as the collector found.
        wrong_bytes: as the backend found, None if it did not look.
        progress: whether peers told of it.
    """
    content, size, chunks, sharer = tables.contents.row(0)
    leechers = leechers_of(tables)
    finished = leechers.filter(pl.col("completed").is_not_null())
    sources = tables.sources.filter(pl.col("content") == 0)
    seeds = tables.members.filter("complete")["member"].to_list()
    completed: list[float] = finished["completed"].to_list()
    last = max(completed, default=None)
    verified = int(sources["bytes"].sum())
    duplicate, rejected = int(leechers["duplicate"].sum()), int(leechers["rejected"].sum())
    cast = _cast(tables.members, leechers)
    ended = set(finished["member"])
    arrived = [member for member in cast if member.name in ended]
    fluid = bound.fluid_bound(size, cast, arrived)
    chunked = bound.chunked_bound(size, chunks, cast, arrived)
    waiting = population.population(leechers, tables.presence, tables.progress.filter(pl.col("content") == 0), chunks)
    uploads = fairness.contributions(leechers["member"].to_list(), sources)
    return Metrics(
        content=content,
        size=size,
        chunks=chunks,
        seed_peer=sharer or next(iter(seeds), ""),
        leechers=len(leechers),
        finished=len(finished),
        downloads=_downloads(leechers) if len(leechers) <= MOST_DOWNLOADS else [],
        first_completion=min(completed, default=None),
        median_completion=_median(completed),
        last_completion=last,
        completion=completion.completions(leechers),
        goodput=volume.goodput(finished),
        duplicate_bytes=duplicate,
        duplicate_share=volume.share(duplicate, verified),
        rejected_bytes=rejected,
        rejected_share=volume.share(rejected, verified),
        seed_share=round(volume.share(volume.seed_bytes(sources, seeds), verified), 4),
        seed_load=volume.seed_load(sources, seeds, size),
        bound_seconds=fluid,
        share_of_bound=_of_bound(fluid, last),
        chunked_bound_seconds=chunked,
        share_of_chunked_bound=_of_bound(chunked, last),
        jain_upload=fairness.jain(uploads),
        jain_download=fairness.jain(fairness.download_rates(finished)),
        tracker=tracker.tracker_load(tracker.request_rates(tables.tracker)),
        behaviours=_behaviours(tables, leechers, progress),
        false_refusals=reputation.false_refusals(tables.refusals, tables.members),
        events_lost=events_lost,
        wrong_bytes=wrong_bytes,
        matrix=volume.matrix(tables.members, sources),
        late=_late(waiting, progress) if waiting and len(ended) < len(leechers) else None,
    )


def _late(rows: list[Population], progress: bool) -> Late:
    found = population.late(rows)
    return found if progress else found._replace(lacking_one=None)


def _behaviours(tables: Tables, leechers: pl.DataFrame, progress: bool) -> list[Behaviour]:
    scores = reputation.final_scores(tables.reputation, tables.members)
    there = leechers.select("member", time="started")
    found = reputation.detections(tables.members, tables.reputation, tables.rejected, tables.refusals, there)
    ends = leechers.filter(pl.col("behaviour") == HONEST)["completed"].to_list()
    last = None if None in ends else max(ends, default=None)
    shares = None if last is None or not progress else reputation.taken(tables.uploads, tables.members, last)
    return reputation.behaviours(tables.members, scores, found, shares)


def _downloads(leechers: pl.DataFrame) -> list[Download]:
    columns = ("member", "started", "completed", "bytes", "duplicate", "rejected", "optimum_share")
    return [
        Download(
            peer=name,
            started=started,
            completed=completed,
            bytes=size,
            goodput=volume.rate(size, completed - started) if completed is not None else 0.0,
            duplicate_bytes=duplicate,
            rejected_bytes=rejected,
            optimum_share=share,
        )
        for name, started, completed, size, duplicate, rejected, share in leechers.select(columns).iter_rows()
        if started is not None
    ]


def _cast(members: pl.DataFrame, leechers: pl.DataFrame) -> list[Member]:
    """The cast as the bounds need it: a leecher arrives when it really began, in seconds since time 0."""
    began = dict(leechers.select("member", "started").iter_rows())
    columns = ("member", "group", "behaviour", "complete", "up", "down")
    return [
        Member(name, [], group, behaviour, complete, up, down, began.get(name) or 0.0)
        for name, group, behaviour, complete, up, down in members.select(columns).iter_rows()
    ]


def _median(values: list[float]) -> float | None:
    return round(quantile(values, 0.5), 3) if values else None


def _of_bound(bound_seconds: float | None, last: float | None) -> float | None:
    return round(bound_seconds / last, 4) if bound_seconds is not None and last else None
