"""Where a core meets its shell: the events about links that go in, the effects that come out.

    effects = core.handle(event, now)
    deadline = core.next_deadline()
    effects = core.on_deadline(now)

Both cores (tracker and peer) speak these; each adds its own in its `core/interface.py`.
A link is one connection to one proved peer id.  The shell numbers links, never reuses a
number, and turns frames into `Received`.  `now` is monotonic, in seconds.
"""

from __future__ import annotations

from typing import NewType

from msgspec import Struct

from bus.events import Event as PublishedEvent
from bus.messages import Channel, Message

LinkId = NewType("LinkId", int)
PeerId = str
ContentId = str


class LinkUp(Struct, frozen=True, gc=False):
    """A connection stands and its peer id is proved.  Always before anything received on it."""

    link: LinkId
    channel: Channel
    peer: PeerId
    address: str
    """Host of the other side as seen by the socket, no port."""
    dialled: bool
    """True if we dialled."""


class LinkLost(Struct, frozen=True, gc=False):
    """The connection is gone; nothing more arrives on it."""

    link: LinkId
    reason: str


class DialFailed(Struct, frozen=True, gc=False):
    """No endpoint of a `Dial` led to the wanted peer."""

    channel: Channel
    peer: PeerId
    reason: str
    wrong_key: bool = False
    """Something answered, but not with the wanted key, or it refused ours."""
    unequal: bool = False
    """Something answered, and only one of the two sides encrypts."""


class LinkBlocked(Struct, frozen=True, gc=False):
    """The connection takes no more for now; the shell keeps what it was given."""

    link: LinkId


class LinkWritable(Struct, frozen=True, gc=False):
    """A blocked connection takes messages again."""

    link: LinkId


class Received(Struct, frozen=True, gc=False):
    """A message arrived.  `payload` is opaque: a core knows its length from the message."""

    link: LinkId
    message: Message
    payload: object = None
    payload_size: int = 0


class Misbehaved(Struct, frozen=True, gc=False):
    """Frames arrived that are no valid message; the shell decoded nothing."""

    link: LinkId
    reason: str


LinkEvent = LinkUp | LinkLost | DialFailed | LinkBlocked | LinkWritable | Received | Misbehaved


class Dial(Struct, frozen=True, gc=False):
    """Connect to a peer; answered by LinkUp or DialFailed.  Endpoints are tried in order, 2 s each."""

    channel: Channel
    peer: PeerId
    endpoints: tuple[str, ...]


class HangUp(Struct, frozen=True, gc=False):
    """Close a link; no LinkLost follows."""

    link: LinkId


class Send(Struct, frozen=True, gc=False):
    """Send a message on a link."""

    link: LinkId
    message: Message
    payload: object = None


class Publish(Struct, frozen=True, gc=False):
    """Publish an event."""

    event: PublishedEvent


LinkEffect = Dial | HangUp | Send | Publish
