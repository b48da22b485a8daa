"""Share links: one line of text that names a content and where to ask for it.

    shoal:<content id>?name=<name>&tracker=<endpoint>&key=<tracker key>

`tracker` and `key` may be repeated, in pairs. What follows the id is a hint and may be missing; only the id decides
which bytes are right. Fields with other names are ignored, so that later versions may add some. Percent encoding is
that of RFC 3986, and no character is left that a shell or a chat program could take for its own.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, quote

from msgspec import Struct

from bus.errors import ERR_USAGE, ShoalError
from bus.forms import ENDPOINT, KEY

SCHEME: Final = "shoal:"
MAX_LINK: Final = 4096
"""Characters; what a control message carries."""
MAX_NAME: Final = 255
"""Characters of a content's name, as in the messages."""
MAX_TRACKERS: Final = 8
"""More than anyone runs; bounds what one pasted line makes a peer dial."""

ID: Final = re.compile(r"[0-9a-f]{64}")
PREFIX: Final = re.compile(r"[0-9a-f]{8,64}")
_MAX_FIELDS: Final = 64


class TrackerHint(Struct, frozen=True):
    """A tracker that knows the content's swarm."""

    endpoint: str
    """`tcp://host:port`"""
    key: str
    """64 hex digits"""


class ShareLink(Struct, frozen=True):
    """What a link says."""

    content: str
    """64 hex digits"""
    name: str = ""
    trackers: tuple[TrackerHint, ...] = ()


def is_link(text: str) -> bool:
    """Whether this is meant as a link, well formed or not."""
    return text[: len(SCHEME)].lower() == SCHEME


def format_link(link: ShareLink) -> str:
    """The text of a link; `parse_link` gives the same link back."""
    fields = [("name", link.name)] if link.name else []
    for tracker in link.trackers:
        fields += [("tracker", tracker.endpoint), ("key", tracker.key)]
    query = "&".join(f"{name}={quote(value, safe=':/')}" for name, value in fields)
    return f"{SCHEME}{link.content}{query and '?'}{query}"


def parse_link(text: str) -> ShareLink:
    """What a link says; letter case of its hex digits does not matter.

    Raises:
        ShoalError: ERR_USAGE, with the part that is wrong.
    """
    text = text.strip()
    if not is_link(text):
        raise _malformed(f"it does not start with {SCHEME}")
    if len(text) > MAX_LINK:
        raise _malformed(f"it has {len(text)} characters, the limit is {MAX_LINK}")
    content, _, query = text[len(SCHEME) :].partition("?")
    content = content.lower()
    if not ID.fullmatch(content):
        raise _malformed(f"the id after {SCHEME} must have 64 hex digits, found {_shown(content)}")
    name, endpoints, keys = "", [], []
    for field, value in _fields(query):
        if field == "name":
            name = value
        elif field == "tracker":
            endpoints.append(value)
        elif field == "key":
            keys.append(value.lower())
    _check(name, endpoints, keys)
    trackers = tuple(TrackerHint(endpoint, key) for endpoint, key in zip(endpoints, keys, strict=True))
    return ShareLink(content, name, trackers)


def parse_reference(text: str) -> str:
    """A content as a user names it: an id, 8 or more of its first digits, or a link; checked, in its canonical form.

    Raises:
        ShoalError: ERR_USAGE, with what was expected.
    """
    text = text.strip()
    if is_link(text):
        return format_link(parse_link(text))
    if not PREFIX.fullmatch(text.lower()):
        raise ShoalError(
            ERR_USAGE,
            f"expected a content id, 8 or more of its first hex digits, or a {SCHEME} link; found {_shown(text)}",
        )
    return text.lower()


def _fields(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:  # not UTF-8, or too many fields
        raise _malformed(f"what follows ? is not valid percent-encoded UTF-8 of at most {_MAX_FIELDS} fields") from None


def _check(name: str, endpoints: list[str], keys: list[str]) -> None:
    if len(name) > MAX_NAME:
        raise _malformed(f"its name has {len(name)} characters, the limit is {MAX_NAME}")
    if len(endpoints) != len(keys):
        raise _malformed(
            f"it has {len(endpoints)} tracker fields and {len(keys)} key fields; each tracker needs its key"
        )
    if len(endpoints) > MAX_TRACKERS:
        raise _malformed(f"it names {len(endpoints)} trackers, the limit is {MAX_TRACKERS}")
    for endpoint, key in zip(endpoints, keys, strict=True):
        try:
            ENDPOINT.parse(endpoint)
            KEY.parse(key)
        except ValueError as error:
            raise _malformed(f"a tracker or its key is wrong: {error}") from None


def _malformed(reason: str) -> ShoalError:
    return ShoalError(ERR_USAGE, f"this is not a share link: {reason}; copy it again, whole")


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 70 else f"{text[:67]}...")
