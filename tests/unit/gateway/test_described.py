"""The settings in words: every one of them, from the declarations, with where its value comes from."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bus.config import Loaded, load
from bus.readable import LimitsInForce
from gateway.described import Configured, SettingShown, SettingsShown, describe

UNSET_LIMITS = LimitsInForce("", 0, 0, False, False, 0, 0, [], None, False)


def configured(folder: Path, text: str, environ: dict[str, str] | None = None) -> Loaded:
    (folder / "config.yaml").write_text(text)
    return load(folder / "config.yaml", environ or {})


def described(
    loaded: Loaded, limits: LimitsInForce = UNSET_LIMITS, now: Loaded | None = None, begun: Loaded | None = None
) -> SettingsShown:
    begun = begun or loaded
    return describe(Configured("north", loaded, begun, lambda _: begun, begun is not loaded), now, "", limits)


def shown(
    loaded: Loaded, limits: LimitsInForce = UNSET_LIMITS, now: Loaded | None = None, begun: Loaded | None = None
) -> dict[str, SettingShown]:
    found = described(loaded, limits, now, begun)
    return {one.key: one for section in found.sections for one in section.settings}


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    text = "peers: [{name: north, web_port: 5000}, {name: south}]\ntransfer: {window: 4 MiB}\nlimits: {up: 1 MiB/s}\n"
    return configured(tmp_path, text, {"SHOAL__GATEWAY__THREADS": "9"})


def test_a_setting_is_told_with_what_it_does_may_be_and_is(loaded: Loaded) -> None:
    assert shown(loaded)["transfer.window"] == SettingShown(
        key="transfer.window",
        text="Bytes that one uploader may be ahead of what this peer has written: as many at least, more where its "
        "rate and distance need more, but never more than its share of `window_total`; "
        "by default at most `window_total`.",
        allowed="a size, 2 MiB to 16 GiB",
        default="16 MiB",
        value="4 MiB",
        amount=4 * 2**20,
        unit="bytes",
        origin="file",
        origin_name=str(loaded.file),
        live=False,
        variable="SHOAL__TRANSFER__WINDOW",
        control="size",
        choices=[],
        least=2 * 2**20,
        most=16 * 2**30,
        written="4 MiB",
        closed="",
        by_hand="the line window of the section transfer",
    )


def test_every_setting_is_there_and_no_other(loaded: Loaded) -> None:
    entry = {f"peers[].{name}" for name in ("name", "data_port", "web_port", "download_dir")}
    assert set(shown(loaded)) == set(loaded.as_flat()) - {"peers"} | entry
    assert all(one.text and one.allowed and one.value for one in shown(loaded).values())


def test_of_the_peers_only_this_ones_entry_is_told(loaded: Loaded) -> None:
    port = shown(loaded)["peers[].web_port"]
    assert (port.value, port.amount, port.origin, port.variable) == ("5000", 5000, "file", "")
    assert "south" not in msgspec.json.encode(list(shown(loaded).values())).decode()


def test_the_origin_says_which_layer_gave_the_value(loaded: Loaded) -> None:
    threads, level = shown(loaded)["gateway.threads"], shown(loaded)["logging.level"]
    assert (threads.value, threads.origin, threads.origin_name) == ("9", "environment", "SHOAL__GATEWAY__THREADS")
    assert (level.value, level.origin, level.origin_name) == ("info", "default", "")


def test_a_limit_that_was_set_while_it_runs_wins_and_only_limits_change_without_a_restart(loaded: Loaded) -> None:
    found = shown(loaded, LimitsInForce("", 5 * 2**20, 0, True, False, 5 * 2**20, 0, [], None, False))
    assert (found["limits.up"].value, found["limits.up"].origin) == ("5 MiB/s", "running")
    assert (found["limits.down"].value, found["limits.down"].origin) == ("unlimited", "default")
    assert [key for key, one in found.items() if one.live] == ["limits.up", "limits.down"]


def test_what_another_configuration_would_change_after_a_restart_is_said(tmp_path: Path, loaded: Loaded) -> None:
    now = configured(tmp_path, "peers: [{name: north, web_port: 5000}]\ntransfer: {window: 8 MiB}\n")
    found = shown(loaded, now=now)
    assert found["transfer.window"].after_restart == "8 MiB"
    assert found["limits.up"].after_restart == "unlimited"
    assert found["logging.level"].after_restart is msgspec.UNSET


def test_lists_are_written_as_in_the_file(tmp_path: Path) -> None:
    text = f"tracker: {{others: [{{endpoint: 'tcp://t:1', public_key: {'ab' * 32}}}]}}\npeers: [{{name: north}}]"
    found = shown(configured(tmp_path, text))
    assert found["tracker.others"].value == f"[{{endpoint: tcp://t:1, public_key: {'ab' * 32}}}]"
    assert found["limits.exempt_networks"].value == "[127.0.0.0/8, ::1/128]"


def test_without_a_file_it_is_said_where_one_would_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert described(load(None, {})).file == str(tmp_path / "config.yaml")


@pytest.mark.parametrize(
    ("key", "control", "choices", "least", "most"),
    [
        ("tracker.run", "switch", [], None, None),
        ("transfer.picker", "choice", ["random", "rarest-first", "sequential"], None, None),
        ("transfer.workers", "whole", [], 1, 16),
        ("reputation.alpha", "number", [], 0, 1),
        ("transfer.sync_bytes", "size", [], 2**20, 16 * 2**30),
        ("transfer.sync_interval", "duration", [], 0.001, 366 * 86400.0),
        ("limits.up", "rate", [], 0, None),
        ("network.bind", "text", [], None, None),
        ("gateway.folders", "list", [], None, None),
    ],
)
def test_how_a_setting_is_set_follows_from_its_type(loaded: Loaded, key, control, choices, least, most) -> None:
    one = shown(loaded)[key]
    assert (one.control, one.choices, one.least, one.most) == (control, choices, least, most)


def test_what_cannot_be_changed_here_says_why_and_where_it_can(loaded: Loaded) -> None:
    found = shown(loaded)
    assert found["transfer.window"].closed == ""
    assert found["security.access"].closed == "it decides who may connect"
    assert found["gateway.threads"].by_hand == "the line threads of the section gateway"
    slots = shown(load(loaded.file, {"SHOAL__TRANSFER__UPLOAD_SLOTS": "3"}))["transfer.upload_slots"]
    assert slots.closed == "it comes from the environment, SHOAL__TRANSFER__UPLOAD_SLOTS, which wins over the file"


def test_what_a_supervisor_only_repeats_is_the_files(loaded: Loaded) -> None:
    entries = '[{"name": "north", "web_port": 5000, "data_port": 7}]'
    told = load(loaded.file, {"SHOAL__PEERS": entries, "SHOAL__GATEWAY__THREADS": "9"})
    found = shown(told, begun=loaded)
    assert (found["peers[].web_port"].origin, found["peers[].data_port"].origin) == ("file", "environment")
    assert (found["peers[].data_port"].value, found["peers[].data_port"].written) == ("7", "0")
    assert all(one.after_restart is msgspec.UNSET for one in found.values())
    assert "shoal up" in described(told, begun=loaded).restart
    assert described(loaded).restart == "Stop `shoal peer north` and `shoal gateway north`, and start them again."
