"""Two hundred hostile names through share, tracker and page, in real processes: they are text wherever they come."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from tests.kit.hostile_names import NAMES, REFUSED
from tests.kit.name_walk import Walk
from tests.kit.swarm import Swarm
from tests.kit.web_peer import ROOT
from tests.long.chromium import chromium, page_at
from tests.long.latency import Rest
from tests.long.outcome import Outcome, at_most

PICTURES: Final = ROOT / "results" / "page-names"
PICTURED: Final = 10
"""One name in so many has its picture taken, wherever it is shown."""


def names(share: float) -> Outcome:
    """See the module's head; `share` of the names."""
    chosen = NAMES[:: max(1, round(1 / share))]
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        shared, refused = files(Path(folder), chosen)
        with Swarm(Path(folder), gateways=True) as swarm:
            taken = sum(swarm.cli("share", str(path), expect=None).code == 0 for path in refused)
            rows = swarm.cli("share", *map(str, shared), peer="north", within=600).data
            by_id = {row["id"]: row["name"] for row in rows}
            walks = []
            for peer in ("north", "south"):
                rest = Rest(swarm.peer(peer))
                with page_at(browser, f"{rest.url}/#token={rest.token}") as page:
                    walk = Walk(page, peer, PICTURES)
                    walks.append(walk)
                    for number, (content, name) in enumerate(by_id.items() if peer == "south" else ()):
                        walk.fetch(content, name, picture=number % PICTURED == 0)
                    walk.table(by_id)
                    for number, (content, name) in enumerate(by_id.items() if peer == "south" else ()):
                        walk.ask(content, name, picture=number % PICTURED == 0)
            arrived = {path.name: path.read_bytes() for path in Path(swarm.peer("south").download_dir).iterdir()}
    wanted = {name: bytes([number]) for number, name in enumerate(chosen)}
    ran, broken = [one for walk in walks for one in walk.ran], [one for walk in walks for one in walk.broken]
    lost = len(wanted.items() ^ arrived.items())
    return Outcome(
        f"{len(chosen)} files of one byte under hostile names (markup, scripts, attributes, links, templates, "
        "directions, invisible letters, 255 bytes...) are shared at a real peer, searched, previewed and fetched in "
        "the page of another; then the tables of both, all details, the menu and each dialog",
        [
            at_most("names lost or changed from disk to disk", lost, 0, f"of {len(chosen)}"),
            at_most("scripts, dialogs, elements made of names, console errors, CSP reports", len(ran), 0, ""),
            at_most("broken layouts: lines of another height, anything that sticks out, a title", len(broken), 0, ""),
            at_most("names with control or text-direction characters that were taken", taken, 0, f"of {len(REFUSED)}"),
        ],
        [
            f"Pictures of every table, and of one name in {PICTURED} wherever it is shown: results/{PICTURES.name}/",
            *ran[:3],
            *broken[:3],
        ],
    )


def files(folder: Path, chosen: tuple[str, ...]) -> tuple[list[Path], list[Path]]:
    """A file of one byte, and another one for each, under every name; and empty ones under those that are refused."""
    for name in ("shared", "refused"):
        (folder / name).mkdir()
    shared = [folder / "shared" / name for name in chosen]
    refused = [folder / "refused" / name for name in REFUSED]
    for number, path in enumerate(shared):
        path.write_bytes(bytes([number]))
    for path in refused:
        path.touch()
    return shared, refused
