"""Which files of a tree come first: what is set, what follows from it, and what is refused."""

from __future__ import annotations

import random

import pytest

from bus.boundary import LinkId
from bus.errors import ERR_LIMIT, ERR_NOT_FOUND, ERR_STATE, ERR_USAGE, ShoalError
from bus.messages import Priority
from peer.core.bitmap import chunks_in
from peer.core.download import Download, DownloadState
from peer.core.file_priority import MOST_BYTES, MOST_SET, chunks_first, level_of, with_level
from peer.core.interface import Prepared
from peer.core.layout import Entry, Layout
from peer.core.picker import RandomOrder, RarestFirst
from peer.core.records import DownloadRecord

CHUNK = 128 * 1024
SEED, OTHER = LinkId(1), LinkId(2)
PATHS = ["extra/a", "extra/b", "film", "season/1", "season/2", "season/sub/3"]
LAYOUT = Layout("tree", [Entry(path, 4 * CHUNK, False, f"{n:064x}") for n, path in enumerate(PATHS)])
RECORD = DownloadRecord("c" * 64, "tree", "/d", "", (), (), False, 0.0)


def set_in_turn(*steps: tuple[str, Priority]) -> DownloadRecord:
    record = RECORD
    for path, level in steps:
        record = with_level(record, LAYOUT, [path], level)
    return record


def files(mask: int) -> list[str]:
    """The files that chunks of a mask belong to."""
    return list(dict.fromkeys(PATHS[LAYOUT.entry_of(chunk)] for chunk in chunks_in(mask)))


def fetching(record: DownloadRecord = RECORD, lists: bool = False) -> Download:
    download = Download(record, 0.0)
    download.state = DownloadState.PREPARING
    spans = tuple((f"{n:064x}", ((4 * n, 4),)) for n in range(len(PATHS))) if lists else ()
    download.prepared(Prepared(RECORD.id, "tree", LAYOUT, "/d/tree", 0, LAYOUT.all_chunks, spans))
    download.set_map(SEED, LAYOUT.all_chunks)
    return download


def picked(download: Download, count: int, link: LinkId = SEED) -> list[str]:
    """The files of the chunks that a source is asked for next, in order."""
    rng, found = random.Random(4), []
    for _ in range(count):
        mask, _ = download.pick(link, CHUNK, RarestFirst(), rng)
        found.append(PATHS[LAYOUT.entry_of(mask.bit_length() - 1)])
    return found


# -- what is set --


def test_of_several_paths_the_longest_decides() -> None:
    record = set_in_turn(("season", "high"), ("season/sub", "low"), ("season/sub/3", "normal"), ("film", "low"))
    levels = dict(record.file_priorities)
    assert [level_of(path, levels) for path in PATHS] == ["normal", "normal", "low", "high", "high", "normal"]
    assert level_of("season/sub/other", levels) == "low"
    high, normal = chunks_first(LAYOUT, record)
    assert files(high) == ["season/1", "season/2"]
    assert files(normal) == ["extra/a", "extra/b", "season/sub/3"]


def test_what_is_set_for_a_folder_takes_along_all_that_was_set_in_it() -> None:
    record = set_in_turn(("season/1", "low"), ("film", "high"), ("season/sub/3", "high"), ("season", "high"))
    assert record.file_priorities == (("film", "high"), ("season", "high"))


def test_what_is_as_it_would_be_anyway_is_not_kept() -> None:
    assert set_in_turn(("season", "high"), ("season/1", "high")).file_priorities == (("season", "high"),)
    assert set_in_turn(("season/1", "low"), ("season", "normal")).file_priorities == ()
    both = with_level(RECORD, LAYOUT, ["season/1", "season"], "low")
    assert both.file_priorities == (("season", "low"),)


def test_nothing_set_is_no_level_at_all() -> None:
    assert chunks_first(LAYOUT, RECORD) == ()
    assert fetching().levels == ()


