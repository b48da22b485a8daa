from __future__ import annotations

import ast
import os
import re
import socket
from pathlib import Path

import pytest

import bus.settings
from bus.config import load
from bus.errors import ERR_CONFIG, ERR_NOT_FOUND, ShoalError
from bus.settings import OtherTracker, PeerSettings, Settings, peer_name_of

CHECKOUT = Path(__file__).parents[3]
KEY = "0123456789abcdef" * 4
SIZE = "a size such as 64 KiB, 10 MiB or 1 GB, or a whole number of bytes"
RATE = "a rate such as 10 MiB/s, a whole number of bytes a second, or unlimited"
DURATION = "a duration such as 500 ms, 90 s, 5 min, 1 h or 7 d, or a number of seconds"


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load_text(text: str, environ: dict[str, str] | None = None):
    Path("config.yaml").write_text(text)
    return load(None, environ or {})


def error_of(*args, **kwargs) -> str:
    with pytest.raises(ShoalError) as caught:
        load(*args, **kwargs)
    assert caught.value.code == ERR_CONFIG
    assert caught.value.message.isprintable()
    return caught.value.message


# --- what is wrong in a file ---------------------------------------------------------------

FILE_ERRORS = [
    # unknown keys
    ("netwrk: {}", "netwrk: unknown key; did you mean network?"),
    ("network: {hmw: 1}", "network.hmw: unknown key; did you mean network.hwm?"),
    ("hwm: 1", "hwm: unknown key; did you mean network.hwm?"),
    ("transfer: {hwm: 1}", "transfer.hwm: unknown key; did you mean network.hwm?"),
    ("limits: {window: 8 MiB}", "limits.window: unknown key; did you mean transfer.window?"),
    ("limits: {zzz: 1}", "limits.zzz: unknown key; expected one of up, down, exempt_networks"),
    ("limits: {1: 1}", "limits.1: unknown key; expected one of up, down, exempt_networks"),
    ("limits: {'': 1}", "limits.'': unknown key; expected one of up, down, exempt_networks"),
    ('limits: {"a\\nb": 1}', "limits.'a\\nb': unknown key; expected one of up, down, exempt_networks"),
    ("Network: {}", "Network: unknown key; did you mean network?"),
    ("peers: [{name: a, port: 1}]", "peers[0].port: unknown key; did you mean peers[0].web_port?"),
    ("peers: [{name: a}, {nam: b}]", "peers[1].nam: unknown key; did you mean peers[1].name?"),
    # wrong types
    ("- a", "expected a map of settings, found a list"),
    ("just words", "expected a map of settings, found 'just words'"),
    ("network: 5", "network: expected a map of settings, found 5"),
    ("network: [hwm]", "network: expected a map of settings, found a list"),
    ("tracker: {run: 1}", "tracker.run: expected true or false, found 1"),
    ("tracker: {run: 'true'}", "tracker.run: expected true or false, found 'true'"),
    ("tracker: {run: }", "tracker.run: expected true or false, found nothing"),
    ("network: {hwm: many}", "network.hwm: expected a whole number from 1 to 100,000, found 'many'"),
    ("network: {hwm: 1.5}", "network.hwm: expected a whole number from 1 to 100,000, found 1.5"),
    ("network: {hwm: true}", "network.hwm: expected a whole number from 1 to 100,000, found true"),
    ("network: {hwm: }", "network.hwm: expected a whole number from 1 to 100,000, found nothing"),
    ("reputation: {alpha: half}", "reputation.alpha: expected a number above 0, at most 1, found 'half'"),
    ("reputation: {alpha: .nan}", "reputation.alpha: expected a number above 0, at most 1, found nan"),
    ("logging: {level: loud}", "logging.level: expected debug, error, info or warning, found 'loud'"),
    ("logging: {format: [text]}", "logging.format: expected json or text, found a list"),
    ("security: {access: no}", "security.access: expected open or private, found false"),
    ("data_dir: 5", "data_dir: expected a path, found 5"),
    ('data_dir: ""', "data_dir: expected a path, found ''"),
    ("gateway: {password_file: 1}", 'gateway.password_file: expected a path or "", found 1'),
    ("transfer: {picker: rarest}", "transfer.picker: expected random, rarest-first or sequential, found 'rarest'"),
    (
        "transfer: {choker: tit-for-tat}",
        "transfer.choker: expected none, reciprocity, reputation or round-robin, found 'tit-for-tat'",
    ),
    ("peers: north", "peers: expected a list, found 'north'"),
    ("peers: {name: north}", "peers: expected a list, found a map"),
    ("peers: [north]", "peers[0]: expected a map of settings, found 'north'"),
    ("limits: {exempt_networks: 10.0.0.0/8}", "limits.exempt_networks: expected a list, found '10.0.0.0/8'"),
    # quantities
    ("transfer: {window: 8 MB/s}", f"transfer.window: expected {SIZE}, found '8 MB/s'"),
    ("transfer: {window: -1}", f"transfer.window: expected {SIZE}, found -1"),
    ("transfer: {min_free_disk: 10 percent}", f"transfer.min_free_disk: expected {SIZE}, found '10 percent'"),
    ("limits: {up: 2 MiB}", f"limits.up: expected {RATE}, found '2 MiB'"),
    ("limits: {down: fast}", f"limits.down: expected {RATE}, found 'fast'"),
    ("tracker: {lease: 5 weeks}", f"tracker.lease: expected {DURATION}, found '5 weeks'"),
    ("events: {heartbeat: [1 s]}", f"events.heartbeat: expected {DURATION}, found a list"),
    # ranges
    ("network: {hwm: 0}", "network.hwm: expected a whole number from 1 to 100,000, found 0"),
    ("network: {hwm: 100001}", "network.hwm: expected a whole number from 1 to 100,000, found 100001"),
    ("transfer: {links: 1301}", "transfer.links: expected a whole number from 1 to 1,300, found 1301"),
    ("transfer: {window: 1 MiB}", "transfer.window: expected a size from 2 MiB to 16 GiB, found '1 MiB'"),
    ("transfer: {window_total: 1}", "transfer.window_total: expected a size from 2 MiB to 16 GiB, found 1"),
    (
        "transfer: {data_message_max: 2 MiB}",
        "transfer.data_message_max: expected a size from 16 KiB to 1 MiB, found '2 MiB'",
    ),
    ("transfer: {workers: 17}", "transfer.workers: expected a whole number from 1 to 16, found 17"),
    ("tracker: {reply_peers: 51}", "tracker.reply_peers: expected a whole number from 1 to 50, found 51"),
    ("reputation: {alpha: 0}", "reputation.alpha: expected a number above 0, at most 1, found 0"),
    ("reputation: {timed_out: 0.1}", "reputation.timed_out: expected a number from -1 to 0, found 0.1"),
    ("reputation: {upload_unit: 1 KiB}", "reputation.upload_unit: expected a size of at least 64 KiB, found '1 KiB'"),
    ("events: {heartbeat: 0}", "events.heartbeat: expected a duration from 1 ms to 366 d, found 0"),
    ("peers: [{name: a, web_port: 65536}]", "peers[0].web_port: expected a whole number from 0 to 65,535, found 65536"),
    # addresses, keys, names
    (
        "tracker: {listen: 127.0.0.1:5570}",
        "tracker.listen: expected tcp://HOST:PORT with a port from 0 (any free) to 65535, found '127.0.0.1:5570'",
    ),
    (
        "tracker: {listen: 'tcp://127.0.0.1:70000'}",
        "tracker.listen: expected tcp://HOST:PORT with a port from 0 (any free) to 65535, found 'tcp://127.0.0.1:70000'",
    ),
    (
        "tracker: {endpoint: 'tcp://10.0.0.1:0'}",
        "tracker.endpoint: expected tcp://HOST:PORT with a port from 1 to 65535, or \"\", found 'tcp://10.0.0.1:0'",
    ),
    (
        "tracker: {public_key: abc}",
        "tracker.public_key: expected 64 lower-case hex digits or \"\", found 'abc'",
    ),
    (
        "tracker: {others: [{endpoint: 'tcp://a:1'}]}",
        "tracker.others[0].public_key: expected 64 lower-case hex digits, found nothing",
    ),
    (
        f"tracker: {{others: [{{public_key: {KEY}}}]}}",
        "tracker.others[0].endpoint: expected tcp://HOST:PORT with a port from 1 to 65535, found nothing",
    ),
    (
        f"security: {{allow: [{KEY}, {KEY.upper()}]}}",
        f"security.allow[1]: expected 64 lower-case hex digits, found '{KEY.upper()[:59]}...",
    ),
    (
        "network: {bind: everywhere}",
        "network.bind: expected an IP address of this machine, such as 127.0.0.1 or 0.0.0.0, found 'everywhere'",
    ),
    (
        "network: {advertise: [example.org]}",
        "network.advertise[0]: expected HOST:PORT with a port from 1 to 65535, found 'example.org'",
    ),
    (
        "limits: {exempt_networks: [10.0.0.0/8, 10.0.0.1]}",
        "limits.exempt_networks[1]: expected a network such as 192.168.0.0/16, with no bits behind its prefix, "
        "found '10.0.0.1'",
    ),
    (
        "limits: {exempt_networks: [10.0.0.1/8]}",
        "limits.exempt_networks[0]: expected a network such as 192.168.0.0/16, with no bits behind its prefix, "
        "found '10.0.0.1/8'",
    ),
    (
        "gateway: {allowed_hosts: ['http://example.org']}",
        "gateway.allowed_hosts[0]: expected HOST or HOST:PORT, found 'http://example.org'",
    ),
    (
        "peers: [{name: North}]",
        "peers[0].name: expected 1 to 32 of a-z, 0-9, _ and -, the first a letter or digit, found 'North'",
    ),
    (
        "peers: [{name: ../x}]",
        "peers[0].name: expected 1 to 32 of a-z, 0-9, _ and -, the first a letter or digit, found '../x'",
    ),
    (
        "peers: [{web_port: 5000}]",
        "peers[0].name: expected 1 to 32 of a-z, 0-9, _ and -, the first a letter or digit, found nothing",
    ),
    # settings that contradict each other, or this version
    ("peers: [{name: a}, {name: a}]", "peers: expected a name of its own for each peer, found 'a' twice"),
    (
        "peers: [{name: a, data_port: 5000}, {name: b, web_port: 5000}]",
        "peers: expected a port of its own for each use, found 5000 in peers[0].data_port and peers[1].web_port",
    ),
    (
        "tracker: {run: true}\npeers: [{name: a, data_port: 5570}]",
        "peers: expected a port of its own for each use, found 5570 in tracker.listen and peers[0].data_port",
    ),
    (
        "security: {encryption: false, access: private}",
        "security.encryption: expected security.encryption: true beside security.access: private, found false: "
        "who is on the network could take over a link in clear text; set one of the two otherwise",
    ),
    (
        "gateway: {host: 0.0.0.0}",
        "gateway.host: expected a loopback address such as 127.0.0.1, found '0.0.0.0': a page that other machines "
        "reach needs a password; set gateway.password_file",
    ),
    (
        "gateway: {host: files.example.org}",
        "gateway.host: expected a loopback address such as 127.0.0.1, found 'files.example.org': a page that other "
        "machines reach needs a password; set gateway.password_file",
    ),
    (
        "tracker: {endpoint: 'tcp://10.0.0.1:5570'}",
        "tracker.endpoint: expected tracker.public_key beside it, found nothing: a peer needs both to reach a tracker "
        "elsewhere",
    ),
    (
        f"tracker: {{public_key: {KEY}}}",
        "tracker.public_key: expected tracker.endpoint beside it, found nothing: a peer needs both to reach a tracker "
        "elsewhere",
    ),
    (
        "transfer: {window: 64 MiB}",
        "transfer.window: expected transfer.window at most transfer.window_total, found 64 MiB and 32 MiB",
    ),
    (
        "transfer: {window: 8 MiB, window_total: 4 MiB}",
        "transfer.window: expected transfer.window at most transfer.window_total, found 8 MiB and 4 MiB",
    ),
    (
        "transfer: {links: 10}",
        "transfer.links: expected transfer.links_per_content at most transfer.links, found 30 and 10",
    ),
    ("tracker: {lease: 30 s}", "tracker.lease: expected tracker.renew under tracker.lease, found 30 s and 30 s"),
    (
        "network: {idle_ping: 1 min}",
        "network.idle_ping: expected network.idle_ping under network.link_timeout, found 1 min and 15 s",
    ),
    (
        "reputation: {soft_floor: 0.1}",
        "reputation.soft_floor: expected reputation.refuse_below at most reputation.soft_floor, found 0.2 and 0.1",
    ),
    (
        "reputation: {ban_first: 2 d}",
        "reputation.ban_first: expected reputation.ban_first at most reputation.ban_longest, found 2 d and 1 d",
    ),
    # not YAML, or not the YAML that is read here
    ("network: {hwm: 1}\nnetwork: {}", "line 2, column 1: 'network' stands twice"),
    ("network:\n  hwm: 1\n  hwm: 2", "line 3, column 3: 'hwm' stands twice"),
    ("a: b: c", "line 1, column 5: mapping values are not allowed here"),
    (
        "network: {hwm: 1",
        "line 1, column 17: while parsing a flow mapping, expected ',' or '}', but got '<stream end>'",
    ),
    ("a: 1\n---\nb: 2", "line 2, column 1: expected a single document in the stream, but found another document"),
    ("network: &n {hwm: 1}", "line 1, column 10: aliases (& and *) are not used here"),
    ("network: *n", "line 1, column 10: aliases (& and *) are not used here"),
    (
        "!!python/object/apply:os.system [reboot]",
        "line 1, column 1: tags (tag:yaml.org,2002:python/object/apply:os.system) are not used here",
    ),
    ("[a, b]: 1", "line 1, column 1: a key must be a word"),
    (
        "<<: {data_dir: x}",
        "<<: unknown key; expected one of data_dir, tracker, peers, network, security, transfer, "
        "limits, reputation, gateway, events, logging",
    ),
    ("data_dir: \x07", "expected text, found the character U+0007"),
    ("[" * 100_000, "expected a few levels of YAML, found hundreds"),
    ("# " + "x" * 2**20, "expected at most 1 MiB of YAML, found more"),
]


