"""How messages travel: fair uplinks, cut-through downlinks, latency, back-pressure and partitions.

A host's uplink serves its links in turn, message by message, so that each gets an equal share of the
bytes (start-time fair queuing, Goyal et al. 1996).  A message without payload does not wait for
those of other links, as it would not in a connection of its own; its bytes are charged.  After the
latency the receiver's downlink passes the bytes on as they come, in order, and is busy for size /
rate: a lone message takes the slower of both rates, not the sum, and senders that meet at a
downlink share it.

A link holds at most `LINK_BUFFER` bytes that were not delivered; beyond that it blocks, as a socket
does.  So who sends to a slow receiver soon spends its uplink on others, and over a few messages
rates come to the max-min fair shares of the fluid model (tests/unit/experiments/test_sim_network.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from bus.boundary import LinkBlocked, LinkId, LinkWritable, Received, Send
from bus.messages import Data, Have, Message, Swarm, SwarmChanged

if TYPE_CHECKING:
    from experiments.sim.world import Host, World

LINK_BUFFER: Final = 2 * 2**20
"""Bytes a link takes before it blocks: about what kernel and socket buffers hold."""
MESSAGE_BYTES: Final = 100
"""Bytes of a message without its payload, encryption included."""
MEMBER_BYTES: Final = 150
"""Bytes of one peer in a tracker's answer."""
CORRUPT: Final = "corrupt"
"""Payload of a message with a flipped bit; every other payload is None."""


class Pipe:
    """One direction of a link."""

    __slots__ = ("arrived", "blocked", "delivered", "dropped", "far", "near", "queue", "queued", "served", "to")

    def __init__(self, to: Host, near: LinkId, far: LinkId) -> None:
        """`near` is the link's number at the sender, `far` at the receiver."""
        self.to = to
        self.near = near
        self.far = far
        self.queue: deque[tuple[Send, int]] | None = None
        """Messages that wait for the uplink; made when one does."""
        self.queued = 0
        """Bytes sent and not delivered."""
        self.blocked = False
        self.served = 0.0
        """Where this link stands in its uplink's turns."""
        self.arrived = 0.0
        """When the last message reaches the receiver's downlink: none overtakes another, if the latency changes too."""
        self.delivered = 0.0
        """When the last message that reached a downlink with a rate is through it; one behind it may be on its way."""
        self.dropped = False

    def drop(self) -> None:
        """The link ended: what waits is not sent."""
        self.dropped = True
        self.queue = None


class Uplink:
    """The links of a host that have something to send."""

    __slots__ = ("busy", "debt", "turn", "waiting")

    def __init__(self) -> None:
        self.waiting: list[tuple[float, int, Pipe]] = []
        """Heap of (where a link stands, its number, the link)."""
        self.busy = False
        self.turn = 0.0
        """Where the link that is being served stood, in bytes."""
        self.debt = 0
        """Bytes of messages that did not wait, still to be charged."""


SIZED: Final = frozenset((Data, Have, Swarm, SwarmChanged))
"""Messages whose length depends on what they say."""


def size_of(message: Message) -> int:
    """Bytes of a message."""
    if type(message) is Have:
        return MESSAGE_BYTES + len(message.bits)
    if type(message) is Data:
        return MESSAGE_BYTES + sum([length for _, _, length in message.parts])
    if type(message) is Swarm:
        return MESSAGE_BYTES + MEMBER_BYTES * len(message.peers)
    if type(message) is SwarmChanged:
        return MESSAGE_BYTES + MEMBER_BYTES * len(message.joined)
    return MESSAGE_BYTES


