"""Settings carried over into the text of the configuration file, and why some are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.config import Loaded, load
from bus.errors import ERR_CONFIG, ERR_REFUSED, ERR_STATE, ShoalError
from bus.settings import Settings
from gateway.changeable import why_closed
from gateway.changing import Value, changed_content

TEXT = """\
data_dir: var
peers:
  - name: north  # ours
    data_port: 7
  - name: south
transfer:
  window: 4 MiB
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    (tmp_path / "config.yaml").write_text(TEXT)
    return load(tmp_path / "config.yaml", {})


def change(loaded: Loaded, patch: dict[str, Value], content: bytes = TEXT.encode(), peer: str = "north") -> bytes:
    assert loaded.file is not None
    return changed_content(content, patch, peer, loaded.file, loaded)


def refusal(loaded: Loaded, patch: dict[str, Value], **given) -> tuple[str, str]:
    with pytest.raises(ShoalError) as refused:
        change(loaded, patch, **given)
    return refused.value.code, refused.value.message


def test_shared_settings_and_those_of_this_peer_go_where_they_belong(loaded: Loaded) -> None:
    patch: dict[str, Value] = {"transfer.window": "8 MiB", "peers[].data_port": 9}
    assert change(loaded, patch).decode() == TEXT.replace("4 MiB", "8 MiB").replace("7", "9")
    south = change(loaded, {"peers[].data_port": 9}, peer="south").decode()
    assert south == TEXT.replace("name: south", "name: south\n    data_port: 9")


def test_a_byte_order_mark_stays(loaded: Loaded) -> None:
    content = b"\xef\xbb\xbf" + TEXT.encode()
    assert change(loaded, {"transfer.window": "8 MiB"}, content) == content.replace(b"4 MiB", b"8 MiB")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("transfer.windwo", 1, "transfer.windwo: unknown key; did you mean transfer.window?"),
        ("peers[].port", 1, "port: unknown key; did you mean web_port?"),
        ("transfer.workers", 17, "transfer.workers: expected a whole number from 1 to 16, found 17"),
        ("transfer.workers", True, "transfer.workers: expected a whole number from 1 to 16, found true"),
        ("transfer.picker", "best", "transfer.picker: expected random, rarest-first or sequential, found 'best'"),
        ("transfer.window", "8 MiB\ngateway: {}", "found '8 MiB\\ngateway: {}'"),
    ],
)
def test_what_a_start_would_not_take_is_refused_in_its_words(loaded: Loaded, key, value, message) -> None:
    code, found = refusal(loaded, {key: value})
    assert (code, message in found) == (ERR_CONFIG, True), found


@pytest.mark.parametrize(
    "key",
    [
        "data_dir", "security.access", "security.encryption", "security.allow", "gateway.host", "gateway.password_file",
        "gateway.folders", "gateway.allowed_hosts", "gateway.upload_max", "gateway.threads", "network.bind",
        "network.advertise", "tracker.endpoint", "tracker.public_key", "tracker.run", "limits.exempt_networks", "peers",
        "peers[].name", "peers[].web_port", "peers[].download_dir", "events.heartbeat", "security", "transfer",
    ],
)  # fmt: skip
def test_what_would_widen_the_reach_of_a_page_is_refused_with_where_to_change_it(loaded: Loaded, key: str) -> None:
    code, message = refusal(loaded, {"transfer.window": "8 MiB", key: "x"})
    assert code == ERR_REFUSED
    assert message.startswith(f"no page may change {key}: it decides") or key in ("events.heartbeat", "transfer")
    assert f"in {loaded.file} by hand" in message


def test_a_setting_is_closed_until_it_is_named() -> None:
    keys = load(None, {}).as_flat()
    assert why_closed("transfer.window") == why_closed("logging.level") == ""
    assert why_closed("new.setting") == "it is not among those it may change"
    assert {key.partition(".")[0] for key in keys if not why_closed(key)} == {
        "transfer", "reputation", "logging", "limits", "network", "events",
    }  # fmt: skip
    assert set(Settings.__struct_fields__) >= {key.partition(".")[0] for key in keys}


def test_what_is_stronger_than_the_file_is_named(loaded: Loaded) -> None:
    stronger = load(loaded.file, {"SHOAL__TRANSFER__WINDOW": "2 MiB"}, overrides={"logging.level": "debug"})
    code, message = refusal(stronger, {"transfer.window": "8 MiB"})
    assert (code, "the environment, SHOAL__TRANSFER__WINDOW, which wins over the file" in message) == (ERR_STATE, True)
    assert "the command line" in refusal(stronger, {"logging.level": "info"})[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("transfer: ~\n", "the line window of the section transfer would say 8 MiB"),
        ("transfer: [\n", "line 2, column 1"),
        ("a: \xff", "expected UTF-8 text"),
    ],
)
def test_a_file_of_another_form_is_left_to_its_owner(loaded: Loaded, text: str, message: str) -> None:
    code, found = refusal(loaded, {"transfer.window": "8 MiB"}, content=text.encode("latin-1"))
    assert (code, message in found, "by hand" in found) == (ERR_STATE, True, True), found


def test_a_peer_that_the_file_does_not_name_is_told_so(loaded: Loaded) -> None:
    code, message = refusal(loaded, {"peers[].data_port": 9}, peer="peer-3")
    assert (code, message.partition(" has ")[2]) == (
        ERR_STATE, "no entry for the peer peer-3; add one below peers by hand, then start again",
    )  # fmt: skip
