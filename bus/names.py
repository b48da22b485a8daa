"""Names that come from others: the one place that decides whether a relative path may be used.

A name is accepted as it is or refused with the exact rule it breaks; it is never repaired, because a
repaired name is a second name for the same thing, and two names may then meet in one file.  So an
accepted path equals its input, and joined to a folder it names something inside that folder.

Two kinds of rule:

    always refused       what no file can be called, and what could leave the folder or deceive a reader
    refused where the    what only some file systems cannot hold; elsewhere it is a warning, because real
    target cannot        trees have such names (`FileSystemRules.cannot_hold` says which are refusals)

What this module cannot see is what already lies on the disk: symbolic links are the storage's matter.

Sources: POSIX.1-2017 section 4.13 (path names); Microsoft, "Naming Files, Paths, and Namespaces" (characters,
device names, trailing dot and space); Unicode 15 D145 (caseless matching of canonically equivalent strings)
and UAX 9 (the explicit direction characters).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from bus.errors import ERR_PATH, ShoalError

MAX_PART: Final = 255
"""Bytes of one part in UTF-8: NAME_MAX of every common Linux file system."""
MAX_PATH: Final = 4096
"""Bytes of a whole path in UTF-8: Linux's PATH_MAX."""

RESERVED_NAME: Final = "reserved-name"
RESERVED_CHARACTER: Final = "reserved-character"
BACKSLASH: Final = "backslash"
COLON: Final = "colon"
TRAILING_DOT: Final = "trailing-dot"
TRAILING_SPACE: Final = "trailing-space"
CASE_TWIN: Final = "case-twin"
NORMALISATION_TWIN: Final = "normalisation-twin"
MIXED_TWIN: Final = "mixed-twin"
"""Twins that differ in case and in normalisation: a file system that folds only one of them holds both."""

_PHRASES: Final = {
    RESERVED_NAME: "is a reserved device name",
    RESERVED_CHARACTER: 'has one of the characters < > " | ? *',
    BACKSLASH: "has a backslash",
    COLON: "has a colon",
    TRAILING_DOT: "ends with a dot",
    TRAILING_SPACE: "ends with a space",
    CASE_TWIN: "only in case",
    NORMALISATION_TWIN: "only in Unicode normalisation",
    MIXED_TWIN: "only in case and Unicode normalisation",
}
WARNINGS: Final = tuple(_PHRASES)
"""Every warning there is, in the order in which they are listed."""


class FileSystemRules(Struct, frozen=True):
    """What a target's file systems cannot hold."""

    name: str
    """As a sentence names it."""
    cannot_hold: frozenset[str]
    """The warnings that are refusals on this target."""


POSIX: Final = FileSystemRules("POSIX", frozenset())
WINDOWS: Final = FileSystemRules(
    "Windows",
    frozenset({RESERVED_NAME, RESERVED_CHARACTER, BACKSLASH, COLON, TRAILING_DOT, TRAILING_SPACE, CASE_TWIN}),
)
"""NTFS folds case and keeps both normal forms apart."""
MACOS: Final = FileSystemRules("macOS", frozenset({CASE_TWIN, NORMALISATION_TWIN, MIXED_TWIN}))
"""APFS as it is delivered: folds case and normal form.  A colon is held (the Finder shows it as a slash)."""


class SafePath(Struct, frozen=True, gc=False):
    """An accepted path; `path` is the input, unchanged."""

    path: str
    parts: tuple[str, ...]
    """The names between the slashes, at least one."""
    warnings: tuple[str, ...]
    """What other file systems could not hold, each of `WARNINGS` at most once and in that order."""


class TreeWarning(Struct, frozen=True):
    """One kind of name in a tree that some file systems cannot hold."""

    kind: str
    """One of `WARNINGS`."""
    count: int
    """How many entries (for twins: names) are of this kind."""
    example: str
    """The first of them in path order."""


