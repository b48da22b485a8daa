"""Whatever is changed of the settings, and in whatever file: what was accepted is read, all else is as it was."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.config import Loaded, load
from bus.errors import ShoalError
from bus.schema import kind_at, read_value
from bus.settings import PeerSettings, Settings
from bus.wording import struct_of
from gateway.changing import Value, changed_content
from gateway.config_file import ConfigFile

HEADS = st.sampled_from(["", "# first\n", "---\n", "data_dir: var  # all of it\n\n"])
PEERS = st.sampled_from(
    [
        "peers:\n  # two of them\n  - name: north  # ours\n  - {name: south, data_port: 7}\n",
        "peers: [{name: south}, {name: north, data_port: 9}]  # here\n",
        "peers:\n- data_port: 3\n  name: north\n- name: south\n# no more\n",
        "# peers:\n",
    ]
)
SECTIONS = st.lists(
    st.sampled_from(
        [
            "transfer:\n  # how much\n  window: 4 MiB   # a little\n",
            "reputation:  # opinions\n#  alpha: 0.5\n",
            "network: {hwm: 9, bind: 127.0.0.1}  # near\n",
            "logging:\n    level: debug\n    # lines\n    format: text\n\n\n",
            "limits:\n  exempt_networks:\n    - 10.0.0.0/8  # ours\n",
            "events: {}\n",
            "tracker:\n  others:\n    - endpoint: tcp://t:1\n      public_key: " + "ab" * 32 + "\n  run: true\n",
        ]
    ),
    unique_by=lambda text: text.partition(":")[0],
    max_size=6,
)
JSON_FILE = '{"data_dir": "var", "peers": [{"name": "north"}], "transfer": {"window": "4 MiB"}}\n'
FILES = st.one_of(
    st.builds(lambda head, peers, rest: head + peers + "".join(rest), HEADS, PEERS, SECTIONS), st.just(JSON_FILE)
)
LINE_ENDS = st.sampled_from(["\n", "\r\n"])

SIZES = st.sampled_from(["1 MiB", "2 MiB", "8 MiB", "32 MiB", "64 MiB", 2**23, "much"])
CHANGES: st.SearchStrategy[tuple[str, Value]] = st.one_of(
    st.tuples(st.sampled_from(["transfer.window", "transfer.window_total", "transfer.min_free_disk"]), SIZES),
    st.tuples(st.just("transfer.picker"), st.sampled_from(["random", "sequential", "none", "no"])),
    st.tuples(st.just("transfer.choker"), st.sampled_from(["none", "reputation"])),
    st.tuples(st.sampled_from(["reputation.alpha", "reputation.soft_floor"]), st.floats(-0.1, 1.1)),
    st.tuples(st.sampled_from(["network.idle_ping", "network.link_timeout"]), st.sampled_from(["500 ms", 7, 20.5])),
    st.tuples(st.just("limits.up"), st.sampled_from(["unlimited", "2 MiB/s", 5])),
    st.tuples(st.just("logging.level"), st.sampled_from(["debug", "info", "loud"])),
    st.tuples(st.just("events.progress_interval"), st.sampled_from(["1 s", 0])),
    st.tuples(st.just("peers[].data_port"), st.integers(-1, 10)),
    st.tuples(st.sampled_from(["security.access", "gateway.host", "data_dir"]), st.just("open")),
)
PATCHES = st.lists(st.lists(CHANGES, min_size=1, max_size=3).map(dict), max_size=6)


def values_of(loaded: Loaded, peer: str) -> dict[str, object]:
    own = msgspec.to_builtins(next((one for one in loaded.settings.peers if one.name == peer), None)) or {}
    return {**loaded.as_flat(), **{f"peers[].{name}": value for name, value in own.items()}}


def as_read(key: str, value: Value) -> object:
    """What the configuration makes of a value that stands in it."""
    root = PeerSettings if key.startswith("peers[].") else Settings
    return read_value(kind_at(struct_of(root), key.removeprefix("peers[].")), key, value)


def comments_of(text: str) -> list[str]:
    """No value of these files has this sign in it."""
    return [line[line.index("#") :].strip() for line in text.splitlines() if "#" in line]


@settings(max_examples=50)
@given(FILES, LINE_ENDS, PATCHES)
def test_a_file_holds_exactly_what_was_accepted_and_refusals_change_no_byte(text, line_end, patches):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_bytes(text.replace("\n", line_end).encode())
        comments = comments_of(text)
        for patch in patches:
            before, content = load(path, {}), path.read_bytes()
            with ConfigFile(path) as file:
                try:
                    changed = changed_content(file.content, patch, "north", path, before)
                    load(path, {}, content=changed)
                except ShoalError:
                    assert path.read_bytes() == content
                    continue
                file.replace(changed)
            after = values_of(load(path, {}), "north")
            expected = values_of(before, "north") | {key: as_read(key, value) for key, value in patch.items()}
            if before.origins["transfer.window"] == "default" and "transfer.window" not in patch:
                expected["transfer.window"] = after["transfer.window"]  # by default at most window_total
            if "peers[].data_port" in patch:
                expected["peers"] = after["peers"]
            assert after == expected
            assert comments_of(path.read_text()) == comments
            assert len(load(path, {}).settings.peers) == len(before.settings.peers)
