"""The limits are what Shoal is measured by, so they must really move, check and write."""

from __future__ import annotations

import pytest

from bus.errors import ERR_FAILURE, ShoalError
from experiments.bench.pump import Pump
from experiments.bench.sendfile import Sendfile
from experiments.bench.transferring import TransferJob
from experiments.bench.writers import MESSAGE, digests_of
from experiments.material import write_material

LIMITS = [Pump(encrypted=True), Pump(encrypted=False), Sendfile()]


def job_of(folder, size, receivers=1):
    source, digests = folder / "source", folder / "digests"
    write_material(source, size, seed=3)
    digests.write_bytes(digests_of(source))
    return TransferJob(source, size, receivers, digests)


def work_in(folder):
    work = folder / "work"
    work.mkdir()
    return work


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
@pytest.mark.parametrize(("size", "receivers"), [(1, 1), (40 * MESSAGE + 17, 2)])
def test_a_limit_moves_a_file_whole_to_everybody(tmp_path, limit, size, receivers):
    job, work = job_of(tmp_path, size, receivers), work_in(tmp_path)
    run = limit.run(job, work)
    for number in range(receivers):
        assert (work / f"received{number}").read_bytes() == job.source.read_bytes()
    assert run.seconds > 0
    assert [part.role for part in run.parts] == ["sender", *["receiver"] * receivers]
    assert min(part.usage.peak_bytes for part in run.parts) > MESSAGE


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_a_limit_checks_what_it_moves(tmp_path, limit):
    job, work = job_of(tmp_path, 3 * MESSAGE), work_in(tmp_path)
    assert job.digests is not None
    digests = bytearray(job.digests.read_bytes())
    digests[40] ^= 1
    job.digests.write_bytes(digests)
    with pytest.raises(ShoalError, match="message 1 does not match its digest") as raised:
        limit.run(job, work)
    assert raised.value.code == ERR_FAILURE
    assert not (work / "received0").exists()
