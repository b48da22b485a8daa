"""Who a process is: one Ed25519 seed in its data directory, and the CURVE pair made from it.

The peer id is the CURVE public key as 64 hex digits, so that the transport itself proves it.
The conversion from Ed25519 is libsodium's (RFC 7748's birational map); the seed never leaves
the file and this object.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from zmq.utils import z85

from bus.errors import ERR_KEY_FILE, ShoalError

if TYPE_CHECKING:
    from nacl.signing import SigningKey

SEED_SIZE: Final = 32
"""Bytes of an Ed25519 seed."""

# The pairs printed in zmq_curve(7) and used all over the ZeroMQ guide: everybody has their secrets.
PUBLISHED_PUBLIC: Final = (b"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", b"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID")
PUBLISHED_SECRET: Final = (b"JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6", b"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs")


class Identity:
    """The keys of one tracker or peer."""

    __slots__ = ("_signing", "curve_public", "curve_secret", "peer_id", "verify_key")

    def __init__(self, seed: bytes) -> None:
        from nacl.signing import SigningKey  # the command line and the page know ids only, and start the sooner

        self._signing: SigningKey = SigningKey(seed)
        secret = self._signing.to_curve25519_private_key()
        self.verify_key: bytes = bytes(self._signing.verify_key)
        """The Ed25519 public key; converted to Curve25519 it is the peer id."""
        self.peer_id: str = bytes(secret.public_key).hex()
        self.curve_public: bytes = z85.encode(bytes(secret.public_key))
        self.curve_secret: bytes = z85.encode(bytes(secret))

    def __repr__(self) -> str:
        return f"Identity({self.peer_id[:8]})"

    def sign(self, text: bytes) -> bytes:
        """The Ed25519 signature of a text, 64 bytes; what it is for must stand in the text."""
        return self._signing.sign(text).signature

    @classmethod
    def load_or_create(cls, path: Path) -> Identity:
        """The identity in a file; the file is made, readable by its owner only, if there is none.

        Raises:
            ShoalError: ERR_KEY_FILE if the file is damaged, no plain file, open to others or a published test key.
        """
        try:
            seed = _read(path)
        except FileNotFoundError:
            _create(path, secrets.token_bytes(SEED_SIZE))
            seed = _read(path)
        if seed in map(z85.decode, PUBLISHED_SECRET):
            raise _refusal(path, "it is a test key printed in ZeroMQ's manual", "remove it, and a new one is made")
        identity = cls(seed)
        if identity.curve_public in PUBLISHED_PUBLIC:
            raise _refusal(path, "it makes a test key printed in ZeroMQ's manual", "remove it, and a new one is made")
        return identity


def z85_of(peer_id: str) -> bytes:
    """A peer id in the text form that ZeroMQ's CURVE options take."""
    encoded: bytes = z85.encode(bytes.fromhex(peer_id))
    return encoded


def _read(path: Path) -> bytes:
    try:
        # Not blocking: the open of a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _refusal(
            path, f"it cannot be opened ({error.strerror})", "it must be a plain file of its owner"
        ) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _refusal(path, "it is no plain file", "move it away, and a new one is made")
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise _refusal(path, f"others may use it (mode {mode:04o}, expected 0600)", f"run: chmod 600 {path}")
        seed = os.read(descriptor, SEED_SIZE + 1)
    finally:
        os.close(descriptor)
    if len(seed) != SEED_SIZE:
        raise _refusal(path, f"it has not {SEED_SIZE} bytes", "restore it from a copy, or remove it for a new identity")
    return seed


def _create(path: Path, seed: bytes) -> None:
    """Write the file under another name first: a crash leaves a whole key or none."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(seed)
            file.flush()
            os.fsync(file.fileno())
        os.link(unfinished, path)  # unlike a rename it never replaces a key that another process just made
        unfinished.unlink()
        _sync_directory(path.parent)
    except FileExistsError:
        unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise _refusal(path, f"it cannot be made ({error.strerror})", "check the folder and its room") from None


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(path: Path, what: str, remedy: str) -> ShoalError:
    return ShoalError(ERR_KEY_FILE, f"key file {path}: {what}; {remedy}")
