"""Content ids and the manifests they name.

A content id is the BLAKE3 hash of a manifest, with a derive-key context for each kind, so that
a file, a tree and a chunk never share a hash.  All numbers are little-endian.

    file    version u8 = 1, size u64, chunk size u32, then the 32-byte digest of each chunk
    tree    version u8 = 1, then its entries, sorted by the bytes of their UTF-8 paths:
            kind u8 (0 file, 1 empty directory), path length u16, path, size u64,
            executable u8, file id (32 bytes, zeros for a directory)

An id does not say which kind it names: both contexts are tried, and nothing is parsed before
one of them gives the id.  What follows is checked all the same, because whoever made the
content may mean harm: limits before anything is allocated, then paths, order and lengths.

Golden vectors in the tests fix these bytes; they are part of every content id.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from blake3 import blake3
from msgspec import Struct

from bus.errors import ERR_LIMIT, ERR_MANIFEST, ERR_PATH, ShoalError
from bus.messages import MAX_CHUNK_SIZE, MAX_CHUNKS, MAX_CHUNKS_PER_FILE, MAX_MANIFEST
from bus.names import refuse_bad_tree
from peer.core.layout import MIN_CHUNK_SIZE, Entry, Layout, chunk_count_for, chunk_size_for

FILE_CONTEXT: Final = "shoal 2026 file v1"
TREE_CONTEXT: Final = "shoal 2026 tree v1"
CHUNK_CONTEXT: Final = "shoal 2026 chunk v1"

DIGEST_SIZE: Final = 32
MAX_ENTRIES: Final = 100_000
"""Files and empty directories of one tree."""

FILE: Final = "file"
TREE: Final = "tree"

_VERSION: Final = 1
_FILE_HEAD: Final = struct.Struct("<BQI")
_ENTRY_HEAD: Final = struct.Struct("<BH")
_ENTRY_TAIL: Final = struct.Struct("<QB32s")
_NO_FILE: Final = bytes(DIGEST_SIZE)
_CHUNK: Final = blake3(derive_key_context=CHUNK_CONTEXT)
_FILE: Final = blake3(derive_key_context=FILE_CONTEXT)
_TREE: Final = blake3(derive_key_context=TREE_CONTEXT)


class Manifest(Struct, frozen=True):
    """A manifest that matches its id and keeps every rule."""

    id: str
    layout: Layout
    digests: bytes
    """Of a file: its chunks' digests, one after the other.  Of a tree: empty."""


def new_chunk() -> blake3:
    """A hasher for the bytes of one chunk."""
    return _CHUNK.copy()


def chunk_digest(data: bytes | bytearray | memoryview) -> bytes:
    """Digest of a whole chunk; releases the interpreter lock while it hashes."""
    return _CHUNK.copy().update(data).digest()


def file_manifest(size: int, digests: bytes | bytearray | memoryview) -> bytes:
    """The digest list of a file of `size` bytes."""
    return _FILE_HEAD.pack(_VERSION, size, chunk_size_for(size)) + digests


def file_id(manifest: bytes | bytearray) -> str:
    """The id of a file, from its digest list."""
    return _FILE.copy().update(manifest).hexdigest()


def tree_id(manifest: bytes | bytearray) -> str:
    """The id of a tree, from its manifest."""
    return _TREE.copy().update(manifest).hexdigest()


class SmallFiles:
    """Tells whether a file of one chunk is right, from its bytes.  For one thread: it hashes in place."""

    def __init__(self) -> None:
        self._chunk = _CHUNK.copy()
        self._file = _FILE.copy()

    def right(self, entry: Entry, data: bytes | memoryview) -> bool:
        self._chunk.reset()
        self._file.reset()
        listed = self._chunk.update(data).digest()
        manifest = _FILE_HEAD.pack(_VERSION, entry.size, MIN_CHUNK_SIZE) + listed
        return self._file.update(manifest).digest() == bytes.fromhex(entry.file_id)


EMPTY_FILE_ID: Final = file_id(file_manifest(0, b""))
_EMPTY_FILE: Final = bytes.fromhex(EMPTY_FILE_ID)


def file_layout(identity: str, size: int) -> Layout:
    """The layout of a content that is one file."""
    return Layout(FILE, (Entry("", size, False, identity),))


def tree_manifest(entries: Iterable[Entry]) -> bytes:
    """The manifest of a tree; `entries` in order and with safe paths.

    Raises:
        ShoalError: ERR_LIMIT if the tree is larger than a manifest may describe.
    """
    out = bytearray([_VERSION])
    count = 0
    for entry in entries:
        path = entry.path.encode()
        out += _ENTRY_HEAD.pack(entry.directory, len(path))
        out += path
        out += _ENTRY_TAIL.pack(
            entry.size, entry.executable, _NO_FILE if entry.directory else bytes.fromhex(entry.file_id)
        )
        count += 1
    if count > MAX_ENTRIES:
        raise ShoalError(
            ERR_LIMIT, f"the folder holds {count:,} files, the limit is {MAX_ENTRIES:,}; share parts of it"
        )
    if len(out) > MAX_MANIFEST:
        raise ShoalError(
            ERR_LIMIT,
            f"the folder's list of files takes {len(out):,} bytes, the limit is {MAX_MANIFEST:,}; share parts of it",
        )
    return bytes(out)


def kind_of(raw: bytes | bytearray, expected_id: str) -> str:
    """ "file" or "tree": of which kind a manifest is, by the context that gives its id.

    Raises:
        ShoalError: ERR_MANIFEST if neither does.
    """
    if file_id(raw) == expected_id:
        return FILE
    if tree_id(raw) == expected_id:
        return TREE
    raise ShoalError(ERR_MANIFEST, f"the manifest does not match its id {expected_id[:16]}; fetch it from another peer")


