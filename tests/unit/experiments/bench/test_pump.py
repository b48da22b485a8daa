"""The pump is what Shoal is measured by, so it must really move, check and write."""

from __future__ import annotations

import pytest

from bus.errors import ERR_FAILURE, ShoalError
from experiments.bench.pump import MESSAGE, digests_of, pump
from experiments.material import write_material


@pytest.mark.parametrize("size", [1, 40 * MESSAGE + 17])
def test_the_pump_moves_a_file_whole(tmp_path, size):
    write_material(tmp_path / "source", size, seed=3)
    (tmp_path / "digests").write_bytes(digests_of(tmp_path / "source"))
    pumped = pump(tmp_path / "source", tmp_path / "digests", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == (tmp_path / "source").read_bytes()
    assert pumped.seconds > 0
    assert min(pumped.sender.peak_bytes, pumped.receiver.peak_bytes) > MESSAGE


def test_the_pump_checks_what_it_moves(tmp_path, capfd):
    write_material(tmp_path / "source", 3 * MESSAGE, seed=3)
    digests = bytearray(digests_of(tmp_path / "source"))
    digests[40] ^= 1
    (tmp_path / "digests").write_bytes(digests)
    with pytest.raises(ShoalError, match="the pump broke") as raised:
        pump(tmp_path / "source", tmp_path / "digests", tmp_path / "target")
    assert raised.value.code == ERR_FAILURE
    assert "message 1 of the pump does not match its digest" in capfd.readouterr().err
    assert not (tmp_path / "target").exists()
