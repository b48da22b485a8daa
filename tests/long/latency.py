"""From an event's stamp to its text in the page, and REST, while a transfer takes all that the machine gives."""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import requests

from bus.ready import PeerUp
from bus.sockets import make_context
from bus.tap import EventTap
from experiments.bench.options import RAM_DISK
from tests.kit.swarm import Swarm
from tests.kit.waiting import eventually
from tests.long.chromium import chromium, page_at
from tests.long.outcome import Outcome, at_most, let_pass, share_of, spread

GIB: Final = 2**30
SIZE: Final = 8 * GIB
SECONDS: Final = 60.0
CHANGE_EVERY: Final = 0.4
ASK_EVERY: Final = 0.05
WORDS: Final = {"paused": "Paused", "seeding": "Sharing"}

# Notes the wall clock each time that the line says something else.
WATCH_LINE = """id => {
    window.seen = [];
    let last = '';
    const look = () => {
        const text = document.querySelector(`[data-id="${id}"]`)?.textContent ?? '';
        const word = ['Paused', 'Sharing'].find(one => text.includes(one)) ?? '';
        if (word !== last) { last = word; window.seen.push([word, Date.now() / 1000]); }
    };
    new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
    look();
}"""
# Counts how often the page stops being sure of what it shows.
WATCH_ALARMS = """() => {
    window.alarms = 0;
    let sure = true;
    const look = () => {
        const now = !document.querySelector('main').matches('.old');
        if (sure && !now) window.alarms++;
        sure = now;
    };
    new MutationObserver(look).observe(document.querySelector('main'), {attributes: true});
}"""


class Rest:
    """REST of one peer."""

    def __init__(self, peer: PeerUp) -> None:
        assert peer.url is not None
        assert peer.token_file is not None
        self.url, self.token = peer.url, Path(peer.token_file).read_text().strip()
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {self.token}"

    def call(self, method: str, path: str, **options: Any) -> Any:
        response = self._session.request(method, f"{self.url}/api/v1{path}", timeout=30, **options)
        response.raise_for_status()
        return response.json() if response.content else None


class Asker(threading.Thread):
    """Asks by turns, and notes how long the answers take."""

    def __init__(self, peer: PeerUp) -> None:
        super().__init__(daemon=True)
        self._rest = Rest(peer)
        self.over = threading.Event()
        self.taken: list[float] = []

    def run(self) -> None:
        for path in itertools.cycle(("/status", "/downloads", "/shares", "/peers")):
            begin = time.perf_counter()
            self._rest.call("GET", path)
            self.taken.append(1000 * (time.perf_counter() - begin))
            if self.over.wait(ASK_EVERY):
                return


class Changer(threading.Thread):
    """Pauses and resumes a share by turns."""

    def __init__(self, peer: PeerUp, share: str) -> None:
        super().__init__(daemon=True)
        self._rest, self._share = Rest(peer), share
        self.over = threading.Event()

    def run(self) -> None:
        for action in itertools.cycle(("pause", "resume")):
            if self.over.wait(CHANGE_EVERY):
                return
            self._rest.call("PATCH", f"/shares/{self._share}", json={"action": action})


def latency(share: float) -> Outcome:
    """See the module's head; `share` of the size and the time."""
    with tempfile.TemporaryDirectory(dir=RAM_DISK) as folder, chromium() as browser:
        base = Path(folder)
        big, small = base / "big.bin", base / "small.txt"
        with big.open("wb") as file:
            file.truncate(max(GIB // 2, int(share * SIZE)))
        small.write_text("small")
        with Swarm(base, gateways=True) as swarm:
            south = swarm.peer("south")
            wanted = swarm.cli("share", str(big), peer="north").data[0]["id"]
            changed = swarm.cli("share", str(small), peer="south").data[0]["id"]
            rest = Rest(south)
            with page_at(browser, f"{rest.url}/#token={rest.token}") as page:
                page.locator(f"[data-id='{changed}']").wait_for()
                page.evaluate(WATCH_LINE, changed)
                page.evaluate(WATCH_ALARMS)
                with EventTap(make_context(), south.events, ("content.shared",)) as tap:
                    eventually(lambda: rest.call("POST", "/downloads", json={"id": wanted}), within=20)
                    download = f"/downloads/{wanted}"
                    eventually(lambda: rest.call("GET", download)["bytes_done"], within=30)
                    threads = [Asker(south), Changer(south, changed)]
                    asker = threads[0]
                    assert isinstance(asker, Asker)
                    begin, before = time.monotonic(), rest.call("GET", download)["bytes_done"]
                    for thread in threads:
                        thread.start()
                    said: list[tuple[str, float]] = []

                    def is_over() -> bool:
                        said.extend(
                            (WORDS[str(one.data["state"])], one.time)
                            for one in tap.poll(0.0)
                            if one.data["id"] == changed and one.data["state"] in WORDS
                        )
                        row = rest.call("GET", download)
                        return bool(row["finished"]) or time.monotonic() > begin + share * SECONDS

                    eventually(is_over, within=share * SECONDS + 60, every=0.1)
                    moved, seconds = rest.call("GET", download)["bytes_done"] - before, time.monotonic() - begin
                    for thread in threads:
                        thread.over.set()  # type: ignore[attr-defined]
                        thread.join()
                    let_pass(1)
                    delays = delays_of(said, page.evaluate("window.seen"))
                    alarms = page.evaluate("window.alarms")
    return Outcome(
        "State changes of a share at a peer that receives a file as fast as it can, its page open, and REST asked "
        f"every {1000 * ASK_EVERY:.0f} ms beside",
        [
            at_most("event's stamp to text in the page, 95%", share_of(delays, 0.95), 200, "ms"),
            at_most("REST, 95%", share_of(asker.taken, 0.95), 100, "ms"),
            at_most("peer or gateway called silent though they were not", alarms, 0, "times"),
        ],
        [
            f"Stamp to text: {spread(delays, 'ms')}",
            f"REST (status, downloads, shares, peers by turns): {spread(asker.taken, 'ms')}",
            f"Meanwhile the transfer moved {moved / seconds / 1e6:.0f} MB/s for {seconds:.0f} s",
        ],
    )


def delays_of(said: list[tuple[str, float]], seen: list[tuple[str, float]]) -> list[float]:
    """Milliseconds from each state's stamp until the page said it; one that it passed over took until the next."""
    # What is said again is no change, and nobody sees it.
    said = [one for before, one in itertools.pairwise([("", 0.0), *said]) if one[0] != before[0]]
    delays = []
    for (word, stamp), (_, later) in itertools.pairwise([*said, ("", float("inf"))]):
        found = [moment for text, moment in seen if text == word and stamp - 0.002 <= moment < later + CHANGE_EVERY]
        delays.append(1000 * (max(0.0, found[0] - stamp) if found else later - stamp))
    return delays[:-1]  # the last one may have been said after the watching ended