@pytest.mark.parametrize(("text", "expected"), FILE_ERRORS)
def test_error_in_the_file_names_file_and_key_and_what_was_expected_and_found(tmp_path, text, expected):
    file = tmp_path / "shoal.yaml"
    file.write_text(text)
    assert error_of(file, {}) == f"file {file}: {expected}"


def test_file_that_is_not_text_is_refused(tmp_path):
    file = tmp_path / "shoal.yaml"
    file.write_bytes(b"data_dir: caf\xe9")
    assert error_of(file, {}) == f"file {file}: expected UTF-8 text, found another byte at 13"


def test_file_that_cannot_be_read_is_refused(tmp_path):
    missing = tmp_path / "missing.yaml"
    assert error_of(missing, {}) == (
        f"file {missing}: expected a readable configuration file: No such file or directory"
    )
    assert error_of(tmp_path, {}) == f"file {tmp_path}: expected a readable configuration file: Is a directory"


# --- what is wrong in the environment and in flags -----------------------------------------

ENVIRONMENT_ERRORS = [
    ("SHOAL__NETWORK__HWM", "many", "network.hwm: expected a whole number from 1 to 100,000, found 'many'"),
    ("SHOAL__NETWORK__HMW", "1", "network.hmw: unknown key; did you mean network.hwm?"),
    ("SHOAL__HWM", "1", "hwm: unknown key; did you mean network.hwm?"),
    (
        "SHOAL__",
        "1",
        "'': unknown key; expected one of data_dir, tracker, peers, network, security, transfer, limits, "
        "reputation, gateway, events, logging",
    ),
    (
        "SHOAL__NETWORK__HWM__MAX",
        "1",
        "network.hwm.max: unknown key; network.hwm is one value and has no keys below it",
    ),
    ("SHOAL__PEERS__0__NAME", "a", "peers.0.name: unknown key; peers is one value and has no keys below it"),
    ("SHOAL__LIMITS__UP", "2 MiB", f"limits.up: expected {RATE}, found '2 MiB'"),
    (
        "SHOAL__PEERS",
        "[{name: North}]",
        "peers[0].name: expected 1 to 32 of a-z, 0-9, _ and -, the first a letter or digit, found 'North'",
    ),
    (
        "SHOAL__PEERS",
        "[{name: a}",
        "peers: expected YAML: line 1, column 11: while parsing a flow sequence, expected ',' or "
        "']', but got '<stream end>'",
    ),
    ("SHOAL__NETWORK", "{hmw: 1}", "network.hmw: unknown key; did you mean network.hwm?"),
    (
        "SHOAL__GATEWAY__HOST",
        "::",
        "gateway.host: expected a loopback address such as 127.0.0.1, found '::': a page that other machines reach "
        "needs a password; set gateway.password_file",
    ),
]