def parse(raw: bytes, expected_id: str, *, checked: bool = False) -> Manifest:
    """Read a manifest that came from elsewhere.

    Args:
        checked: its paths were checked when it was first kept; what matches its id is still the same.

    Raises:
        ShoalError: ERR_MANIFEST if it does not match its id, breaks a limit or is not well formed;
            ERR_PATH if one of its paths is not safe.
    """
    if len(raw) > MAX_MANIFEST:
        raise _malformed(expected_id, f"it has {len(raw):,} bytes, the limit is {MAX_MANIFEST:,}")
    if kind_of(raw, expected_id) == FILE:
        size, digests = _read_file(raw, expected_id)
        return Manifest(expected_id, file_layout(expected_id, size), digests)
    try:
        layout = Layout(TREE, _read_tree(raw, expected_id))
    except ValueError as error:
        raise _malformed(expected_id, str(error)) from None
    if not checked:
        refuse_bad_tree([entry.path for entry in layout.entries])
    return Manifest(expected_id, layout, b"")


def parse_digest_list(raw: bytes, entry: Entry) -> bytes:
    """The chunk digests of one file of a tree.

    Raises:
        ShoalError: ERR_MANIFEST if it is not the digest list of that file.
    """
    if file_id(raw) != entry.file_id:
        raise ShoalError(ERR_MANIFEST, f"the digest list of {entry.path!r} does not match its id {entry.file_id[:16]}")
    size, digests = _read_file(raw, entry.file_id)
    if size != entry.size:
        raise _malformed(entry.file_id, f"it describes {size:,} bytes, but {entry.path!r} has {entry.size:,}")
    return digests


def chunk_is_right(entry: Entry, digest: bytes, listed: bytes | None) -> bool:
    """Whether a chunk has the digest listed for it; None: it is its file's only chunk, and gives the file's id."""
    if listed is not None:
        return digest == listed
    return file_id(file_manifest(entry.size, digest)) == entry.file_id


def _read_file(raw: bytes, identity: str) -> tuple[int, bytes]:
    """(size, digests)"""
    if len(raw) < _FILE_HEAD.size:
        raise _malformed(identity, f"it has {len(raw)} bytes, a digest list at least {_FILE_HEAD.size}")
    version, size, chunk_size = _FILE_HEAD.unpack_from(raw)
    _check_version(version, identity)
    if chunk_size != chunk_size_for(size):
        raise _malformed(
            identity, f"its chunk size is {chunk_size:,}, a file of {size:,} bytes has {chunk_size_for(size):,}"
        )
    count = chunk_count_for(size)
    if count > MAX_CHUNKS_PER_FILE:
        raise _malformed(identity, f"it has {count:,} chunks, the limit is {MAX_CHUNKS_PER_FILE:,}")
    if len(raw) != _FILE_HEAD.size + count * DIGEST_SIZE:
        raise _malformed(identity, f"it has {len(raw):,} bytes, {count:,} chunks make {13 + 32 * count:,}")
    return size, raw[_FILE_HEAD.size :]


def _read_tree(raw: bytes, identity: str) -> list[Entry]:
    """The entries, read in one pass: nothing is made of more of them than a tree may have."""
    if not raw:
        raise _malformed(identity, "it is empty")
    _check_version(raw[0], identity)
    head, tail = _ENTRY_HEAD.unpack_from, _ENTRY_TAIL.unpack_from
    entries: list[Entry] = []
    place, end, previous, chunks = 1, len(raw) - _ENTRY_TAIL.size, b"", 0
    while place + _ENTRY_HEAD.size <= end:
        kind, length = head(raw, place)
        place += _ENTRY_HEAD.size + length
        if place > end:
            break
        size, executable, file = tail(raw, place)
        path_bytes = raw[place - length : place]
        place += _ENTRY_TAIL.size
        chunks += -(-size // MAX_CHUNK_SIZE)  # it has at least so many
        if chunks > MAX_CHUNKS or len(entries) == MAX_ENTRIES:
            limits = f"the limits are {MAX_ENTRIES:,} and {MAX_CHUNKS:,}"
            count = len(entries) + 1
            raise _malformed(identity, f"it has at least {count:,} entries and {chunks:,} chunks, {limits}")
        if path_bytes <= previous:
            raise _malformed(identity, f"{path_bytes!r} does not come after {previous!r}")
        previous = path_bytes
        try:
            path = path_bytes.decode()
        except UnicodeDecodeError:
            raise ShoalError(ERR_PATH, f"path {path_bytes!r} refused: it is not valid UTF-8") from None
        if kind == 0 and executable <= 1 and (size or file == _EMPTY_FILE):
            entries.append(Entry(path, size, executable == 1, file.hex()))
        elif kind == 1 and (size, executable, file) == (0, 0, _NO_FILE):
            entries.append(Entry(path, 0, False, "", True))
        else:
            raise _malformed(identity, f"{path!r} is neither a file nor an empty directory")
    if place != len(raw):
        raise _malformed(identity, "its last entry is cut short")
    return entries


def _check_version(version: int, identity: str) -> None:
    if version != _VERSION:
        raise _malformed(identity, f"it has version {version}, this program knows {_VERSION}; upgrade it")


def _malformed(identity: str, reason: str) -> ShoalError:
    return ShoalError(ERR_MANIFEST, f"manifest {identity[:16]} refused: {reason}")