# Python's str holds each of these as one code point.  Bidi marks (U+200E, U+200F, U+061C) are left alone: right-to-left
# names need them, and they cannot reorder the letters of an extension as overrides, embeddings and isolates can.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_DIRECTION: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_RESERVED_CHARACTER: Final = re.compile('[<>"|?*]')
# One search tells the ordinary path, which is nearly every path, from one to be looked at part by part.
_PERHAPS_WARNED: Final = re.compile(r'[\\:<>"|?*]|[. ](?:/|$)|(?:^|/)(?:con|prn|aux|nul|com|lpt)', re.IGNORECASE)
# Windows ignores what follows the first dot, and spaces before it: `NUL.txt` and `con .log` are the devices.  The
# superscript digits count as digits there.
_RESERVED_NAME: Final = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[1-9\u00b9\u00b2\u00b3]) *(?:[.:]|$)", re.IGNORECASE | re.ASCII
)
# What no rule says anything about, if it is short enough and the search above finds nothing: told in one step.
_ORDINARY: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
_SHOWN: Final = 80  # characters of a refused name in the message; a longer one is cut in the middle


def safe_relpath(name: str | bytes, target: FileSystemRules = POSIX) -> SafePath:
    """Decide about a relative path with `/` between its parts, as others send it.

    Raises:
        ShoalError: ERR_PATH, with the first rule that the path breaks.
    """
    return _judge("path", name, target)


def safe_name(name: str | bytes, target: FileSystemRules = POSIX) -> SafePath:
    """Decide about a single name, such as the one a content is shown and stored under.

    Raises:
        ShoalError: ERR_PATH, with the first rule that the name breaks.
    """
    safe = _judge("name", name, target)
    if len(safe.parts) > 1:
        raise _refusal("name", name, "it has a '/', which only separates the parts of a path")
    return safe


def check_tree(paths: Iterable[str], target: FileSystemRules = POSIX) -> tuple[TreeWarning, ...]:
    """Decide about all paths of one tree together: its files and its empty folders, in any order.

    Besides what each path must be by itself, no path may be listed twice or lie below another, and no two
    names of one folder may be twins where the target takes them for one.

    Returns:
        The kinds of warnings that were met, in the order of `WARNINGS`.

    Raises:
        ShoalError: ERR_PATH, with the path and the rule.
    """
    tally = _Tally(target)
    # In path order what lies in one folder stands together, so only the folders down to the current path are kept:
    # a hostile tree of deep folders costs no more memory than its own text.
    open_folders = [_Folder()]
    previous: tuple[str, ...] = ()
    for path in sorted(paths):
        safe = safe_relpath(path, target)
        tally.add(safe.warnings, safe.path)
        if safe.parts == previous:
            raise _refusal("path", path, "it is listed twice")
        depth = _shared_folders(previous, safe.parts)
        del open_folders[depth + 1 :]
        last = len(safe.parts) - 1
        for index in range(depth, last + 1):
            _enter(open_folders[index], safe.parts, index, tally)
            if index < last:
                open_folders.append(_Folder())
        previous = safe.parts
    return tally.warnings()


def refuse_bad_tree(paths: Sequence[str]) -> None:
    """As `check_tree` for POSIX, for who does not want the warnings: most trees are judged much faster.

    Raises:
        ShoalError: ERR_PATH, with the path and the rule.
    """
    known = set(paths)
    fine = len(known) == len(paths) and _all_fine(paths)
    folders = {path.rpartition("/")[0] for path in paths} - {""}
    while fine and folders:
        fine = folders.isdisjoint(known)
        folders = {folder.rpartition("/")[0] for folder in folders} - {""}
    if not fine:
        check_tree(paths)


def _all_fine(paths: Sequence[str]) -> bool:
    """Whether all paths keep every rule for every target; False if that takes a closer look."""
    text = f"/{'/'.join(paths)}/"  # as one: a hundredth of the time
    # What may deceive a reader is not printable, nor is what is no UTF-8.  A slash too many makes two of them.
    if not text.isprintable() or "//" in text or "/./" in text or "/../" in text:
        return False
    longest = max(map(len, text.encode().split(b"/")))
    return longest <= MAX_PART and max(map(len, paths)) <= MAX_PATH // 4  # a character is at most four bytes