@pytest.mark.parametrize(("name", "text", "expected"), ENVIRONMENT_ERRORS)
def test_error_in_the_environment_names_the_variable(name, text, expected):
    assert error_of(None, {name: text}) == f"environment {name}: {expected}"


def test_key_given_twice_in_the_environment_is_refused():
    for other in ("SHOAL__network__hwm", "SHOAL__NETWORK"):
        environ = {"SHOAL__NETWORK__HWM": "1", other: "{hwm: 2}" if other == "SHOAL__NETWORK" else "2"}
        first, second = sorted(environ)
        assert error_of(None, environ) == (
            f"environment {second}: network.hwm: expected once, but environment {first} gives it too"
        )


def test_error_in_a_flag_says_that_it_was_a_flag():
    assert error_of(None, {}, overrides={"limits.up": "fast"}) == f"flag: limits.up: expected {RATE}, found 'fast'"
    assert error_of(None, {}, overrides={"limits.upp": 1}) == "flag: limits.upp: unknown key; did you mean limits.up?"
    assert error_of(None, {}, overrides={"gateway.host": "0.0.0.0"}).startswith(
        "flag: gateway.host: expected a loopback"
    )


# --- what is read, and from where ----------------------------------------------------------


def test_defaults_stand_alone():
    loaded = load(None, {})
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert (loaded.file, loaded.base_dir) == (None, Path.cwd() / "var")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}", "network:\n", "network: {}\nlimits:\n  # up: 1\n"])
def test_file_that_says_nothing_changes_nothing(text):
    assert load_text(text).settings == Settings()