@pytest.mark.parametrize(
    ("layout", "path", "code"),
    [
        (None, "film", ERR_STATE),
        (Layout("file", [Entry("", CHUNK, False, "a" * 64)]), "film", ERR_USAGE),
        (LAYOUT, "seas", ERR_NOT_FOUND),
        (LAYOUT, "season/", ERR_NOT_FOUND),
        (LAYOUT, "", ERR_NOT_FOUND),
    ],
)
def test_what_names_no_file_of_a_known_tree_is_refused(layout: Layout | None, path: str, code: str) -> None:
    with pytest.raises(ShoalError) as refused:
        with_level(RECORD, layout, [path], "high")
    assert refused.value.code == code
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(("count", "length"), [(MOST_SET + 1, 8), (MOST_BYTES // 1000 + 1, 1000)])
def test_what_is_kept_of_one_download_has_a_limit(count: int, length: int) -> None:
    paths = [f"{n:0{length}}" for n in range(count)]
    layout = Layout("tree", [Entry(path, 0, False, "a" * 64) for path in paths])
    with pytest.raises(ShoalError, match="name their folders") as refused:
        with_level(RECORD, layout, paths, "high")
    assert refused.value.code == ERR_LIMIT
    assert with_level(RECORD, layout, paths[: count // 2], "high").file_priorities


# -- what follows from it --


def test_high_files_come_before_normal_ones_and_those_before_low_ones() -> None:
    order = picked(fetching(set_in_turn(("season", "high"), ("extra", "low"))), 24)
    assert {*order[:12]} == {"season/1", "season/2", "season/sub/3"}
    assert order[12:16] == ["film"] * 4
    assert {*order[16:]} == {"extra/a", "extra/b"}


def test_a_source_without_the_high_files_is_asked_for_others() -> None:
    download = fetching(set_in_turn(("season", "high")))
    download.set_map(OTHER, LAYOUT.mask_of(["film"]))
    assert picked(download, 4, OTHER) == ["film"] * 4


def test_a_level_that_is_all_asked_for_keeps_no_source_idle() -> None:
    download = fetching(set_in_turn(("film", "high"), ("extra", "low")))
    download.asked = LAYOUT.mask_of(["film", "season"])
    assert {*picked(download, 8)} == {"extra/a", "extra/b"}
    assert download.pick(SEED, CHUNK, RarestFirst(), random.Random(4)) == (0, 0)


def test_within_a_level_the_rarest_comes_first() -> None:
    download = fetching(set_in_turn(("season", "high")))
    download.set_map(OTHER, LAYOUT.all_chunks & ~LAYOUT.mask_of(["season/2", "film"]))
    assert picked(download, 4) == ["season/2"] * 4


def test_what_is_about_to_be_read_comes_before_all_others() -> None:
    download = fetching(set_in_turn(("season", "high"), ("film", "low")))
    download.read_from(PATHS.index("film"), 0)
    assert picked(download, 5)[:4] == ["film"] * 4


def test_a_change_holds_from_the_next_chunk_on() -> None:
    download = fetching()
    download.record = set_in_turn(("film", "high"))
    download.arrange()
    assert picked(download, 4) == ["film"] * 4
    download.record = RECORD
    download.arrange()
    assert download.levels == ()


def test_one_want_never_reaches_into_another_level() -> None:
    small = Layout("tree", [Entry(f"{n}", 100, False, f"{n:064x}") for n in range(9)])
    record = with_level(RECORD, small, ["4", "5"], "high")
    download = Download(record, 0.0)
    download.state = DownloadState.PREPARING
    download.prepared(Prepared(RECORD.id, "tree", small, "/d/tree", 0, small.all_chunks, ()))
    download.set_map(SEED, small.all_chunks)
    first = download.pick(SEED, CHUNK, RandomOrder(), random.Random(1))[0]
    assert first & ~0b110000 == 0


def test_the_digest_lists_of_high_files_are_asked_for_first_and_those_of_low_ones_last() -> None:
    download = fetching(set_in_turn(("season", "high"), ("extra/a", "low")), lists=True)
    order = []
    while manifest := download.next_list(SEED):
        download.list_asked(manifest, SEED, "peer")
        order.append(PATHS[int(manifest, 16)])
    assert order == ["season/1", "season/2", "season/sub/3", "extra/b", "film", "extra/a"]


def test_a_list_that_did_not_come_is_asked_for_again_before_the_others() -> None:
    download = fetching(set_in_turn(("season/1", "high")), lists=True)
    first = str(download.next_list(SEED))
    download.list_asked(first, SEED, "peer")
    download.list_free(first)
    assert download.next_list(SEED) == first