class Network:
    """The paths between the hosts of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._parted: list[tuple[frozenset[str], frozenset[str]]] = []
        self._held: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        """What waits for the end of a partition."""

    def latency(self, host: Host, other: Host) -> float:
        """Seconds from one host to another."""
        return self._world.latency + host.delay + other.delay

    # -- the sender --

    def send(self, host: Host, pipe: Pipe, send: Send) -> None:
        """A message goes onto a link."""
        message = send.message
        kind = type(message)
        size = size_of(message) if kind in SIZED else MESSAGE_BYTES
        data = kind is Data
        if data and host.corrupt and not message.size:  # type: ignore[attr-defined]
            send = Send(send.link, message, CORRUPT)
        queued = pipe.queued = pipe.queued + size
        if queued > LINK_BUFFER and not pipe.blocked:
            pipe.blocked = True
            self._world.at(0.0, self._feed, host, LinkBlocked(send.link))
        up, now = host.rates.up, self._world.now
        if not up:
            self._depart(host, pipe, send, size, now, now)
        elif not data and not pipe.queue:
            host.uplink.debt += size
            self._depart(host, pipe, send, size, now, now + size / up)
        else:
            self._enqueue(host, pipe, send, size)

    def _feed(self, host: Host, event: LinkBlocked | LinkWritable) -> None:
        if event.link in host.links:
            self._world.feed(host, event)

    def _enqueue(self, host: Host, pipe: Pipe, send: Send, size: int) -> None:
        if pipe.queue is None:
            pipe.queue = deque()
        pipe.queue.append((send, size))
        if len(pipe.queue) == 1:
            self._line_up(host.uplink, pipe)
            if not host.uplink.busy:
                self._serve(host)

    def _line_up(self, uplink: Uplink, pipe: Pipe) -> None:
        pipe.served = max(pipe.served, uplink.turn)
        heappush(uplink.waiting, (pipe.served, pipe.near, pipe))

    def _serve(self, host: Host) -> None:
        """Begin to send the next message of the link whose turn it is."""
        uplink = host.uplink
        while uplink.waiting:
            uplink.turn, _, pipe = heappop(uplink.waiting)
            if pipe.queue:
                _, size = pipe.queue[0]
                start = self._world.now
                up = host.rates.up
                took = (size + uplink.debt) / up if up else 0.0
                uplink.debt = 0
                uplink.busy = True
                pipe.served += size
                self._world.at_time(start + took, self._served, (host, pipe, start))
                return
        uplink.busy = False

    def _served(self, host: Host, pipe: Pipe, start: float) -> None:
        """The last byte of a message left the uplink."""
        if pipe.queue:
            send, size = pipe.queue.popleft()
            self._depart(host, pipe, send, size, start, self._world.now)
            if pipe.queue:
                self._line_up(host.uplink, pipe)
        self._serve(host)

    # -- the way, and the receiver --

    def _depart(self, host: Host, pipe: Pipe, send: Send, size: int, start: float, end: float) -> None:
        """The bytes of a message leave from `start` to `end`."""
        to, world = pipe.to, self._world
        latency = world.latency + host.delay + to.delay
        arrives = pipe.arrived = max(pipe.arrived, end + latency)
        if to.rates.down or to.down_free > world.now:  # or it had a cap until now, and something waits
            world.at_time(arrives, self._arrive, (host, pipe, send, size, start + latency))
        else:
            world.at_time(arrives, self._deliver, (host, pipe, send, size))

    def _arrive(self, host: Host, pipe: Pipe, send: Send, size: int, first: float) -> None:
        """The last byte of a message reached the downlink, the first one at `first`."""
        to, now = pipe.to, self._world.now
        down = to.rates.down
        took = size / down if down else 0.0
        if type(send.message) is Data:
            to.down_free = max(to.down_free, first) + took
            done = max(pipe.delivered, to.down_free)
        else:
            # As at the sender: a small one passes those of other links, and is charged.
            to.down_free = max(to.down_free, now) + took
            done = max(pipe.delivered, now + took)
        pipe.delivered = done
        if done <= now:
            self._deliver(host, pipe, send, size)
        else:
            self._world.at_time(done, self._deliver, (host, pipe, send, size))

    def _deliver(self, host: Host, pipe: Pipe, send: Send, size: int) -> None:
        to = pipe.to
        if self._parted and self.hold(host, to, self._deliver, (host, pipe, send, size)):
            return
        pipe.queued -= size
        if pipe.blocked and pipe.queued <= LINK_BUFFER // 2:
            pipe.blocked = False
            self._feed(host, LinkWritable(pipe.near))
        far = pipe.far
        if far in to.links:
            message = send.message
            payload = size - MESSAGE_BYTES if type(message) is Data else 0
            self._world.feed(to, Received(far, message, send.payload, payload))

    # -- partitions --

    def part(self, one: Iterable[Host], other: Iterable[Host]) -> None:
        """Let nothing pass between two groups."""
        self._parted.append((frozenset(h.name for h in one), frozenset(h.name for h in other)))

    def parted(self, host: Host, other: Host) -> bool:
        """Whether nothing passes between two hosts."""
        a, b = host.name, other.name
        return any((a in one and b in two) or (b in one and a in two) for one, two in self._parted)

    def hold(self, host: Host, other: Host, call: Callable[..., None], args: tuple[Any, ...]) -> bool:
        """Keep a call until the partition between two hosts ends; False if there is none."""
        parted = self.parted(host, other)
        if parted:
            self._held.append((call, args))
        return parted

    def heal(self) -> None:
        """End all partitions."""
        self._parted.clear()
        held, self._held = self._held, []
        for call, args in held:
            self._world.at(0.0, call, *args)