def test_every_kind_of_value_is_read():
    settings = load_text(
        f"""
        tracker:
          run: true
          listen: tcp://*:0
          endpoint: tcp://[fe80::1]:5570
          lease: 2 min
          others: [{{endpoint: "tcp://shoal_tracker.example.org:5570", public_key: {KEY}}}]
        peers:
          - name: north
            data_port: 5571
          - {{name: s-2_x, web_port: 5001, download_dir: ~/Downloads}}
        network: {{bind: "::", advertise: ["198.51.100.7:5571"], hwm: 1}}
        security: {{access: private, allow: [{KEY}]}}
        transfer: {{window: 2 MiB, picker: sequential, min_free_disk: 0}}
        limits: {{up: 2 MiB/s, down: unlimited, exempt_networks: ["::1/128", 10.0.0.0/8]}}
        reputation: {{alpha: 1, half_life: 7 d}}
        gateway: {{host: 0.0.0.0, password_file: secret, allowed_hosts: [nas, "nas.example.org:5000", "::1"]}}
        events: {{progress_interval: 500 ms}}
        logging: {{level: debug, format: json}}
        """
    ).settings
    assert (settings.tracker.run, settings.tracker.listen, settings.tracker.lease) == (True, "tcp://*:0", 120.0)
    assert settings.tracker.others == (OtherTracker("tcp://shoal_tracker.example.org:5570", KEY),)
    assert settings.peers == (PeerSettings("north", 5571), PeerSettings("s-2_x", 0, 5001, "~/Downloads"))
    assert (settings.network.bind, settings.network.advertise) == ("::", ("198.51.100.7:5571",))
    assert (settings.security.access, settings.security.allow) == ("private", (KEY,))
    assert (settings.transfer.window, settings.transfer.min_free_disk) == (2 * 2**20, 0)
    assert (settings.limits.up, settings.limits.down) == (2 * 2**20, 0)
    assert settings.limits.exempt_networks == ("::1/128", "10.0.0.0/8")
    assert (settings.reputation.alpha, settings.reputation.half_life) == (1.0, 604800.0)
    assert isinstance(settings.reputation.alpha, float)
    assert settings.gateway.allowed_hosts == ("nas", "nas.example.org:5000", "::1")
    assert settings.events.progress_interval == 0.5
    assert (settings.logging.level, settings.logging.format) == ("debug", "json")


