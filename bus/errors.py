"""Every error a user or another process can meet: one stable code, one line of text.

A code is the same in the command line, REST and the page; `CODES` says which exit code and
which HTTP status it becomes.  The text of an error says what, where, the limit or the
expected value, and what to do.

Protocol errors are split by who is to blame (h11's split): `RemoteProtocolError` when the
other side broke the protocol, `LocalProtocolError` when we did, which is a bug.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Outcome(NamedTuple):
    """What one error code becomes at the edges of the program."""

    exit_code: int
    http_status: int
    meaning: str


OK: Final = 0
FAILURE: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
UNREACHABLE: Final = 4
INTEGRITY: Final = 5
TIMED_OUT: Final = 6
REFUSED: Final = 7
INTERRUPTED: Final = 130

ERR_FAILURE: Final = "ERR_FAILURE"
ERR_USAGE: Final = "ERR_USAGE"
ERR_CONFIG: Final = "ERR_CONFIG"
ERR_PORT_IN_USE: Final = "ERR_PORT_IN_USE"
ERR_ALREADY_RUNNING: Final = "ERR_ALREADY_RUNNING"
ERR_KEY_FILE: Final = "ERR_KEY_FILE"
ERR_PATH: Final = "ERR_PATH"
ERR_SYMLINK: Final = "ERR_SYMLINK"
ERR_UNREADABLE: Final = "ERR_UNREADABLE"
ERR_CHANGED: Final = "ERR_CHANGED"
ERR_DISK_FULL: Final = "ERR_DISK_FULL"
ERR_DISK: Final = "ERR_DISK"
ERR_NOT_FOUND: Final = "ERR_NOT_FOUND"
ERR_STATE: Final = "ERR_STATE"
ERR_LIMIT: Final = "ERR_LIMIT"
ERR_UNREACHABLE: Final = "ERR_UNREACHABLE"
ERR_TRACKER_KEY: Final = "ERR_TRACKER_KEY"
ERR_DUPLICATE_KEY: Final = "ERR_DUPLICATE_KEY"
ERR_MANIFEST: Final = "ERR_MANIFEST"
ERR_INTEGRITY: Final = "ERR_INTEGRITY"
ERR_TIMEOUT: Final = "ERR_TIMEOUT"
ERR_REFUSED: Final = "ERR_REFUSED"
ERR_PROTOCOL: Final = "ERR_PROTOCOL"
ERR_DATABASE: Final = "ERR_DATABASE"
ERR_TOKEN: Final = "ERR_TOKEN"
ERR_HOST: Final = "ERR_HOST"
ERR_TOO_LARGE: Final = "ERR_TOO_LARGE"
ERR_RATE: Final = "ERR_RATE"

CODES: Final[dict[str, Outcome]] = {
    ERR_FAILURE: Outcome(FAILURE, 500, "something failed that has no code of its own"),
    ERR_USAGE: Outcome(USAGE, 400, "the command or request is not of the expected form"),
    ERR_CONFIG: Outcome(USAGE, 400, "a setting is unknown, of the wrong type or out of range"),
    ERR_PORT_IN_USE: Outcome(USAGE, 409, "another program has the port"),
    ERR_ALREADY_RUNNING: Outcome(USAGE, 409, "another process has this data directory"),
    ERR_KEY_FILE: Outcome(USAGE, 500, "a key file is damaged or readable by others"),
    ERR_PATH: Outcome(USAGE, 422, "a path or name is not safe, or is not what was expected"),
    ERR_SYMLINK: Outcome(USAGE, 422, "a symbolic link stands where a file or folder was expected"),
    ERR_UNREADABLE: Outcome(FAILURE, 409, "a file is missing or cannot be read"),
    ERR_CHANGED: Outcome(INTEGRITY, 409, "a shared file is not the one that was hashed"),
    ERR_DISK_FULL: Outcome(FAILURE, 409, "the disk has not enough room"),
    ERR_DISK: Outcome(FAILURE, 500, "the disk answered with an error"),
    ERR_NOT_FOUND: Outcome(NOT_FOUND, 404, "no such content, peer, item or file is known"),
    ERR_STATE: Outcome(FAILURE, 409, "the item is not in a state that allows this"),
    ERR_LIMIT: Outcome(REFUSED, 422, "a limit of the protocol or of the configuration is exceeded"),
    ERR_UNREACHABLE: Outcome(UNREACHABLE, 503, "the peer or tracker does not answer"),
    ERR_TRACKER_KEY: Outcome(UNREACHABLE, 503, "the tracker has another key than the configured one"),
    ERR_DUPLICATE_KEY: Outcome(REFUSED, 409, "another live process has the same identity"),
    ERR_MANIFEST: Outcome(INTEGRITY, 502, "a manifest does not match its id or breaks a limit"),
    ERR_INTEGRITY: Outcome(INTEGRITY, 502, "bytes do not match their digest"),
    ERR_TIMEOUT: Outcome(TIMED_OUT, 504, "no answer or no progress in time"),
    ERR_REFUSED: Outcome(REFUSED, 403, "the other side refused"),
    ERR_PROTOCOL: Outcome(FAILURE, 400, "a message breaks the protocol"),
    ERR_DATABASE: Outcome(FAILURE, 500, "a database is damaged or newer than this program"),
    ERR_TOKEN: Outcome(REFUSED, 401, "the access token is missing or wrong"),
    ERR_HOST: Outcome(REFUSED, 421, "the request names a host that is not this page's"),
    ERR_TOO_LARGE: Outcome(REFUSED, 413, "the request's body is longer than its limit"),
    ERR_RATE: Outcome(REFUSED, 429, "too many attempts in too short a time"),
}


class ShoalError(Exception):
    """An error with a stable code and a one-line message fit for a user."""

    def __init__(self, code: str, message: str) -> None:
        if code not in CODES:
            raise ValueError(f"unknown error code {code}")
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def outcome(self) -> Outcome:
        return CODES[self.code]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class ProtocolError(Exception):
    """Base of the two protocol errors."""


class LocalProtocolError(ProtocolError):
    """We are about to break the protocol: a bug in this program."""


class RemoteProtocolError(ProtocolError):
    """The other side broke the protocol; it is counted against its link."""
