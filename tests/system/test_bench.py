"""`make bench` from end to end, small: real processes, and only what the project itself installs."""

from __future__ import annotations

import msgspec
import pytest

from experiments.bench.command import run
from experiments.bench.records import Result

pytestmark = pytest.mark.system


def bench(folder, *arguments):
    output, disk = folder / "out", folder / "disk"
    rooms = ["--ram-disk", str(disk), "--disk", str(disk), "-o", str(output)]
    disk.mkdir()
    run([*arguments, "--rounds", "1", "--no-warm-up", *rooms])
    assert not any(disk.iterdir())
    return output, msgspec.json.decode((output / "bench.json").read_bytes(), type=list[Result])


@pytest.mark.parametrize(
    ("arguments", "contenders"),
    [
        ("--cases four --size 3MiB", "shoal,pump-curve,sendfile,libtorrent"),
        ("--cases small --files 20", "shoal"),
        ("--cases share --size 1MiB", "shoal"),
        ("--cases swarm --leechers 2 --size 512KiB", "shoal,libtorrent"),
        ("--cases sources --size 512KiB", "shoal"),
        ("--cases memory --size 1MiB", "shoal-8MiB"),
        ("--cases busy --size 256MiB", "shoal"),
        ("--cases busy --size 256MiB", "shoal-sharing"),
        ("--cases limits --size 1MiB", "up-content"),
    ],
    ids=lambda value: value.split()[1] if value.startswith("--") else "",
)
def test_a_case_runs_from_end_to_end(tmp_path, arguments, contenders):
    output, (result,) = bench(tmp_path, *arguments.split(), "--contenders", contenders)
    assert [(entry.name, entry.absent) for entry in result.entries] == [(name, "") for name in contenders.split(",")]
    for entry in result.entries:
        assert entry.runs[0].seconds > 0
        assert entry.runs[0].peak_bytes > 0
    assert {path.name for path in output.iterdir()} == {"bench.json", "bench.md", "bench.svg"}