def _judge(what: str, name: str | bytes, target: FileSystemRules) -> SafePath:
    if isinstance(name, str) and _is_ordinary(name):
        return SafePath(name, tuple(name.split("/")), ())
    path = _decode(what, name)
    parts = tuple(path.split("/"))
    reason = _why_never(path, parts)
    if reason is not None:
        raise _refusal(what, name, reason)
    if not _PERHAPS_WARNED.search(path):
        return SafePath(path, parts, ())
    met = set()
    for index, part in enumerate(parts):
        kinds = _part_warnings(part)
        for kind in kinds:
            if kind in target.cannot_hold:
                subject = _subject(parts, index)
                raise _refusal(what, name, f"{subject} {_PHRASES[kind]}, which {target.name} cannot hold")
        met.update(kinds)
    return SafePath(path, parts, tuple(kind for kind in WARNINGS if kind in met))


def _is_ordinary(path: str) -> bool:
    return len(path) <= MAX_PART and bool(_ORDINARY.fullmatch(path)) and not _PERHAPS_WARNED.search(path)


def _decode(what: str, name: str | bytes) -> str:
    too_long = f"it is over {MAX_PATH:,} bytes long"
    if len(name) > MAX_PATH:  # a character is at least one byte
        raise _refusal(what, name, too_long)
    try:
        path, encoded = (name.decode(), name) if isinstance(name, bytes) else (name, name.encode())
    except UnicodeError:
        raise _refusal(what, name, "it is not valid UTF-8") from None
    if len(encoded) > MAX_PATH:
        raise _refusal(what, name, too_long)
    return path


def _why_never(path: str, parts: tuple[str, ...]) -> str | None:
    """The first rule for every target that a path breaks, or None."""
    if not path:
        return "it is empty"
    if path.startswith("/"):
        return "it is absolute; a path starts with a name"
    if path.endswith("/"):
        return "it ends with '/'; a path ends with a name"
    for index, part in enumerate(parts):
        if not part:
            return f"{_subject(parts, index)} is empty"
        if part in {".", ".."}:
            return f"{_subject(parts, index)} is '{part}'"
        if len(part) > MAX_PART // 4 and len(part.encode()) > MAX_PART:  # a character is at most four bytes
            return f"{_subject(parts, index)} is over {MAX_PART} bytes long"
    for kind, pattern in (("control", _CONTROL), ("text-direction", _DIRECTION)):
        found = pattern.search(path)
        if found:
            subject = _subject(parts, path.count("/", 0, found.start()))
            return f"{subject} has the {kind} character U+{ord(found.group()):04X}"
    return None


def _part_warnings(part: str) -> list[str]:
    facts = {
        RESERVED_NAME: _RESERVED_NAME.match(part) is not None,
        RESERVED_CHARACTER: _RESERVED_CHARACTER.search(part) is not None,
        BACKSLASH: "\\" in part,
        COLON: ":" in part,
        TRAILING_DOT: part.endswith("."),
        TRAILING_SPACE: part.endswith(" "),
    }
    return [kind for kind, holds in facts.items() if holds]


def _subject(parts: tuple[str, ...], index: int) -> str:
    return f"part {index + 1}" if len(parts) > 1 else "it"


def _refusal(what: str, name: str | bytes, reason: str) -> ShoalError:
    return ShoalError(ERR_PATH, f"{what} {_shown(name)} refused: {reason}; rename it where it is shared")


def _shown(name: str | bytes) -> str:
    # repr: a refused name may hold control or direction characters, and the message is shown in terminals and pages.
    if len(name) <= _SHOWN:
        return repr(name)
    return f"{name[: _SHOWN // 2]!r}...{name[-_SHOWN // 2 :]!r}"