def test_file_of_a_second_machine_holds_only_its_tracker_and_its_peer():
    text = f"tracker: {{endpoint: 'tcp://192.168.1.10:5570', public_key: {KEY}}}\npeers: [{{name: west}}]"
    settings = load_text(text).settings
    assert (settings.tracker.run, settings.tracker.endpoint) == (False, "tcp://192.168.1.10:5570")
    assert settings.peers == (PeerSettings("west"),)


def test_machine_may_run_a_tracker_and_no_peer():
    assert load_text("tracker: {run: true}\npeers: []").settings.peers == ()


def test_flag_wins_over_environment_over_file_over_default():
    Path("config.yaml").write_text("network: {hwm: 2, idle_ping: 2 s, link_timeout: 20 s}")
    environ = {"SHOAL__NETWORK__HWM": "3", "SHOAL__NETWORK__IDLE_PING": "3 s"}
    loaded = load(None, environ, overrides={"network.hwm": 4})
    network = loaded.settings.network
    assert (network.hwm, network.idle_ping, network.link_timeout, network.bind) == (4, 3.0, 20.0, "0.0.0.0")
    assert {key: origin for key, origin in loaded.origins.items() if key.startswith("network.")} == {
        "network.bind": "default",
        "network.advertise": "default",
        "network.hwm": "flag",
        "network.idle_ping": "environment SHOAL__NETWORK__IDLE_PING",
        "network.link_timeout": "file config.yaml",
    }


