"""Manifests: what is accepted is canonical, and anything else is refused with an error of ours."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import ERR_MANIFEST, ERR_PATH, ShoalError
from peer.core.layout import Entry
from peer.manifest import EMPTY_FILE_ID, Manifest, file_id, file_manifest, parse, tree_id, tree_manifest

names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    found = []
    for path in sorted(draw(st.sets(paths, max_size=6))):
        size = draw(st.sampled_from([0, 1, 131_072, 131_073, 2**40]))
        directory = size == 0 and draw(st.booleans())
        identity = "" if directory else EMPTY_FILE_ID if not size else draw(st.binary(min_size=32, max_size=32)).hex()
        found.append(Entry(path, size, not directory and draw(st.booleans()), identity, directory))
    return found


def read(raw: bytes, identity: str) -> Manifest | None:
    """What is read; None if it is refused, as it then must be: in one line, with a code for it."""
    with contextlib.suppress(ShoalError):
        return parse(raw, identity)
    with pytest.raises(ShoalError) as caught:
        parse(raw, identity)
    assert caught.value.code in (ERR_MANIFEST, ERR_PATH)
    assert "\n" not in caught.value.message
    return None


@given(entries())
def test_a_tree_that_is_accepted_is_read_as_it_was_written(tree):
    raw = tree_manifest(tree)
    manifest = read(raw, tree_id(raw))
    if manifest is not None:
        assert list(manifest.layout.entries) == tree


@given(entries(), st.data())
def test_whatever_is_done_to_a_tree_s_bytes_only_its_own_form_is_accepted(tree, data):
    raw = bytearray(tree_manifest(tree))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw)))
        raw[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    manifest = read(bytes(raw), tree_id(bytes(raw)))
    if manifest is not None:
        assert tree_manifest(manifest.layout.entries) == raw


@given(st.integers(0, 2**64 - 1), st.binary(max_size=100), st.integers(0, 110), st.binary(max_size=2))
def test_whatever_is_done_to_a_digest_list_only_its_own_form_is_accepted(size, digests, place, change):
    raw = bytearray(file_manifest(size, digests))
    raw[place : place + len(change)] = change
    manifest = read(bytes(raw), file_id(bytes(raw)))
    if manifest is not None:
        assert file_manifest(manifest.layout.size, manifest.digests) == raw