def _shared_folders(left: tuple[str, ...], right: tuple[str, ...]) -> int:
    """How many of the folders that lead to `right` also lead to `left`."""
    count = 0
    for one, other in zip(left[:-1], right[:-1], strict=False):
        if one != other:
            break
        count += 1
    return count


class _Folder:
    """The names met so far in one folder of a tree, and what other file systems would make of them."""

    __slots__ = ("ascii", "folded", "names")

    def __init__(self) -> None:
        self.names: dict[str, None] = {}  # in the order in which they came
        self.ascii: dict[str, str] | None = {}  # lower case -> the name met first, while all are ASCII
        self.folded: dict[tuple[str, str], str] = {}  # (kind of twin, folded name) -> the name met first

    def add(self, name: str) -> list[tuple[str, str]]:
        """Note a new name; return (kind, the other name) for the twins met before."""
        if self.ascii is not None and name.isascii():  # they have no normal forms, only cases
            self.names[name] = None
            first = self.ascii.setdefault(name.lower(), name)
            return [(CASE_TWIN, first)] if first != name else []
        self.ascii = None
        if not self.names:
            # Folding waits for a second name: it is the costly part, and deep trees are mostly folders of one name.
            self.names[name] = None
            return []
        if not self.folded:
            for known in self.names:
                self._fold(known)
        self.names[name] = None
        twins = self._fold(name)
        # Whoever is a twin in one respect is also one in both.
        return twins if len(twins) < 2 else [twin for twin in twins if twin[0] != MIXED_TWIN]

    def _fold(self, name: str) -> list[tuple[str, str]]:
        found = ((kind, self.folded.setdefault((kind, key), name)) for kind, key in _twin_keys(name))
        return [(kind, first) for kind, first in found if first != name]


def _enter(folder: _Folder, parts: tuple[str, ...], index: int, tally: _Tally) -> None:
    """Put `parts[index]` into its folder of the tree."""
    if parts[index] in folder.names:
        # In path order an entry comes before what lies below it, and a folder is entered once: it was an entry.
        below = _shown("/".join(parts))
        raise _refusal(
            "path", "/".join(parts[: index + 1]), f"it is an entry of its own and also the folder of {below}"
        )
    for kind, other in folder.add(parts[index]):
        tally.add_twin(kind, other, "/".join(parts[: index + 1]))


def _twin_keys(name: str) -> tuple[tuple[str, str], ...]:
    """What makes two names the same for a file system that folds, the narrowest first.

    Full case folding is wider than any one file system's table (it takes `ss` for `ß`): it never misses a clash.
    """
    folded = name.casefold()
    if name.isascii():
        return ((NORMALISATION_TWIN, name), (CASE_TWIN, folded), (MIXED_TWIN, folded))
    normal = unicodedata.normalize("NFD", name)
    return ((NORMALISATION_TWIN, normal), (CASE_TWIN, folded), (MIXED_TWIN, normal.casefold()))


class _Tally:
    """Counts the warnings of one tree, and refuses the twins that the target cannot hold."""

    def __init__(self, target: FileSystemRules) -> None:
        self.target = target
        self.counts: dict[str, int] = {}
        self.examples: dict[str, str] = {}

    def add(self, kinds: Iterable[str], path: str) -> None:
        for kind in kinds:
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self.examples.setdefault(kind, path)

    def add_twin(self, kind: str, other: str, path: str) -> None:
        if kind in self.target.cannot_hold:
            difference = (
                f"it differs from {_shown(other)} beside it {_PHRASES[kind]}, which {self.target.name} cannot hold"
            )
            raise _refusal("path", path, difference)
        self.add((kind,), path)

    def warnings(self) -> tuple[TreeWarning, ...]:
        return tuple(
            TreeWarning(kind, self.counts[kind], self.examples[kind]) for kind in WARNINGS if kind in self.counts
        )
