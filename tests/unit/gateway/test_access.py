"""Who may talk to a gateway: hosts, tokens, passwords."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import tracemalloc

import pytest

from bus import errors
from gateway import access
from gateway.strangers import Strangers

PORT = 5000
HOSTS = access.own_hosts("127.0.0.1", PORT, ["files.example.org", "proxy.example:8443"], [])


def ask(edge: access.HostEdge, host: str | None, target: str = "/", upgrade: str = "", origin: str = "") -> str:
    """The status that a request gets."""
    statuses: list[str] = []

    def start_response(status: str, *_: object) -> None:
        statuses.append(status)

    path, _, query = target.partition("?")
    environ = {"RAW_URI": target, "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": "GET"}
    if host is not None:
        environ["HTTP_HOST"] = host
    if upgrade:
        environ |= {"HTTP_UPGRADE": upgrade, "HTTP_CONNECTION": "keep-alive, Upgrade"}
        environ |= {"HTTP_SEC_WEBSOCKET_VERSION": "13", "HTTP_SEC_WEBSOCKET_KEY": "x"}
    if origin:
        environ["HTTP_ORIGIN"] = origin
    list(edge(environ, start_response))  # type: ignore[arg-type]
    return statuses[0][:3]


def welcoming(_: object, start_response: object) -> list[bytes]:
    start_response("200 OK", [])  # type: ignore[operator]
    return [b""]


EDGE = access.HostEdge(welcoming, HOSTS, 1, Strangers())


@pytest.mark.parametrize(
    "host",
    [
        "localhost:5000", "LOCALHOST:5000", "127.0.0.1:5000", "[::1]:5000", "files.example.org",
        "files.example.org:1234", "proxy.example:8443",
    ],
)  # fmt: skip
def test_our_own_names_pass(host):
    assert ask(EDGE, host) == "200"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:5000", "localhost.evil.example:5000", "127.0.0.1.nip.io:5000", "0.0.0.0:5000",
        "localhost", "localhost:5001", "127.0.0.1", "[::1]", "", None, "localhost:5000,evil.example",
        "evil.example,localhost:5000", "localhost:5000@evil.example", "evil.example#localhost:5000", "proxy.example",
        "proxy.example:5000", "files.example.org.evil.example", "127.1:5000", "2130706433:5000",
    ],
)  # fmt: skip
def test_any_other_name_is_refused(host):
    assert ask(EDGE, host) == "421"


def test_a_foreign_host_in_the_request_line_is_refused_beside_a_good_header():
    assert ask(EDGE, "localhost:5000", "http://evil.example/") == "421"
    assert ask(EDGE, "localhost:5000", "http://localhost:5000/") == "200"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:5000", "200"), ("http://[::1]:5000", "200"), ("https://files.example.org", "200"),
        ("http://evil.example", "421"), ("http://localhost:5001", "421"), ("http://localhost", "421"),
        ("http://localhost.evil.example:5000", "421"), ("null", "421"), ("file://", "421"), ("http://[", "421"),
        ("http://localhost:5000.evil.example", "421"), ("http://a@localhost:5000", "421"), ("localhost:5000", "421"),
    ],
)  # fmt: skip
def test_a_page_of_another_site_is_refused_whatever_it_asks_for(origin, status):
    for target, upgrade in (("/", ""), ("/api/v1/status", ""), ("/socket.io/?transport=websocket", "websocket")):
        assert ask(EDGE, "localhost:5000", target, upgrade, origin) == status


def test_a_session_that_polls_does_not_become_a_websocket():
    assert ask(EDGE, "localhost:5000", "/socket.io/?transport=websocket&sid=x", "websocket") == "400"
    assert ask(EDGE, "localhost:5000", "/socket.io/?EIO=4&sid=x", "") == "200"


def test_an_upgrade_elsewhere_is_a_request_like_any_other():
    full = access.HostEdge(welcoming, HOSTS, 1, Strangers())
    full._pages.acquire()
    assert ask(full, "localhost:5000", "/socket.io/?transport=websocket", "websocket") == "503"
    assert ask(full, "localhost:5000", "/api/v1/status", "websocket") == "200"


def test_more_pages_than_threads_for_them_are_refused_and_ends_make_room():
    inside, leave = threading.Event(), threading.Event()

    def staying(environ: object, start_response: object) -> list[bytes]:
        inside.set()
        leave.wait(10)
        return welcoming(environ, start_response)

    edge = access.HostEdge(staying, HOSTS, 1, Strangers())
    first = threading.Thread(target=ask, args=(edge, "localhost:5000", "/socket.io/?transport=websocket", "WebSocket"))
    first.start()
    assert inside.wait(10)
    assert ask(edge, "localhost:5000", "/socket.io/?transport=websocket", "websocket") == "503"
    leave.set()
    first.join()
    assert ask(edge, "localhost:5000", "/socket.io/?transport=websocket", "websocket") == "200"


def test_a_page_for_all_addresses_takes_the_machines_addresses_and_no_names():
    hosts = access.own_hosts("0.0.0.0", PORT, [], ["192.168.1.5", "fe80::1"])
    assert hosts == ["localhost:5000", "127.0.0.1:5000", "[::1]:5000", "192.168.1.5:5000", "[fe80::1]:5000"]


def test_the_default_port_need_not_be_named():
    assert "localhost" in access.own_hosts("127.0.0.1", 80, [], [])


def test_a_token_is_minted_once_with_256_bits_for_its_owner_only(tmp_path):
    path = tmp_path / "gateway.token"
    before = os.umask(0)
    try:
        token = access.load_or_mint_token(path)
    finally:
        os.umask(before)
    assert (len(bytes.fromhex(token)), stat.S_IMODE(path.stat().st_mode)) == (32, 0o600)
    assert access.load_or_mint_token(path) == token


@pytest.mark.parametrize(("content", "mode"), [("a" * 64, 0o644), ("a" * 64, 0o640), ("short", 0o600), ("", 0o600)])
def test_a_token_that_others_may_know_is_refused(content, mode, tmp_path):
    path = tmp_path / "gateway.token"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(errors.ShoalError) as refusal:
        access.load_or_mint_token(path)
    assert refusal.value.code == errors.ERR_KEY_FILE


def test_a_token_file_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "elsewhere").write_text("a" * 64)
    (tmp_path / "gateway.token").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.ShoalError):
        access.load_or_mint_token(tmp_path / "gateway.token")


def test_a_password_is_the_files_first_line(tmp_path):
    path = tmp_path / "password"
    path.write_text("open sesame\nsecond line\n")
    path.chmod(0o600)
    assert access.load_password(path) == "open sesame"


@pytest.mark.parametrize(
    ("content", "mode", "code"), [("", 0o600, errors.ERR_CONFIG), ("x", 0o604, errors.ERR_KEY_FILE)]
)
def test_an_empty_or_open_password_file_is_refused(content, mode, code, tmp_path):
    path = tmp_path / "password"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(errors.ShoalError) as refusal:
        access.load_password(path)
    assert refusal.value.code == code


def test_a_missing_password_file_is_refused(tmp_path):
    with pytest.raises(errors.ShoalError) as refusal:
        access.load_password(tmp_path / "nothing")
    assert refusal.value.code == errors.ERR_CONFIG


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic secret", "secret", "Bearer secret x"]
)
def test_only_the_bearer_token_admits(header):
    with pytest.raises(errors.ShoalError) as refusal:
        access.Gate("secret").admit_header(header)
    assert refusal.value.code == errors.ERR_TOKEN


def test_the_bearer_token_admits():
    access.Gate("secret").admit_header("Bearer secret")
    access.Gate("secret").admit_header("bearer secret")


def test_ten_thousand_wrong_tokens_are_not_remembered_and_lock_nobody_out():
    gate = access.Gate("secret", "password")
    tracemalloc.start()
    try:
        for number in range(10_000):
            with contextlib.suppress(errors.ShoalError):
                gate.admit_header(f"Bearer {number}")
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
    gate.admit_header("Bearer secret")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_five_wrong_passwords_lock_an_address_for_a_minute_and_no_other():
    clock = Clock()
    gate = access.Gate("token", "right", clock)

    def code_for(password: str, address: str) -> str:
        try:
            gate.exchange(password, address)
        except errors.ShoalError as error:
            return error.code
        return ""

    assert [code_for("wrong", "a") for _ in range(5)] == [errors.ERR_TOKEN] * 5
    assert code_for("right", "a") == errors.ERR_RATE
    assert code_for("right", "b") == ""
    clock.now = 59.9
    assert code_for("right", "a") == errors.ERR_RATE
    clock.now = 60.0
    assert code_for("right", "a") == ""


def test_without_a_password_none_is_right():
    with pytest.raises(errors.ShoalError):
        access.Gate("token").exchange("", "a")


def test_failures_of_many_addresses_take_bounded_memory(monkeypatch):
    monkeypatch.setattr(access, "MAX_ADDRESSES", 10)
    gate = access.Gate("token", "right")
    for number in range(100):
        with pytest.raises(errors.ShoalError):
            gate.exchange("wrong", f"10.0.0.{number}")
    assert len(gate._failures) == 10
