from __future__ import annotations

from blake3 import blake3

from experiments.material import write_material


def test_a_seed_gives_the_same_bytes_on_every_machine(tmp_path):
    write_material(tmp_path / "a", 3 * 2**20 + 17, seed=1)
    assert (tmp_path / "a").stat().st_size == 3 * 2**20 + 17
    digest = blake3((tmp_path / "a").read_bytes()).hexdigest()
    assert digest == "394a35d0d31d64b3ff6d32745d937e8e28bf45f718dea72abf659706b0ab67bb"


def test_a_shorter_file_of_a_seed_is_the_beginning_of_a_longer_one(tmp_path):
    write_material(tmp_path / "long", 2**20 + 100, seed=7)
    write_material(tmp_path / "short", 2**20 + 1, seed=7)
    assert (tmp_path / "long").read_bytes().startswith((tmp_path / "short").read_bytes())


def test_other_seeds_give_other_bytes(tmp_path):
    write_material(tmp_path / "one", 64, seed=1)
    write_material(tmp_path / "two", 64, seed=2)
    assert (tmp_path / "one").read_bytes() != (tmp_path / "two").read_bytes()


def test_an_empty_file_can_be_made(tmp_path):
    write_material(tmp_path / "empty", 0, seed=1)
    assert (tmp_path / "empty").read_bytes() == b""
