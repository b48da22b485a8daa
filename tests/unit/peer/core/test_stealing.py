"""Which chunk an idle source takes over, by example."""

from __future__ import annotations

import pytest

from bus.boundary import LinkId
from bus.messages import Data
from peer.core.download import Download
from peer.core.interface import Prepared
from peer.core.layout import Entry, Layout
from peer.core.records import DownloadRecord
from peer.core.source import Asked, Source
from peer.core.stealing import LEAST_WAIT, Theft, find_theft, time_to_come

CHUNK = 128 * 1024
CONTENT = "c" * 64
LAYOUT = Layout("file", [Entry("", 8 * CHUNK, False, CONTENT)])
NOW = 10.0
WINDOW = 10**7


def source(number: int, want_seconds: float = 0.0) -> Source:
    """A source with an open stream, that has taken so long for the wants it answered."""
    made = Source(LinkId(number), f"{number:064x}", dialled=True, now=0.0)
    made.open()
    made.opened(WINDOW, 0.0)
    made.window.announce(WINDOW)
    made.want_seconds = want_seconds
    return made


def asked_of(source: Source, *chunks: int, at: float = NOW - 1) -> None:
    mask = sum(1 << chunk for chunk in chunks)
    source.ask(CONTENT, LAYOUT, mask, len(chunks) * CHUNK, at)


def came(source: Source, chunk: int, size: int, now: float, want: int = 1) -> None:
    source.receive(Data(source.stream, source.window.received, want, [(chunk, 0, size)]), size, now)


def download_from(*sources: Source, offered: int = LAYOUT.all_chunks) -> Download:
    """A download that all of them serve, each offering the same."""
    download = Download(DownloadRecord(CONTENT, "file", "/d", "", (), (), False, 0.0), 0.0)
    download.step("parsed")
    download.prepared(Prepared(CONTENT, "file", LAYOUT, "/d/file", 0, LAYOUT.all_chunks, ()))
    for one in sources:
        download.set_map(one.link, offered)
    return download


def theft(thief: Source, *victims: Source, offered: int = LAYOUT.all_chunks) -> Theft | None:
    return find_theft(download_from(thief, *victims, offered=offered), thief, [thief, *victims], NOW)


def test_a_chunk_of_a_source_that_takes_far_longer_is_taken_over() -> None:
    slow = source(2, want_seconds=8.0)
    asked_of(slow, 3)
    assert theft(source(1, want_seconds=0.5), slow) == Theft(slow, 1, 3)


def test_nothing_is_taken_from_a_source_of_the_same_rate() -> None:
    slow = source(2, want_seconds=0.5)
    asked_of(slow, 3, at=NOW - 0.4)
    assert theft(source(1, want_seconds=0.5), slow) is None


def test_a_thief_must_be_twice_as_fast() -> None:
    slow = source(2, want_seconds=3.0)
    asked_of(slow, 3, at=NOW - 1)
    # Two seconds to come.
    assert theft(source(1, want_seconds=1.0), slow) is None
    assert theft(source(1, want_seconds=0.99), slow) is not None


def test_the_chunk_that_is_predicted_last_is_taken_first() -> None:
    slow, slower = source(2, want_seconds=5.0), source(3, want_seconds=9.0)
    asked_of(slow, 1)
    asked_of(slower, 2)
    assert theft(source(1, want_seconds=0.1), slow, slower) == Theft(slower, 1, 2)


@pytest.mark.parametrize(
    ("read_next", "levels", "taken"),
    [
        (0, (), 2),
        (0, (1 << 1, 1 << 2), 1),
        (0, (0, 1 << 1), 1),
        (0, (1 << 7, 0), 2),
        (1 << 1, (1 << 2, 0), 1),
    ],
)
def test_what_is_to_be_fetched_first_is_taken_first_however_soon_it_would_come(
    read_next: int, levels: tuple[int, ...], taken: int
) -> None:
    thief, slow, slower = source(1, want_seconds=0.1), source(2, want_seconds=5.0), source(3, want_seconds=9.0)
    asked_of(slow, 1)
    asked_of(slower, 2)
    download = download_from(thief, slow, slower)
    download.read_next, download.levels = read_next, levels
    found = find_theft(download, thief, [thief, slow, slower], NOW)
    assert found is not None
    assert found.chunk == taken


def test_what_is_to_be_fetched_first_is_left_where_it_comes_soon() -> None:
    thief, quick, slow = source(1, want_seconds=1.0), source(2, want_seconds=1.5), source(3, want_seconds=9.0)
    asked_of(quick, 1)
    asked_of(slow, 2)
    download = download_from(thief, quick, slow)
    download.levels = (1 << 1, 1 << 2)
    assert find_theft(download, thief, [thief, quick, slow], NOW) == Theft(slow, 1, 2)


