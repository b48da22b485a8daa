"""Of the control channel: where a program on the same machine may read the bytes of a content."""

from __future__ import annotations

from bus.messages.declaring import CLIENT, SERVER, Count, Hex64, Kind, Message, PathText, RequestId, ShortText, declare


@declare(92, "control", CLIENT)
class Locate(Message, frozen=True, gc=False):
    """Asks where a file of a content lies, and how much may be read from an offset on.  Of a running download, what
    lies from there on is fetched first from now on: whoever asks is about to read it."""

    request: RequestId
    content: ShortText
    file: Count = 0
    """Which of its files, as list files counts them."""
    path: PathText = ""
    """The file by its path in the tree instead."""
    offset: Count = 0
    """Bytes."""


@declare(93, "control", SERVER)
class Located(Message, frozen=True, gc=False):
    """Answers locate."""

    request: RequestId
    content: Hex64
    kind: Kind
    file: Count
    name: PathText
    """The file's path in the tree; empty for a content that is a single file."""
    size: Count
    root: PathText
    """Absolute path, as of now, of the file or folder that holds the content."""
    inside: PathText
    """Where the file lies below that; empty if that is the file."""
    ready: Count
    """Bytes from the offset on that are verified and may be read now."""
    modified: Count
    """The file's modification time when it was hashed, nanoseconds since 1970; 0 while it is being downloaded."""
