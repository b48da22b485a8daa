"""The program of a hashing child: maps pieces of files that its parent opened, and answers with their digests.

    python -I -S hash_child.py DESCRIPTOR CONTEXT FOLDER...
    request     offset u64, length u64, chunk size u64, and with it the open file's descriptor
    answer      the digest of each chunk, 32 bytes; before the first request one byte: it is there

A file that becomes shorter while it is mapped kills whoever reads it (SIGBUS), and so does a disk that cannot read:
that is why this is a process of its own (peer/mapping.py).  It imports little, so that it is there within 20 ms.
"""

from __future__ import annotations

import mmap
import os
import resource
import socket
import struct
import sys

REQUEST = struct.Struct("<QQQ")


def main() -> None:
    """Answer until the parent closes its end; whatever goes wrong ends the child, and the parent reads by itself."""
    sys.path += sys.argv[3:]
    from blake3 import blake3

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    new = blake3(derive_key_context=sys.argv[2]).copy
    with socket.socket(fileno=int(sys.argv[1])) as parent:
        parent.sendall(b"\0")
        while True:
            request, descriptors, _, _ = socket.recv_fds(parent, REQUEST.size, 1)
            if not request:
                return
            offset, length, size = REQUEST.unpack(request)
            (number,) = descriptors
            # All pages at once: one fault for each 64 KiB takes longer.
            flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
            with mmap.mmap(number, length, flags, mmap.PROT_READ, offset=offset) as mapped, memoryview(mapped) as view:
                os.close(number)
                answer = []
                for start in range(0, length, size):
                    with view[start : start + size] as chunk:
                        answer.append(new().update(chunk).digest())
            parent.sendall(b"".join(answer))


if __name__ == "__main__":
    main()
