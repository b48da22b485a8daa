"""A hundred thousand events a second at the peer's publisher: the page ends with the truth, and nobody else suffers."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import requests
from playwright.sync_api import Page

from bus.events import UploadProgress
from bus.rpc import RpcClient
from bus.sockets import make_context
from experiments.bench.options import RAM_DISK
from tests.kit import storm as storming
from tests.kit.swarm import Swarm
from tests.kit.table import view
from tests.kit.waiting import eventually
from tests.kit.web_peer import WebPeer, children_of
from tests.long.chromium import chromium, page_at
from tests.long.latency import Rest
from tests.long.outcome import Outcome, at_most, let_pass, private_bytes

RATE: Final = 100_000
SECONDS: Final = 60.0
CALM: Final = 15.0
"""Seconds before, in which the transfer's rate is taken."""
LIMIT: Final = "8 MiB/s"
"""Of the transfer beside: what these processors can do besides all the rest."""
MIB: Final = 2**20

# What the page says of every upload, by the peer's id.
UPLOADS = """() => Object.fromEntries([...document.querySelectorAll('#uploads li')].map(li =>
    [li.querySelector('[title^="Peer "]').title.slice(5), li.querySelector('.muted:not(p)').textContent]))"""


class Gateway(threading.Thread):
    """Looks at the memory of a gateway all the time."""

    def __init__(self, web: WebPeer) -> None:
        super().__init__(daemon=True)
        assert web.gateway is not None
        self._pids = [web.gateway.pid, *children_of(web.gateway.pid)]
        self.before = self.most = private_bytes(self._pids)
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.2):
            self.most = max(self.most, private_bytes(self._pids))

    def ended(self) -> int:
        """Bytes that it grew by at most."""
        self.over.set()
        self.join()
        return self.most - self.before


def storm(share: float) -> Outcome:
    """See the module's head; `share` of the time."""
    seconds = share * SECONDS
    with contextlib.ExitStack() as stack:
        own, beside = (stack.enter_context(tempfile.TemporaryDirectory(dir=place)) for place in (None, RAM_DISK))
        web = stack.enter_context(WebPeer(Path(own)))
        page = stack.enter_context(page_at(stack.enter_context(chromium()), web.page))
        web.order(f"storm 1000 {2 * storming.ROWS / 1000}")  # so that every row is there
        ended = web.places.data_dir / storming.ENDED
        eventually(ended.exists, within=20)
        view(page, "Network")
        while page.get_by_role("button", name="Show more").count():
            page.get_by_role("button", name="Show more").first.click()
        with limited_transfer(Path(beside), seconds) as rate:
            calm = rate.over(min(CALM, seconds))
            ended.unlink()
            gateway = Gateway(web)
            gateway.start()
            web.order(f"storm {RATE} {seconds}")
            stormy = rate.over(seconds)
            eventually(ended.exists, within=60)
            end = json.loads(ended.read_text())
            late = seconds_until(page, uploads_of(web), end["time"])
            grown = gateway.ended()
        metrics = requests.get(f"{web.url}/metrics", headers={"Authorization": f"Bearer {web.token}"}, timeout=10).text
    reached = end["events"] / seconds
    return Outcome(
        f"{end['events']:,} events in {seconds:.0f} s at a stand-in peer's publisher ({reached:,.0f} a second; "
        f"{RATE:,} were wanted), its page open, and a transfer of {LIMIT} between two other peers beside",
        [
            at_most("page equals the peer's state after the last event", late, 2, "s"),
            at_most("gateway's memory grew", grown / MIB, 50, "MiB"),
            at_most("transfer beside became slower", 100 * (1 - stormy / calm), 5, "%"),
        ],
        [
            f"Compared: {storming.ROWS + 1} uploads, as the page writes them, with a snapshot asked of the peer",
            f"Transfer beside: {calm / MIB:.2f} MiB/s before, {stormy / MIB:.2f} MiB/s meanwhile",
            *(f"Gateway: {line.removeprefix('shoal_')}" for line in metrics.splitlines()
              if line.startswith(("shoal_gateway_event_gaps_total", "shoal_gateway_snapshots_total"))),
        ],
    )  # fmt: skip


def uploads_of(web: WebPeer) -> dict[str, str]:
    """The truth, in the page's words."""
    context = make_context()
    client = RpcClient(context, web.places.control)
    rows = client.snapshot(("uploads",)).of(UploadProgress, "uploads")
    client.close()
    context.destroy(0)
    return {row.peer: f"{written(row.bytes)} sent" for row in rows}


def written(size: float) -> str:
    """A size as the page writes it (format.ts)."""
    units = iter(("B", "KiB", "MiB", "GiB"))
    unit = next(units)
    while round(size, 1) >= 1024:
        size, unit = size / 1024, next(units)
    return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"


def seconds_until(page: Page, truth: dict[str, str], end: float) -> float:
    """From a wall clock reading until the page says the same as the truth."""
    shown: dict[str, str] = {}

    def is_true() -> bool:
        nonlocal shown
        shown = page.evaluate(UPLOADS)
        return shown == truth

    def difference() -> str:
        return str([(peer, said, shown.get(peer)) for peer, said in truth.items() if shown.get(peer) != said][:3])

    eventually(is_true, within=30, every=0.02, message=difference)
    return time.time() - end


class limited_transfer:  # noqa: N801  reads as the function that it is to its caller
    """Two real peers, one file, at a limited rate for long enough."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder, self._seconds = folder, seconds

    def __enter__(self) -> limited_transfer:
        file = self._folder / "beside.bin"
        with file.open("wb") as made:
            made.truncate(int((self._seconds + CALM + 30) * 8 * MIB))
        self._swarm = Swarm(self._folder, gateways=True, settings={"limits": {"up": LIMIT}})
        self._swarm.__enter__()
        content = self._swarm.cli("share", str(file), peer="north").data[0]["id"]
        self._rest = Rest(self._swarm.peer("south"))
        eventually(lambda: self._rest.call("POST", "/downloads", json={"id": content}), within=20)
        self._path = f"/downloads/{content}"
        eventually(lambda: self._row()["bytes_done"] > 16 * MIB, within=30)
        return self

    def __exit__(self, *_: object) -> None:
        self._swarm.__exit__(None, None, None)

    def _row(self) -> Any:
        return self._rest.call("GET", self._path)

    def over(self, seconds: float) -> float:
        """Bytes a second over so many seconds from now."""
        before, begin = self._row()["bytes_done"], time.monotonic()
        let_pass(seconds)
        return float(self._row()["bytes_done"] - before) / (time.monotonic() - begin)
