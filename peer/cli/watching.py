"""ls, status, explain, peers, reputation: the picked peer's state as tables."""

from __future__ import annotations

import time
from typing import Final, Literal

import click

from bus.errors import ERR_FAILURE, ERR_USAGE, ShoalError
from bus.units import format_duration, format_limit, format_rate, format_size
from peer.cli.control import content_of
from peer.cli.session import Command, Session
from peer.cli.show import Column, plain, print_fields, print_json, print_table, short

Word = Literal["trust", "block", "clear", "forget"]
DONE: Final[dict[Word, str]] = {
    "trust": "is trusted: it is never refused, and what it sends is verified as ever",
    "block": "is blocked: it gets nothing, and nothing is taken from it",
    "clear": "is neither trusted nor blocked",
    "forget": "is forgotten: a newcomer",
}
"""What became of a peer, by the verdict."""
VERDICTS: Final = {
    "": "",
    "trusted": "; you trust it, so that it is never refused and counts as 0.5 at least",
    "blocked": "; you blocked it, whatever its score",
}


@click.command(cls=Command)
@click.pass_obj
def ls(session: Session) -> None:
    """Everything shared and moving."""
    from peer.cli.rows import items

    rows = items(session.state("contents", "transfers", "uploads", "uploaded", "hashing"))
    if session.json:
        print_json(rows)
        return
    columns = [Column("ID"), Column("NAME", elastic=True), Column("SIZE", True), Column("DONE", True), Column("STATE"),
               Column("UP", True), Column("DOWN", True)]  # fmt: skip
    cells = [
        (short(row.id), row.name, format_size(row.size), f"{100 * row.progress:.0f}%", row.state.replace("_", " "),
         _rate(row.up_rate), _rate(row.down_rate))
        for row in rows
    ]  # fmt: skip
    print_table(columns, cells, [row.error for row in rows])


@click.command(cls=Command)
@click.pass_obj
def status(session: Session) -> None:
    """This peer: who it is, its trackers, its rates."""
    from peer.cli import rows

    found = rows.status(session.state("peer", "trackers", "metrics", "limits"), time.time())
    if found is None:
        raise ShoalError(ERR_FAILURE, "the peer's state does not say who it is; is it still starting?")
    if session.json:
        print_json(found)
        return
    trackers = [("tracker", f"{one.endpoint}  {one.state}  {one.reason}".rstrip()) for one in found.trackers]
    print_fields(
        [
            ("name", found.name),
            ("id", found.id),
            ("version", found.version),
            ("uptime", format_duration(found.uptime)),
            *(trackers or [("tracker", "none configured")]),
            ("rates", f"up {format_rate(found.up_rate)}, down {format_rate(found.down_rate)}"),
            ("limits", f"up {format_limit(found.limits.up)}, down {format_limit(found.limits.down)}"),
            ("downloads", found.download_dir),
            ("disk free", format_size(found.disk_free)),
        ]
    )


@click.command(cls=Command)
@click.pass_obj
def peers(session: Session) -> None:
    """The peers known here, with rates and bytes."""
    from peer.cli.rows import other_peers

    rows = other_peers(session.state("peers", "reputation"))
    if session.json:
        print_json(rows)
        return
    columns = [Column("PEER"), Column("NAME", elastic=True), Column("ADDRESS"), Column("LINK"), Column("UP", True),
               Column("DOWN", True), Column("SENT", True), Column("RECEIVED", True), Column("SCORE", True)]  # fmt: skip
    cells = [
        (short(row.peer), row.name, row.address, "up" if row.connected else "-", _rate(row.up_rate),
         _rate(row.down_rate), format_size(row.sent), format_size(row.received), f"{row.score:.2f}")
        for row in rows
    ]  # fmt: skip
    print_table(columns, cells)


