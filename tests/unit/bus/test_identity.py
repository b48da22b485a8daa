"""Keys: what they are, and every file that is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from bus.errors import ERR_KEY_FILE, ShoalError
from bus.identity import PUBLISHED_PUBLIC, PUBLISHED_SECRET, SEED_SIZE, Identity, z85_of
from tests.kit.curve import is_a_pair, raw


def test_the_peer_id_is_the_curve_public_key_in_hex():
    identity = Identity(b"s" * SEED_SIZE)
    assert identity.peer_id == raw(identity.curve_public).hex()
    assert z85_of(identity.peer_id) == identity.curve_public
    assert is_a_pair(identity.curve_public, identity.curve_secret)


def test_the_conversion_from_ed25519_is_the_standard_one():
    # RFC 8032, section 7.1, test 1: its secret seed and public key; the CURVE key is libsodium's conversion of both.
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    signing = SigningKey(seed)
    assert bytes(signing.verify_key).hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert Identity(seed).peer_id == bytes(signing.verify_key.to_curve25519_public_key()).hex()
    assert Identity(seed).peer_id == "d85e07ec22b0ad881537c2f44d662d1a143cf830c57aca4305d85c7a90f6b62e"


def test_a_file_is_made_once_for_its_owner_only_whatever_the_umask(tmp_path: Path):
    path = tmp_path / "identity.key"
    before = os.umask(0)
    try:
        first = Identity.load_or_create(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == SEED_SIZE
    assert Identity.load_or_create(path).peer_id == first.peer_id
    assert os.listdir(tmp_path) == ["identity.key"]
    assert Identity.load_or_create(tmp_path / "other.key").peer_id != first.peer_id


def test_the_text_form_of_an_identity_does_not_show_its_secret():
    identity = Identity(b"s" * SEED_SIZE)
    assert identity.curve_secret.decode() not in repr(identity)


def refused(path: Path) -> str:
    with pytest.raises(ShoalError) as raised:
        Identity.load_or_create(path)
    assert raised.value.code == ERR_KEY_FILE
    assert str(path) in raised.value.message
    assert "\n" not in raised.value.message
    return raised.value.message


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o644, 0o601])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int):
    path = tmp_path / "identity.key"
    Identity.load_or_create(path)
    path.chmod(mode)
    assert f"mode {mode:04o}, expected 0600" in refused(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode  # it is said, not mended


@pytest.mark.parametrize("size", [0, 31, 33, 64, 100_000])
def test_a_file_of_another_size_is_refused_and_kept(tmp_path: Path, size: int):
    path = tmp_path / "identity.key"
    path.touch(mode=0o600)
    path.write_bytes(bytes(size))
    assert "has not 32 bytes" in refused(path)
    assert path.stat().st_size == size


@pytest.mark.parametrize("secret", PUBLISHED_SECRET)
def test_a_published_test_key_is_refused(tmp_path: Path, secret: bytes):
    path = tmp_path / "identity.key"
    path.touch(mode=0o600)
    path.write_bytes(raw(secret))
    assert "a test key printed in ZeroMQ's manual" in refused(path)


def test_the_published_test_keys_are_the_pairs_of_the_manual():
    assert all(is_a_pair(public, secret) for public, secret in zip(PUBLISHED_PUBLIC, PUBLISHED_SECRET, strict=True))


def test_a_link_a_folder_and_a_pipe_are_no_key_file(tmp_path: Path):
    Identity.load_or_create(tmp_path / "real.key")
    (tmp_path / "link.key").symlink_to("real.key")
    assert "cannot be opened" in refused(tmp_path / "link.key")
    (tmp_path / "folder.key").mkdir()
    assert "it is no plain file" in refused(tmp_path / "folder.key")
    os.mkfifo(tmp_path / "pipe.key", 0o600)
    assert "it is no plain file" in refused(tmp_path / "pipe.key")


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path):
    assert "it cannot be made (No such file or directory)" in refused(tmp_path / "no" / "identity.key")
