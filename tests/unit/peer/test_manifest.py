from __future__ import annotations

import struct

import pytest
from blake3 import blake3

from bus.errors import ERR_LIMIT, ERR_MANIFEST, ERR_PATH, ShoalError
from bus.messages import MAX_MANIFEST
from peer.core.layout import Entry, chunk_size_for
from peer.manifest import (
    EMPTY_FILE_ID,
    chunk_digest,
    chunk_is_right,
    file_id,
    file_manifest,
    parse,
    parse_digest_list,
    tree_id,
    tree_manifest,
)

KIB = 1024


def manifest_of(data: bytes) -> bytes:
    size = chunk_size_for(len(data))
    return file_manifest(len(data), b"".join(chunk_digest(data[i : i + size]) for i in range(0, len(data), size)))


def entry_of(path: str, data: bytes, executable: bool = False) -> Entry:
    return Entry(path, len(data), executable, file_id(manifest_of(data)))


def folder(path: str) -> Entry:
    return Entry(path, 0, False, "", True)


TREE = (
    entry_of("a", b"a"),
    entry_of("b/empty", b""),
    entry_of("b/run", b"hello world\n", executable=True),
    folder("c"),
    entry_of("é", b"a"),
)


def refusal(raw: bytes, identity: str | None = None) -> ShoalError:
    with pytest.raises(ShoalError) as caught:
        parse(raw, identity or tree_id(raw))
    assert "\n" not in caught.value.message
    return caught.value


def row(
    path: bytes, kind: int = 0, size: int = 1, executable: int = 0, file: bytes = b"\1" * 32, length: int | None = None
) -> bytes:
    """One entry of a tree, with anything wrong in it that a test wants."""
    head = struct.pack("<BH", kind, len(path) if length is None else length)
    return head + path + struct.pack("<QB", size, executable) + file


# --- golden vectors: these bytes are part of every content id and never change ----------------


@pytest.mark.parametrize(
    ("data", "identity"),
    [
        (b"", "259148932c7099b677a4e9e8def67c41d378844a7479c1ea367857afe2cbd873"),
        (b"a", "25c49b2b8a08bf5e6a99e3088270263cc47aa5ae6dc96faffede4c10b5cb41f4"),
        (b"hello world\n", "01748c060593f4ffb2df7639f6dc5f46f5c250adda65c6a99bba8d4cf6962555"),
        (bytes(128 * KIB), "89407510d4f2bdd2995b38d5da5019e1b05a5007d45aa0d4965011cbb2035db4"),
        (bytes(128 * KIB) + b"\1", "12fba077a979caccf955a9821b5b5769d1b35d4508a599c6c0362b9a9abdd598"),
        (
            bytes(i % 251 for i in range(1_000_000)),
            "5a0ea458078f1b5ac17ae8cfd0aa04ca1a9c4555b81bf4b2a50f218d972a64e8",
        ),
    ],
    ids=["empty", "a byte", "a line", "one chunk", "a byte more", "eight chunks"],
)
def test_the_ids_of_these_files_never_change(data, identity):
    assert file_id(manifest_of(data)) == identity


def test_the_digest_list_of_a_file_is_these_bytes():
    digest = blake3(b"a", derive_key_context="shoal 2026 chunk v1").digest()
    assert manifest_of(b"a") == b"\x01" + (1).to_bytes(8, "little") + (128 * KIB).to_bytes(4, "little") + digest


def test_the_manifest_of_a_tree_is_these_bytes():
    a = bytes.fromhex(entry_of("", b"a").file_id)
    run = bytes.fromhex(entry_of("", b"hello world\n").file_id)
    assert tree_manifest(TREE) == b"".join(
        [
            b"\x01",
            b"\x00\x01\x00a" + (1).to_bytes(8, "little") + b"\x00" + a,
            b"\x00\x07\x00b/empty" + bytes(8) + b"\x00" + bytes.fromhex(EMPTY_FILE_ID),
            b"\x00\x05\x00b/run" + (12).to_bytes(8, "little") + b"\x01" + run,
            b"\x01\x01\x00c" + bytes(8) + b"\x00" + bytes(32),
            b"\x00\x02\x00\xc3\xa9" + (1).to_bytes(8, "little") + b"\x00" + a,
        ]
    )


def test_the_ids_of_these_trees_never_change():
    assert tree_id(tree_manifest(TREE)) == "dc4e9c2d98aad1c72caa75fc72507007a43939417d6da368e729aed4bf879df5"
    assert tree_id(tree_manifest([])) == "e10070d7d04f5b6b5d66b25d80a0342a04ae7d0432424aed8cc40e2e9b2c1913"


# --- reading ----------------------------------------------------------------------------------


def test_the_id_says_which_kind_a_manifest_is():
    raw = manifest_of(b"hello world\n")
    file = parse(raw, file_id(raw))
    assert (file.layout.kind, file.layout.size, file.layout.chunks) == ("file", 12, 1)
    assert file.digests == chunk_digest(b"hello world\n")
    tree = parse(tree_manifest(TREE), tree_id(tree_manifest(TREE)))
    assert (tree.layout.kind, tree.layout.entries) == ("tree", TREE)


