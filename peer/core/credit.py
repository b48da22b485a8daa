"""Credit-based flow control of one stream, both sides.

The downloader tells the uploader how far it may send, as an absolute position in the stream,
never as an increment, so a repeated, late or superseded credit message can neither create nor
destroy credit.

    uploader     sent <= limit, and sent - consumed <= its own cap
    downloader   limit - consumed <= window           (bounds its memory)
                 limit - received <= bytes wanted and not received

The uploader cuts its messages to the credit left, so no window can deadlock.

Source: RFC 9000 section 4.1 (QUIC, MAX_STREAM_DATA).  ZeroMQ RFC 19 (FILEMQ, command NOM)
sends increments; docs/adr/0002 says why we do not.
"""

from __future__ import annotations

from bus.errors import LocalProtocolError, RemoteProtocolError


class SendWindow:
    """The uploader's side: how far one stream may be sent."""

    __slots__ = ("cap", "consumed", "limit", "sent")

    def __init__(self, cap: int) -> None:
        """`cap` is our own bound on bytes sent and not consumed, whatever the other side grants."""
        self.cap = cap
        self.limit = 0
        self.sent = 0
        self.consumed = 0

    @property
    def available(self) -> int:
        """Bytes that may be sent now."""
        limit, capped = self.limit, self.consumed + self.cap
        left = (limit if limit < capped else capped) - self.sent
        return left if left > 0 else 0

    def grant(self, limit: int, consumed: int) -> None:
        """Apply a credit message; a smaller limit than the known one changes nothing.

        Raises:
            RemoteProtocolError: more is said to be consumed than was sent.
        """
        if consumed > self.sent:
            raise RemoteProtocolError(f"credit says {consumed} bytes consumed, {self.sent} were sent")
        self.limit = max(self.limit, limit)
        self.consumed = max(self.consumed, consumed)

    def take(self, size: int) -> int:
        """Count `size` bytes as sent and return the stream position they start at.

        Raises:
            LocalProtocolError: `size` exceeds `available`; the caller did not look first.
        """
        if size > self.available:
            raise LocalProtocolError(f"sending {size} bytes with {self.available} of credit")
        position = self.sent
        self.sent += size
        return position

    def check_invariants(self) -> None:
        assert self.consumed <= self.sent <= max(self.limit, self.sent)
        assert self.sent <= self.limit
        assert self.sent - self.consumed <= self.cap


class ReceiveWindow:
    """The downloader's side: what it has allowed, received and consumed of one stream."""

    __slots__ = ("consumed", "limit", "received", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.limit = 0
        self.received = 0
        self.consumed = 0

    def receive(self, position: int, size: int) -> None:
        """Account for a data message that arrived.

        Raises:
            RemoteProtocolError: it is not the next one, or exceeds the limit.
        """
        if position != self.received:
            raise RemoteProtocolError(f"data at stream position {position}, expected {self.received}")
        if position + size > self.limit:
            raise RemoteProtocolError(f"data up to position {position + size}, the limit is {self.limit}")
        self.received += size

    def consume(self, size: int) -> None:
        """Account for `size` bytes that left memory: written, rejected, duplicate, cancelled or unasked."""
        self.consumed += size
        if self.consumed > self.received:
            raise LocalProtocolError(f"{self.consumed} bytes consumed of {self.received}")

    def next_limit(self, unreceived: int) -> int | None:
        """The limit to announce now, or None while it is not worth a message.

        Args:
            unreceived: bytes of outstanding wants that have not arrived.

        Worth it: a quarter of the window is free, or everything wanted gets covered.  (A
        half, as QUIC suggests, made a stream of 1 MiB messages pause at a window of 2 MiB.)
        """
        everything = self.received + unreceived
        if everything <= self.limit:
            return None
        limit = min(self.consumed + self.window, everything)
        if limit <= self.limit:
            return None
        if limit < everything and limit - self.limit < self.window // 4:
            return None
        return limit

    def announce(self, limit: int) -> None:
        """Remember that `limit` was announced; it never falls."""
        self.limit = max(self.limit, limit)

    def check_invariants(self) -> None:
        assert 0 <= self.consumed <= self.received <= self.limit