def test_list_of_a_higher_layer_replaces_the_lower_one_whole():
    loaded = load_text("peers: [{name: north}, {name: south}]", {"SHOAL__PEERS": "[{name: east, web_port: 5009}]"})
    assert loaded.settings.peers == (PeerSettings("east", web_port=5009),)


def test_environment_is_read_in_any_case_as_words_quantities_or_yaml():
    digits = "1" * 64  # YAML would make a number of it
    environ = {
        "shoal__Network__Hwm": "1",
        "SHOAL__LIMITS__UP": "2 MiB/s",
        "SHOAL__TRACKER__RUN": "true",
        "SHOAL__TRACKER__PUBLIC_KEY": digits,
        "SHOAL__NETWORK__ADVERTISE": "['198.51.100.7:1', 'example.org:2']",
        "SHOAL__EVENTS": "{heartbeat: 250 ms}",
        "SHOAL__LOGGING__LEVEL": "error",
        "SHOAL__REPUTATION__ALPHA": "0.25",
        "SHOAL_PEER": "not a setting",
        "HOME": "nor is this",
    }
    settings = load(None, environ).settings
    assert (settings.network.hwm, settings.limits.up, settings.tracker.run) == (1, 2 * 2**20, True)
    assert settings.tracker.public_key == digits
    assert settings.network.advertise == ("198.51.100.7:1", "example.org:2")
    assert (settings.events.heartbeat, settings.logging.level, settings.reputation.alpha) == (0.25, "error", 0.25)


def test_named_file_wins_over_the_variable_over_the_one_in_the_working_directory(tmp_path):
    for name in ("config.yaml", "variable.yaml", "named.yaml"):
        Path(name).write_text(f"data_dir: {name}")
    environ = {"SHOAL_CONFIG": "variable.yaml"}
    assert load(Path("named.yaml"), environ).settings.data_dir == "named.yaml"
    assert load(None, environ).settings.data_dir == "variable.yaml"
    assert load(None, {"SHOAL_CONFIG": ""}).settings.data_dir == "config.yaml"
    assert load(None, environ).file == tmp_path / "variable.yaml"


