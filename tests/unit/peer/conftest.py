"""Two peers' disks, for whoever shares with one and downloads with the other."""

from __future__ import annotations

import pytest

from tests.kit.storing import Disk


@pytest.fixture
def seed(tmp_path):
    with Disk(tmp_path, "north") as disk:
        yield disk


@pytest.fixture
def south(tmp_path):
    with Disk(tmp_path, "south") as disk:
        yield disk
