"""What the configuration means for others: what they are told of where trackers are."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import inspect

from bus.config import load
from bus.identity import Identity
from bus.places import TrackerPlaces
from bus.settings import TransferSettings
from peer.assembly import link_trackers, node_settings, tracker_addresses
from peer.core.choker import CHOKERS
from peer.core.picker import PICKERS
from peer.core.settings import NodeSettings, TrackerAddress

KEY = "ab" * 32


def named(tmp_path: Path, listen: str, addresses: tuple[str, ...], advertise: tuple[str, ...] = ()) -> str:
    """The tracker endpoint in a link, when the peers here reach their tracker over loopback."""
    config = tmp_path / "config.yaml"
    config.write_text(f"tracker: {{run: true, listen: 'tcp://{listen}:5570'}}\n")
    settings = NodeSettings(
        peer="cd" * 32,
        name="north",
        software="shoal",
        download_dir="/",
        data_port=1,
        loopback=False,
        addresses=addresses,
        advertise=advertise,
        trackers=(TrackerAddress("tcp://127.0.0.1:5570", KEY),),
    )
    return link_trackers(load(config, {}), settings)[0].endpoint


@pytest.mark.parametrize(
    ("listen", "addresses", "advertise", "endpoint"),
    [
        ("127.0.0.1", ("192.168.1.7",), (), "tcp://127.0.0.1:5570"),
        ("0.0.0.0", ("192.168.1.7",), (), "tcp://192.168.1.7:5570"),
        ("0.0.0.0", ("fd00::7",), (), "tcp://[fd00::7]:5570"),
        ("0.0.0.0", ("192.168.1.7",), ("example.org:9000",), "tcp://example.org:5570"),
        ("0.0.0.0", (), (), "tcp://127.0.0.1:5570"),
    ],
)
def test_a_link_names_the_local_tracker_by_an_address_that_others_can_dial(
    tmp_path: Path, listen: str, addresses: tuple[str, ...], advertise: tuple[str, ...], endpoint: str
) -> None:
    assert named(tmp_path, listen, addresses, advertise) == endpoint


def test_a_tracker_that_listens_on_all_addresses_is_dialled_on_loopback(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("tracker: {run: true, listen: 'tcp://*:5570'}\n")
    (found,) = tracker_addresses(load(config, {}, tmp_path / "empty"))
    assert found.endpoint == "tcp://127.0.0.1:5570"


def test_a_peer_that_starts_before_its_tracker_ever_did_knows_it(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("tracker: {run: true, listen: 'tcp://127.0.0.1:5570'}\n")
    loaded = load(config, {}, tmp_path / "empty")
    (found,) = tracker_addresses(loaded)
    tracker = Identity.load_or_create(TrackerPlaces(loaded.base_dir).identity_file)
    assert found == TrackerAddress("tcp://127.0.0.1:5570", tracker.peer_id)
    config.write_text("tracker: {run: true, listen: 'tcp://127.0.0.1:0'}\n")
    assert tracker_addresses(load(config, {}, tmp_path / "empty")) == ()


@pytest.mark.parametrize(("key", "classes"), [("picker", PICKERS), ("choker", CHOKERS)])
def test_the_names_of_policies_in_the_configuration_are_those_of_classes(key: str, classes: dict[str, type]) -> None:
    info = inspect.type_info(TransferSettings)
    assert isinstance(info, inspect.StructType)
    (kind,) = [field.type for field in info.fields if field.name == key]
    assert isinstance(kind, inspect.LiteralType)
    assert set(kind.values) == set(classes)
    assert getattr(TransferSettings(), key) in classes


def test_limits_and_policies_reach_the_core(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("transfer: {picker: random, choker: round-robin}\nlimits: {up: 1 MiB/s, down: 2 MiB/s}\n")
    loaded = load(config, {})
    told = node_settings(loaded, "north", Identity(b"n" * 32).peer_id, str(tmp_path), 1)
    assert (told.picker, told.choker, told.limit_up, told.limit_down) == ("random", "round-robin", 2**20, 2 * 2**20)