def test_an_empty_tree_and_an_empty_file_are_contents_without_chunks():
    empty = tree_manifest([])
    assert parse(empty, tree_id(empty)).layout.chunks == 0
    assert parse(manifest_of(b""), EMPTY_FILE_ID).layout.chunks == 0


def test_a_flipped_bit_anywhere_is_refused():
    raw = tree_manifest(TREE)
    identity = tree_id(raw)
    for place in range(len(raw)):
        flipped = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        assert "does not match its id" in refusal(flipped, identity).message


def test_a_chunk_is_checked_by_its_list_or_by_the_id_of_its_file():
    entry = entry_of("a", b"a")
    assert chunk_is_right(entry, chunk_digest(b"a"), None)
    assert not chunk_is_right(entry, chunk_digest(b"b"), None)
    assert chunk_is_right(entry, b"x" * 32, b"x" * 32)
    assert not chunk_is_right(entry, b"x" * 32, b"y" * 32)


def test_a_digest_list_must_be_of_its_file_and_of_its_size():
    data = bytes(300 * KIB)
    raw = manifest_of(data)
    assert len(parse_digest_list(raw, entry_of("big", data))) == 3 * 32
    for entry in (entry_of("big", data[1:]), Entry("big", len(data) + 1, False, file_id(raw))):
        with pytest.raises(ShoalError) as caught:
            parse_digest_list(raw, entry)
        assert caught.value.code == ERR_MANIFEST


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "at least 13"),
        (b"\x01", "at least 13"),
        (b"\x02" + manifest_of(b"a")[1:], "version 2"),
        (manifest_of(b"a")[:-1], "1 chunks make 45"),
        (manifest_of(b"a") + b"\0", "1 chunks make 45"),
        (struct.pack("<BQI", 1, 1, 256 * KIB) + bytes(32), "chunk size is 262,144"),
        (struct.pack("<BQI", 1, 0, 128 * KIB) + bytes(32), "0 chunks make 13"),
        (struct.pack("<BQI", 1, 2**63, 16 * 2**20), "the limit is 524,288"),
        (struct.pack("<BQI", 1, 2**64 - 1, 16 * 2**20), "the limit is 524,288"),
    ],
)
def test_a_malformed_digest_list_is_refused(raw, reason):
    error = refusal(raw, file_id(raw))
    assert (error.code, reason in error.message) == (ERR_MANIFEST, True), error


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (row(b"a")[:-1], "cut short"),
        (row(b"a") + b"\0", "cut short"),
        (row(b"a", length=2), "cut short"),
        (row(b"a", length=65535), "cut short"),
        (row(b"b") + row(b"a"), "does not come after"),
        (row(b"a") + row(b"a"), "does not come after"),
        (row(b"a", kind=2), "neither a file nor an empty directory"),
        (row(b"a", executable=2), "neither a file nor an empty directory"),
        (row(b"a", kind=1), "neither a file nor an empty directory"),
        (row(b"a", kind=1, size=0, executable=1, file=bytes(32)), "neither a file nor an empty directory"),
        (row(b"a", kind=1, size=0, file=b"\1" * 32), "neither a file nor an empty directory"),
        (row(b"a", size=0), "neither a file nor an empty directory"),
        (row(b"a", size=2**63), "the limits are"),
        (b"".join(row(b"%05d" % n, size=2**40) for n in range(40_000)), "the limits are"),
        (b"".join(row(b"%06d" % n) for n in range(100_001)), "at least 100,001 entries"),
        (b"".join(row(b"%03d" % n, size=2**43) for n in range(9)), "4,718,592 chunks"),
    ],
)
def test_a_malformed_tree_is_refused(body, reason):
    error = refusal(b"\x01" + body)
    assert (error.code, reason in error.message) == (ERR_MANIFEST, True), error


@pytest.mark.parametrize(
    "path", [b"../a", b"/a", b"a//b", b"a/", b"./a", b"a\0", b"\xff", b"a\nb", b"x" * 256, b"\xe2\x80\xaetxt.exe"]
)
def test_a_tree_with_an_unsafe_path_is_refused(path):
    assert refusal(b"\x01" + row(path)).code == ERR_PATH


def test_a_file_that_is_also_a_folder_is_refused():
    assert refusal(b"\x01" + row(b"a") + row(b"a/b")).code == ERR_PATH


def test_a_manifest_longer_than_the_limit_is_refused_before_it_is_hashed():
    assert "the limit is" in refusal(bytes(MAX_MANIFEST + 1), "0" * 64).message


def test_what_was_checked_before_is_not_checked_for_its_paths_again():
    raw = b"\x01" + row(b"../a")
    assert parse(raw, tree_id(raw), checked=True).layout.entries[0].path == "../a"


def test_a_tree_too_large_to_describe_is_refused_when_it_is_shared():
    entries = [Entry(f"{number:06}", 1, False, "ab" * 32) for number in range(100_001)]
    long_names = [Entry(f"{number:06}" + "x" * 249, 1, False, "ab" * 32) for number in range(60_000)]
    for tree, reason in ((entries, "the limit is 100,000"), (long_names, "share parts of it")):
        with pytest.raises(ShoalError) as caught:
            tree_manifest(tree)
        assert (caught.value.code, reason in caught.value.message) == (ERR_LIMIT, True)