@click.command(cls=Command)
@click.option("--explain", metavar="PEER", help="The events that made one peer's score (its id, or 8 first digits).")
@click.option(
    "--trust", metavar="PEER", help="Never refuse or ban it; it counts as known, with a score of 0.5 at least."
)
@click.option("--block", metavar="PEER", help="No link with it any more: what stands ends, none is made or accepted.")
@click.option("--clear", metavar="PEER", help="Neither trusted nor blocked any more: its score decides again.")
@click.option("--forget", metavar="PEER", help="Drop all that is kept of it, your verdict too: it is a newcomer.")
@click.pass_obj
def reputation(
    session: Session, explain: str | None, trust: str | None, block: str | None, clear: str | None, forget: str | None
) -> None:
    """Scores of other peers, from 0 to 1, and the events that made them; your own verdicts, which are kept."""
    from peer.cli.rows import scores

    verdicts = zip(DONE, (trust, block, clear, forget), strict=True)
    judged = [(verdict, peer) for verdict, peer in verdicts if peer is not None]
    if len(judged) + (explain is not None) > 1:
        raise ShoalError(ERR_USAGE, "give one of --explain, --trust, --block, --clear and --forget at a time")
    if explain is not None:
        _explain(session, _peer(explain))
        return
    if judged:
        _judge(session, *judged[0])
        return
    rows = scores(session.state("reputation"))
    if session.json:
        print_json(rows)
        return
    cells = [
        (short(row.peer), f"{row.score:.3f}", " ".join(row.flags), _counts(row.events))
        for row in rows
    ]  # fmt: skip
    print_table([Column("PEER"), Column("SCORE", True), Column("FLAGS"), Column("EVENTS", elastic=True)], cells)


def _peer(text: str) -> str:
    """A peer as a user names it."""
    peer = text.strip().lower()
    if len(peer) < 8 or not set(peer) <= set("0123456789abcdef"):
        raise ShoalError(ERR_USAGE, f"expected a peer id or 8 or more of its first hex digits, found {peer!a}")
    return peer


def _judge(session: Session, verdict: Word, peer: str) -> None:
    from bus.messages import Done, JudgePeer
    from peer.cli.rows import Judged

    reply = session.ask(JudgePeer(0, _peer(peer), verdict), Done)
    session.note(f"{reply.content} {DONE[verdict]}")
    if session.json:
        print_json(Judged(reply.content, verdict))


def _explain(session: Session, peer: str) -> None:
    from bus.messages import ExplainReputation, ReputationExplained

    reply = session.ask(ExplainReputation(0, peer), ReputationExplained)
    if session.json:
        print_json(reply.events)
        return
    columns = [Column("TIME"), Column("EVENT"), Column("CONTENT"), Column("BYTES", True), Column("CHANGE", True),
               Column("SCORE", True)]  # fmt: skip
    cells = [
        (one.time, one.type, short(one.content), format_size(one.bytes), f"{one.change:+.4f}", f"{one.score:.4f}")
        for one in reply.events
    ]
    print_table(columns, cells)
    click.echo(f"{plain(reply.peer)} has {reply.score:.4f}{VERDICTS[reply.verdict]}")


@click.command(cls=Command)
@click.argument("content", metavar="ID")
@click.pass_obj
def explain(session: Session, content: str) -> None:
    """Why a download is as fast as it is, or stuck: what decides, and each source; of a share, how fast it goes out."""
    from bus.messages import Explain, Explained
    from bus.readable import content_explanation

    reply = session.ask(Explain(0, content_of(content)), Explained)
    if session.json:
        print_json(content_explanation(reply))
        return
    click.echo(f"{plain(reply.name) or reply.content[:16]}: {reply.state.replace('_', ' ')}, {format_rate(reply.rate)}")
    click.echo(f"{reply.cause.replace('_', ' ')}: {plain(reply.text)}")
    if reply.missing:
        click.echo(
            f"missing: {reply.missing} chunks, {reply.free} of them asked of nobody; {format_size(reply.to_come)} to "
            f"come, {format_size(reply.unwritten)} to be written; limit {format_limit(reply.limit)}"
        )
    if reply.sources:
        columns = [Column("SOURCE"), Column("CAUSE"), Column("RATE", True), Column("HAS", True),
                   Column("TO COME", True), Column("CREDIT", True)]  # fmt: skip
        cells = [
            (short(row.peer), row.cause.replace("_", " "), _rate(row.rate), str(row.chunks), format_size(row.to_come),
             format_size(row.credit))
            for row in reply.sources
        ]  # fmt: skip
        print_table(columns, cells, [row.text for row in reply.sources])


def _rate(rate: float) -> str:
    return format_rate(rate) if rate >= 1 else "-"


def _counts(events: dict[str, int]) -> str:
    return " ".join(f"{kind}:{count}" for kind, count in sorted(events.items()))


COMMANDS = (ls, status, explain, peers, reputation)
