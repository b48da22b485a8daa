from pathlib import Path

import pytest

from bus.errors import ShoalError
from experiments.cast import CAST, Member, read_cast, write_cast

MEMBERS = [
    Member("seed-1", ["0" * 64], "seeds", complete=True, up=2**20),
    Member("cheat-1", ["1" * 64, "2" * 64], "cheats", behaviour="whitewasher", arrives=1.5),
]


def test_a_cast_that_was_written_is_read_again(tmp_path: Path):
    write_cast(tmp_path, MEMBERS)
    assert read_cast(tmp_path) == MEMBERS


@pytest.mark.parametrize("content", [None, b"", b"[{}]"])
def test_what_is_no_cast_is_refused_in_one_line(tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / CAST).write_bytes(content)
    with pytest.raises(ShoalError, match=r"is no cast of an experiment") as raised:
        read_cast(tmp_path)
    assert "\n" not in str(raised.value)