def test_of_a_want_the_last_chunk_that_has_not_begun_is_taken() -> None:
    slow = source(2, want_seconds=9.0)
    asked_of(slow, 1, 4, 6)
    came(slow, 6, 1000, NOW - 0.5)
    assert theft(source(1, want_seconds=0.1), slow) == Theft(slow, 1, 4)


def test_a_chunk_that_has_begun_is_taken_if_there_is_no_other() -> None:
    slow = source(2, want_seconds=9.0)
    asked_of(slow, 6)
    came(slow, 6, 1000, NOW - 0.5)
    assert theft(source(1, want_seconds=0.1), slow) == Theft(slow, 1, 6)


def test_only_what_the_thief_offers_is_taken() -> None:
    slow = source(2, want_seconds=9.0)
    asked_of(slow, 3, 5)
    assert theft(source(1, want_seconds=0.1), slow, offered=0b1000) == Theft(slow, 1, 3)
    assert theft(source(1, want_seconds=0.1), slow, offered=0b0001) is None


def test_a_fresh_want_is_left_alone() -> None:
    slow = source(2, want_seconds=9.0)
    asked_of(slow, 3, at=NOW - LEAST_WAIT / 2)
    assert theft(source(1, want_seconds=0.1), slow) is None


def test_a_source_that_waits_for_our_credit_is_as_fast_as_our_limit() -> None:
    waiting = Source(LinkId(2), "2" * 64, dialled=True, now=0.0)
    waiting.open()
    waiting.opened(WINDOW, 0.0)
    waiting.want_seconds = 9.0
    asked_of(waiting, 3)
    assert theft(source(1, want_seconds=0.1), waiting) is None


@pytest.mark.parametrize("silent_for", [2.5, 5.0])
def test_a_source_that_never_answered_is_robbed_by_one_that_did(silent_for: float) -> None:
    silent = source(2)
    asked_of(silent, 3, at=NOW - silent_for)
    assert theft(source(1, want_seconds=1.0), silent) == Theft(silent, 1, 3)


def test_a_source_that_has_given_nothing_yet_takes_only_what_waits_for_long() -> None:
    slow = source(2, want_seconds=1.5)
    asked_of(slow, 3, at=NOW - 0.5)
    assert theft(source(1), slow) is None
    slow.want_seconds = 9.0
    assert theft(source(1), slow) == Theft(slow, 1, 3)


def time_of(source: Source, waited: float) -> float:
    asked_of(source, 3, at=NOW - waited)
    (asked,) = source.asked.values()
    return time_to_come(source, asked, NOW)


def test_the_time_to_come_is_what_is_left_of_the_usual_time() -> None:
    assert time_of(source(1, want_seconds=3.0), waited=1.0) == 2.0


def test_what_is_overdue_takes_as_long_again_as_it_has_waited() -> None:
    assert time_of(source(1, want_seconds=3.0), waited=4.0) == 4.0


def test_a_source_that_has_answered_nothing_is_judged_by_its_rate() -> None:
    slow = source(1)
    asked_of(slow, 3, at=NOW - 4)
    for second in range(4):
        came_at = NOW - 4 + second
        slow.receive(Data(1, slow.window.received, 1, [(3, 8192 * second, 8192)]), 8192, came_at)
    asked: Asked = slow.asked[1]
    assert time_to_come(slow, asked, NOW) == pytest.approx(asked.unreceived / slow.meter.rate(NOW))


def test_what_was_given_up_is_no_longer_awaited_and_what_comes_of_it_is_passed_over() -> None:
    slow = source(2)
    asked_of(slow, 3, 4)
    came(slow, 3, 1000, NOW)
    assert slow.give_up(1, 3) == 1000
    assert slow.give_up(1, 4) == 0
    slow.check_invariants()
    assert (slow.unreceived, slow.asked, slow.given_up) == (0, {}, {1: CONTENT})
    late = slow.receive(Data(1, 1000, 1, [(3, 1000, 500)]), 500, NOW)
    assert (late.parts, late.useful) == ((), 0)


@pytest.mark.parametrize(("share", "at", "taken"), [(0.9, NOW, False), (0.4, NOW, True), (0.9, NOW - 8, True)])
def test_a_chunk_of_which_most_came_and_the_rest_will_soon_is_left(share: float, at: float, taken: bool) -> None:
    slow = source(2, want_seconds=8.0)
    asked_of(slow, 3)
    came(slow, 3, int(share * CHUNK), at)  # a while ago it sent as much, and nothing since
    assert (theft(source(1, want_seconds=0.5), slow) is not None) is taken