def test_data_dir_is_relative_to_its_file_and_a_base_dir_to_the_working_directory(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    file = folder / "shoal.yaml"
    file.write_text("data_dir: state")
    loaded = load(file, {})
    assert (loaded.base_dir, loaded.resolve("a/b"), loaded.resolve("/a")) == (
        folder / "state",
        folder / "a" / "b",
        Path("/a"),
    )
    told = load(file, {"SHOAL_BASE_DIR": "other"}, base_dir=Path("mine"))
    assert (told.base_dir, told.origins["data_dir"]) == (tmp_path / "mine", "flag --base-dir")
    told = load(file, {"SHOAL_BASE_DIR": "other"})
    assert (told.base_dir, told.origins["data_dir"]) == (tmp_path / "other", "environment SHOAL_BASE_DIR")


def test_home_is_known_by_its_sign(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert load_text("data_dir: ~/shoal").base_dir == Path("/home/someone/shoal")


def test_flat_view_has_every_key_with_an_origin_in_plain_values():
    loaded = load_text("limits: {up: 1 MiB/s}\npeers: [{name: a}]")
    flat = loaded.as_flat()
    assert flat.keys() == loaded.origins.keys()
    assert (flat["limits.up"], flat["tracker.lease"]) == (2**20, 90.0)
    assert flat["peers"] == ({"name": "a", "data_port": 0, "web_port": 0, "download_dir": ""},)


def test_peer_is_found_by_name_or_the_known_ones_are_named():
    settings = load_text("peers: [{name: north, web_port: 5000}, {name: south}]").settings
    assert settings.peer("north") == PeerSettings("north", web_port=5000)
    with pytest.raises(ShoalError) as caught:
        settings.peer("west")
    assert (caught.value.code, caught.value.message) == (
        ERR_NOT_FOUND,
        "peer 'west' is not in the configuration; its peers are: north, south",
    )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("alice", "alice"),
        ("Alice-PC.example.org", "alice-pc"),
        ("my_host", "my-host"),
        ("-x-", "x"),
        ("ÄÖ", "peer"),
        ("", "peer"),
        ("a" * 31 + "-b", "a" * 31),
    ],
)
def test_peer_takes_a_safe_name_from_its_host(host, expected):
    assert peer_name_of(host) == expected
    assert load(None, {}, overrides={"peers": [{"name": expected}]}).settings.peer(expected) == PeerSettings(expected)


def test_default_peer_is_named_after_this_host():
    assert load(None, {}).settings.peers == (PeerSettings(peer_name_of(socket.gethostname())),)


# --- the schema and the checkout's file ----------------------------------------------------


def test_every_setting_has_a_meaning_written_under_it():
    tree = ast.parse(Path(bus.settings.__file__).read_text())
    bare = []
    for struct in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        assert ast.get_docstring(struct), struct.name
        for statement, below in zip(struct.body, [*struct.body[1:], None], strict=True):
            is_section = isinstance(statement, ast.AnnAssign) and ast.unparse(statement.annotation).endswith("Settings")
            is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if isinstance(statement, ast.AnnAssign) and not is_section and not is_text:
                bare.append(f"{struct.name}: {ast.unparse(statement)}")
    assert bare == []


def test_defaults_are_within_their_own_rules():
    flat = load(None, {}).as_flat()
    assert load(None, {}, overrides=flat).settings == Settings()


def test_checkout_runs_a_tracker_and_two_peers_on_loopback():
    loaded = load(CHECKOUT / "config.yaml", {})
    settings = loaded.settings
    assert (settings.tracker.run, settings.tracker.listen) == (True, "tcp://127.0.0.1:5570")
    assert settings.peers == (PeerSettings("north", 5571, 5000), PeerSettings("south", 5572, 5001))
    assert settings.network.bind == "127.0.0.1"
    assert loaded.base_dir == CHECKOUT / "var"


def test_examples_in_the_comments_of_the_checkouts_file_are_valid():
    text = (CHECKOUT / "config.yaml").read_text()
    examples = re.sub(r"^# (?=[a-z]+:$|  [a-z])", "", text, flags=re.MULTILINE)
    loaded = load_text(examples)
    assert {key.partition(".")[0] for key, origin in loaded.origins.items() if origin != "default"} >= {
        "security",
        "limits",
        "transfer",
        "gateway",
        "logging",
    }
    assert os.path.basename(loaded.settings.gateway.password_file) == "page-password"


def test_the_default_window_is_at_most_all_windows_together():
    loaded = load_text("transfer: {window_total: 4 MiB}")
    assert (loaded.settings.transfer.window, loaded.origins["transfer.window"]) == (4 * 2**20, "default")
    assert load_text("transfer: {window_total: 64 MiB}").settings.transfer.window == 16 * 2**20
