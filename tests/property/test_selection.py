"""Any turn of leaving out and fetching after all: what is fetched is what a set of files says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bus.errors import ShoalError
from peer.core.bitmap import mask_of
from peer.core.layout import Entry, Layout
from peer.core.records import DownloadRecord
from peer.core.selection import wanted_chunks, wanted_entries, with_less, with_more

CHUNK = 128 * 1024
PATHS = ["a/b/1", "a/b/2", "a/3", "a/4", "e/5", "e/6", "f", "g"]
FOLDERS = ["a/b", "a", "e"]
SIZES = [3 * CHUNK, 1, CHUNK, CHUNK + 1, 0, CHUNK, 7, 2 * CHUNK]
LAYOUT = Layout("tree", [Entry(p, s, False, f"{n:064x}") for n, (p, s) in enumerate(zip(PATHS, SIZES, strict=True))])
ALL = frozenset(range(len(PATHS)))

some_paths = st.lists(st.sampled_from([*PATHS, *FOLDERS]), min_size=1, max_size=3, unique=True)
steps = st.lists(st.tuples(st.booleans(), some_paths, st.sets(st.sampled_from(sorted(ALL)))), max_size=12)


def below(paths: list[str]) -> frozenset[int]:
    return frozenset(
        n for n, path in enumerate(PATHS) if any(path == one or path.startswith(one + "/") for one in paths)
    )


def chunks_of(files: frozenset[int]) -> int:
    return mask_of([(chunks.start, len(chunks)) for chunks in map(LAYOUT.chunks_of, sorted(files)) if chunks])


@given(begun=st.one_of(st.just([]), some_paths), turns=steps)
def test_what_is_fetched_is_what_was_asked_for_and_not_left_out_since(begun, turns):
    record = DownloadRecord("c" * 64, "tree", "/d", "", tuple(begun), (), False, 0.0)
    wanted = below(begun) if begun else ALL
    for leaves, paths, complete in turns:
        if not leaves:
            record = with_more(record, LAYOUT, paths)
            # To all of it nothing can be added but what was left out of it.
            wanted |= below(paths)
        else:
            here = frozenset(n for n in complete if SIZES[n])
            named = wanted & below(paths)
            useless = any(wanted & below([path]) and wanted & below([path]) <= here for path in paths)
            try:
                record = with_less(record, LAYOUT, chunks_of(here), paths)
                assert not useless
                wanted -= named - here
                assert wanted
            except ShoalError:
                assert useless or wanted == named - here
        assert frozenset(wanted_entries(LAYOUT, record)) == wanted
        assert wanted_chunks(LAYOUT, record) == chunks_of(wanted)
