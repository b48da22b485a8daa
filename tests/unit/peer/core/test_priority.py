"""Whose chunks a source is asked for next."""

from __future__ import annotations

from bus.boundary import LinkId
from bus.messages import Priority
from peer.core.download import Download
from peer.core.layout import Entry, Layout
from peer.core.priority import busy_with, in_turn, waits_its_turn
from peer.core.records import DownloadRecord
from peer.core.source import Source

LAYOUT = Layout("file", [Entry("", 10_000, False, "a")])


def order(flight: int, **downloads: tuple[Priority, int]) -> list[str]:
    """The names in turn, of downloads given as name=(priority, bytes to come from the source)."""
    source = Source(LinkId(1), "peer", True, 0.0)
    made = []
    for name, (priority, to_come) in downloads.items():
        record = DownloadRecord(name, name, "/", "", (), (), False, 0.0, priority=priority)
        made.append(Download(record, 0.0))
        if to_come:
            source.ask(name, LAYOUT, 1, to_come, 0.0)
    return [download.record.id for download in in_turn(made, source, flight)]


def test_a_source_without_downloads_is_asked_for_nothing() -> None:
    assert order(100) == []


def test_of_equal_downloads_that_with_least_to_come_is_first() -> None:
    assert order(100, a=("normal", 50), b=("normal", 0), c=("normal", 20)) == ["b", "c", "a"]


def test_equal_downloads_with_nothing_to_come_keep_the_order_in_which_they_began() -> None:
    assert order(100, b=("normal", 0), a=("normal", 0)) == ["b", "a"]


def test_higher_priorities_come_first_however_much_is_to_come() -> None:
    assert order(100, low=("low", 0), high=("high", 50), normal=("normal", 10)) == ["high", "normal", "low"]


def test_a_higher_priority_that_fills_the_flight_leaves_nothing() -> None:
    assert order(100, low=("low", 0), high=("high", 100), normal=("normal", 0)) == []
    assert order(100, low=("low", 0), high=("high", 60), normal=("normal", 40)) == ["high"]


def test_equal_downloads_do_not_take_from_each_other_s_flight() -> None:
    assert order(100, a=("normal", 100), b=("normal", 99)) == ["b"]


def waits(high: tuple[int, ...] = (0,), own: tuple[int, ...] = (0,), offers: tuple[int, ...] = (1,)) -> bool:
    """Whether a low download waits; bytes to come of a high one and of itself, and what is offered, by source."""
    low, other = (
        Download(DownloadRecord(name, name, "/", "", (), (), False, 0.0, priority=name), 0.0)
        for name in ("low", "high")
    )
    sources = {}
    for number, (above, here, offered) in enumerate(zip(high, own, offers, strict=True)):
        link = LinkId(number)
        sources[link] = source = Source(link, "peer", True, 0.0)
        source.ask("high", LAYOUT, 1, above, 0.0)
        source.ask("low", LAYOUT, 1, here, 0.0)
        low.maps[link] = offered
    active = {"high": other, "low": low}
    return waits_its_turn(low, sources, {link: busy_with(source, active) for link, source in sources.items()})


def test_who_waits_has_only_sources_that_are_busy_with_higher_priorities() -> None:
    assert waits(high=(50,))
    assert waits(high=(50, 1), own=(0, 0), offers=(1, 1))
    assert not waits(high=(50, 0), own=(0, 0), offers=(1, 1))  # the second may still be asked
    assert waits(high=(50, 0), own=(0, 0), offers=(1, 0))  # it has nothing
    assert not waits(high=(50,), own=(7,))
    assert not waits(high=(50,), offers=(0,))
    assert not waits(high=(), own=(), offers=())


def test_a_source_is_busy_with_the_most_urgent_download_that_it_is_asked_for() -> None:
    link, source = LinkId(0), Source(LinkId(0), "peer", True, 0.0)
    assert busy_with(source, {}) == 3
    source.ask("gone", LAYOUT, 1, 5, 0.0)  # it was removed meanwhile
    low = Download(DownloadRecord("low", "low", "/", "", (), (), False, 0.0, priority="low"), 0.0)
    assert busy_with(source, {"low": low}) == 3
    source.ask("low", LAYOUT, 1, 5, 0.0)
    assert busy_with(source, {"low": low}) == 2
    low.maps[link] = 1
    assert not waits_its_turn(low, {link: source}, {link: 2})
