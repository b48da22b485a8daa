"""A few hostile names through share, tracker and page, in real peers and a real Chromium; all: tests/long/names.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.test_end_to_end import page_of
from tests.kit.hostile_names import KINDS, REFUSED
from tests.kit.name_walk import Walk
from tests.kit.swarm import Swarm

pytestmark = [pytest.mark.browser, pytest.mark.system]

CHOSEN = [names[0] for names in KINDS.values()]


@pytest.fixture(scope="module")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    with Swarm(tmp_path_factory.mktemp("swarm"), gateways=True) as swarm:
        yield swarm


def test_a_name_of_every_kind_is_text_from_disk_to_disk(swarm, tmp_path, open_page):
    paths = [tmp_path / name for name in CHOSEN]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]))
    shared = {row["id"]: row["name"] for row in swarm.cli("share", *map(str, paths)).data}
    assert sorted(shared.values()) == sorted(CHOSEN)
    north = Walk(open_page(page_of(swarm.peer("north"))), "north")
    north.table(shared, picture=False)
    south = Walk(open_page(page_of(swarm.peer("south"))), "south")
    for content, name in shared.items():
        south.fetch(content, name)
    south.table(shared, picture=False)
    for content, name in list(shared.items())[::3]:
        south.ask(content, name)
    assert [*north.ran, *south.ran, *north.broken, *south.broken] == []
    fetched = {path.name: path.read_bytes() for path in Path(swarm.peer("south").download_dir).iterdir()}
    assert fetched == {path.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize(("name", "named"), REFUSED.items())
def test_a_name_that_would_deceive_its_reader_is_refused_in_one_clear_line(swarm, tmp_path, name, named):
    (tmp_path / name).touch()
    line = swarm.cli("share", str(tmp_path / name), expect=2).err.strip()
    assert line.isprintable()
    assert "ERR_PATH" in line
    assert named in line
    assert "rename it" in line
