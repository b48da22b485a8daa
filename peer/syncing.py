"""Forcing what was written to the disk, and recording it, in a thread of its own.

After `sync_bytes` or `sync_interval`, whichever comes first: the files are synced, and only then
one transaction records their chunks, so that a record never runs ahead of the disk.  (In the
writing threads this cost 15 to 35% of the rate; here none that can be measured.)
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from bus.errors import ERR_FAILURE, ShoalError
from bus.settings import TransferSettings
from peer.catalogue import Catalogue
from peer.files import FileOps, error_of
from peer.temporary import TemporaryFiles

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 30.0
"""Seconds without anything to sync after which `idle` is called."""


class SyncThread:
    """Syncs and records the chunks of all downloads."""

    def __init__(
        self,
        settings: TransferSettings,
        files: FileOps,
        catalogue: Catalogue,
        failed: Callable[[TemporaryFiles, ShoalError], None],
        idle: Callable[[], object] = lambda: None,
    ) -> None:
        """`failed` is told, in this thread, of a download that could not be synced; `idle` is called now and then."""
        self._sync_bytes = settings.sync_bytes
        self._interval = settings.sync_interval
        self._files = files
        self._catalogue = catalogue
        self._failed = failed
        self._idle = idle
        self._waiting: dict[TemporaryFiles, None] = {}
        self._lock = threading.Lock()
        self._begun = threading.Event()
        self._due = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._thread.start()

    def touched(self, download: TemporaryFiles) -> None:
        """Chunks of this download wait to be synced."""
        if download not in self._waiting:
            with self._lock:
                self._waiting[download] = None
            self._begun.set()
        if download.unsynced_bytes >= self._sync_bytes and not self._due.is_set():
            self._due.set()

    def sync_now(self, download: TemporaryFiles) -> None:
        """Sync and record in the caller's thread.

        Raises:
            ShoalError: it could not be done; what was to be recorded is no longer held.
        """
        # One at a time: the kernel tells of a failed sync once, and the other would take its silence for success.
        with download.syncing:
            with self._lock:
                self._waiting.pop(download, None)
            batch = download.take_batch()
            if not batch.chunks or download.failure is not None:
                return
            try:
                download.sync(batch.entries)
                self._catalogue.keep_bits(download.content, download.set_recorded(batch.chunks))
            except OSError as error:
                raise _withdrawn(download, error_of(error, download.path, self._files)) from None
            except ShoalError as error:
                raise _withdrawn(download, error) from None

    def drop(self, download: TemporaryFiles) -> None:
        """Forget a download that is closed."""
        with self._lock:
            self._waiting.pop(download, None)

    def close(self) -> None:
        """Sync and record what waits, then end."""
        self._closing = True
        self._begun.set()
        self._due.set()

    def join(self, deadline: float) -> bool:
        """Wait for the end, until `deadline` (monotonic); False if it did not come."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        closing = False
        while not closing:
            if not self._begun.wait(IDLE_SECONDS):
                self._idle()
                continue
            self._due.wait(self._interval)
            closing = self._closing
            self._begun.clear()
            self._due.clear()
            with self._lock:
                waiting = list(self._waiting)
            for download in waiting:
                self._sync(download)

    def _sync(self, download: TemporaryFiles) -> None:
        try:
            self.sync_now(download)
        except ShoalError as error:
            self._failed(download, error)
        except Exception:  # a bug: said in the log, and the download stops as for any other failure
            log.exception("a sync failed")
            bug = ShoalError(ERR_FAILURE, f"internal error with {download.path}; the log has the details")
            self._failed(download, _withdrawn(download, bug))


def _withdrawn(download: TemporaryFiles, error: ShoalError) -> ShoalError:
    download.fail(error)
    return error
