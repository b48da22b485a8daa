"""Processes killed in the middle of a transfer: nothing verified is lost, everything goes on by itself."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.messages import Held, ListHeld, Pause
from tests.kit.payload import MIB, differences, random_file
from tests.kit.remote import Remote
from tests.kit.swarm import Loose, Swarm
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

SIZE = 64 * MIB
WINDOW = 8 * MIB
SLOW = {"SHOAL__LIMITS__UP": "24 MiB/s"}


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """Peers that a supervisor starts again when they are killed; east has only what one test gives it."""
    with Swarm(tmp_path_factory.mktemp("crashes"), peers=("north", "south", "east"), environ=SLOW) as running:
        yield running


def test_a_downloader_killed_at_half_goes_on_by_itself_and_wastes_at_most_a_window(
    swarm: Swarm, tmp_path: Path
) -> None:
    sample = random_file(tmp_path / "downloader.bin", SIZE, seed=1)
    content = swarm.cli("share", str(sample)).data[0]["id"]
    with Remote(swarm.peer("east")) as east:
        east.get(content)
        eventually(lambda: east.progress(content) >= 0.5, within=30)
    swarm.restarted("east", swarm.kill("east"))
    with Remote(swarm.peer("east")) as east, Remote(swarm.peer("north")) as north:
        eventually(lambda: east.complete(content), within=60)
        assert differences(sample, Path(swarm.peer("east").download_dir) / sample.name) == ""
        assert SIZE <= north.sent_to(swarm.peer("east").id) <= SIZE + WINDOW


def test_a_downloader_stopped_politely_at_half_goes_on_after_its_start(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", SIZE)
    with Loose(tmp_path, environ=SLOW) as swarm:
        swarm.start_tracker()
        with Remote(swarm.start_peer("north")) as north:
            content = swarm.cli("share", str(sample), peer="north").data[0]["id"]
            with Remote(swarm.start_peer("south")) as south:
                south.get(content)
                eventually(lambda: south.progress(content) >= 0.5, within=30)
            assert swarm.kill("south", signal.SIGTERM) == 0
            again = swarm.start_peer("south")
            with Remote(again) as south:
                eventually(lambda: south.progress(content) >= 0.5, within=10)
                eventually(lambda: south.complete(content), within=60)
            assert differences(sample, Path(again.download_dir) / sample.name) == ""
            assert SIZE <= north.sent_to(again.id) <= SIZE + WINDOW


def test_priorities_of_a_download_and_of_its_files_outlive_a_kill(swarm: Swarm, tmp_path: Path) -> None:
    (tmp_path / "trip" / "deep").mkdir(parents=True)
    for number, path in enumerate(("a", "deep/b", "deep/c")):
        random_file(tmp_path / "trip" / path, SIZE, seed=10 + number)
    content = swarm.cli("share", str(tmp_path / "trip")).data[0]["id"]
    swarm.cli("limit", "--down", "1 MiB/s", peer="south")  # so that it is not over before all is said
    with Remote(swarm.peer("south")) as south:
        south.get(content)
        eventually(lambda: south.progress(content) > 0, within=30)
        swarm.cli("priority", content, "high", "--path", "deep", peer="south")
        swarm.cli("priority", content, "low", "--path", "deep/b", peer="south")
        swarm.cli("priority", content, "low", peer="south")
    swarm.restarted("south", swarm.kill("south"))
    told = swarm.cli("priority", content, peer="south").data
    paths = [{"path": "deep", "priority": "high"}, {"path": "deep/b", "priority": "low"}]
    assert (told["priority"], told["paths"]) == ("low", paths)
    with Remote(swarm.peer("south")) as south:
        answer = eventually(lambda: south.call(ListHeld(0, content)), within=10)
        assert isinstance(answer, Held)
        assert [file.priority for file in answer.files] == ["normal", "low", "high"]
    swarm.cli("remove", content, peer="south")
    swarm.cli("limit", "--down", "unlimited", peer="south")


def test_an_uploader_killed_at_half_comes_back_and_the_download_goes_on(swarm: Swarm, tmp_path: Path) -> None:
    sample = random_file(tmp_path / "uploader.bin", SIZE, seed=2)
    content = swarm.cli("share", str(sample)).data[0]["id"]
    with Remote(swarm.peer("south")) as south:
        south.get(content)
        eventually(lambda: south.progress(content) >= 0.5, within=30)
        swarm.restarted("north", swarm.kill("north"))
        eventually(lambda: south.complete(content), within=60)
    assert differences(sample, Path(swarm.peer("south").download_dir) / sample.name) == ""


def test_what_was_uploaded_of_a_content_outlives_the_upload_and_the_seed(swarm: Swarm, tmp_path: Path) -> None:
    size = 3 * MIB + 7
    content = swarm.cli("share", str(random_file(tmp_path / "ratio.bin", size, seed=4))).data[0]["id"]
    swarm.cli("get", content, peer="south")

    def uploaded() -> tuple[int, str]:
        [row] = [row for row in swarm.cli("ls").data if row["id"] == content]
        return row["uploaded"], row["state"]

    eventually(lambda: uploaded() == (size, "seeding"), within=10)
    swarm.cli("pause", content)  # ends what is left of the upload; answered once all that was to be kept is kept
    assert uploaded() == (size, "paused")
    swarm.restarted("north", swarm.kill("north"))
    assert uploaded() == (size, "paused")


def test_a_download_outlives_the_tracker_which_comes_back_and_knows_its_swarms(tmp_path: Path) -> None:
    sample = random_file(tmp_path / "sample.bin", SIZE)
    with Loose(tmp_path, environ=SLOW, peers=("north", "south", "east")) as swarm:
        swarm.start_tracker()
        swarm.start_peer("north")
        content = swarm.cli("share", str(sample), peer="north").data[0]["id"]
        with Remote(swarm.start_peer("south")) as south:
            south.get(content)
            eventually(lambda: south.progress(content) >= 0.3, within=30)
            swarm.kill("tracker")
            eventually(lambda: south.complete(content), within=60)
        swarm.kill("north")
        swarm.kill("south")
        swarm.start_tracker()
        swarm.start_peer("east")
        # North and south are gone and cannot have registered again: this is the tracker's memory.
        rows = eventually(lambda: swarm.cli("search", "sample", peer="east").data, within=10)
        assert [(row["id"], row["seeds"] + row["leechers"]) for row in rows] == [(content, 2)]


def test_a_paused_download_stays_paused_over_a_restart(swarm: Swarm, tmp_path: Path) -> None:
    sample = random_file(tmp_path / "paused.bin", SIZE, seed=3)
    content = swarm.cli("share", str(sample)).data[0]["id"]
    with Remote(swarm.peer("south")) as south:
        south.get(content)
        eventually(lambda: south.progress(content) > 0.1, within=30)
        south.call(Pause(0, content))
    swarm.restarted("south", swarm.kill("south"))
    [row] = [row for row in swarm.cli("ls", peer="south").data if row["id"] == content]
    assert row["state"] == "paused"
    swarm.cli("resume", content, peer="south")
    with Remote(swarm.peer("south")) as south:
        eventually(lambda: south.complete(content), within=60)
