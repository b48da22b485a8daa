"""What others may try on a gateway with words: wrong hosts, wrong origins, wrong tokens, tricky paths."""

from __future__ import annotations

import base64
import http.client
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

import pytest
import requests

from gateway.api import Api
from tests.integration.test_gateway import problem
from tests.kit.web_peer import WebPeer, children_of

pytestmark = pytest.mark.system

ROUTES = Api(cast("Any", None), cast("Any", None), Path(), 0, 1, cast("Any", None)).routes
CANARY: Final = "the canary sings"
"""Stands in a file outside of everything that is served."""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    base = tmp_path_factory.mktemp("web")
    (base / "inside").mkdir()
    (base / "canary").write_text(CANARY)
    (base / "inside" / "link").symlink_to(base)
    with WebPeer(base, {"folders": [str(base / "inside")]}) as web:
        yield web


def ask(web: WebPeer, request: str) -> tuple[int, str]:
    """Status, and headers and body, that a hand-written request gets; {port} and {token} in it are the gateway's."""
    text = request.replace("{port}", str(web.port)).replace("{token}", web.token)
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        connection.sendall(text.encode("latin-1"))
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, f"{response.headers}{response.read().decode(errors='replace')}"


# --- hosts -----------------------------------------------------------------------------------

WEBSOCKET: Final = (
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Connection: Upgrade\r\n"
)
CLOSING: Final = "Connection: close\r\n"
TARGETS: Final = {
    "/": CLOSING,
    "/healthz": CLOSING,
    "/metrics": CLOSING,
    "/api/v1/status": CLOSING,
    "/assets/x": CLOSING,
    "/socket.io/?EIO=4&transport=polling": CLOSING,
    "/socket.io/?EIO=4&transport=websocket": WEBSOCKET,
}
OURS: Final = ["localhost:{port}", "LocalHost:{port}", "127.0.0.1:{port}", "[::1]:{port}"]
FOREIGN: Final = [
    "evil.example", "evil.example:{port}", "localhost.evil.example:{port}", "127.0.0.1.nip.io:{port}",
    "0.0.0.0:{port}", "[::]:{port}", "[::ffff:127.0.0.1]:{port}", "[0:0:0:0:0:0:0:1]:{port}", "127.1:{port}",
    "2130706433:{port}", "0x7f000001:{port}", "0177.0.0.1:{port}", "127.0.0.2:{port}", "localhost", "127.0.0.1",
    "[::1]", "localhost:80", "localhost:{port}0", "localhost.:{port}", "localhost:{port}.", "localhost:", "::1",
    "evil@localhost:{port}", "localhost:{port}@evil.example", "localhost:{port},evil.example",
    "evil.example,localhost:{port}", "localhost:{port} evil.example", "localhost:{port}/", "http://localhost:{port}",
    "",
]  # fmt: skip


def statuses(web: WebPeer, hosts: str, version: str = "1.1", site: str = "") -> set[int]:
    """What every target answers to a request with these lines for hosts; `site` makes its target an absolute one."""
    token = "Authorization: Bearer {token}\r\n"
    requests_made = [f"GET {site}{path} HTTP/{version}\r\n{hosts}{token}{end}\r\n" for path, end in TARGETS.items()]
    return {ask(web, request)[0] for request in requests_made}


@pytest.mark.parametrize("host", OURS)
def test_our_own_names_reach_everything(web, host):
    assert statuses(web, f"Host: {host}\r\n") == {200, 404, 101}
    assert statuses(web, f"Host: {host}\r\n", site=f"http://{host}") == {200, 404, 101}


@pytest.mark.parametrize("host", FOREIGN)
def test_a_rebound_name_reaches_nothing(web, host):
    assert statuses(web, f"Host: {host}\r\n") == {421}


@pytest.mark.parametrize(
    ("hosts", "version", "site", "status"),
    [
        ("", "1.0", "", 421),
        ("", "1.1", "", 421),
        ("Host: localhost:{port}\r\nHost: evil.example\r\n", "1.1", "", 400),
        ("Host: evil.example\r\nHost: localhost:{port}\r\n", "1.1", "", 400),
        ("Host: localhost:{port}\r\n", "1.1", "http://evil.example", 421),
        ("Host: localhost:{port}\r\n", "1.1", "http://evil.example:{port}", 421),
        ("Host: localhost:{port}\r\n", "1.1", "http://localhost:{port}@evil.example", 421),
        ("Host: evil.example\r\n", "1.1", "http://localhost:{port}", 421),
        ("Host: evil.example\r\nX-Forwarded-Host: localhost:{port}\r\n", "1.1", "", 421),
        ("Host : localhost:{port}\r\n", "1.1", "", 400),
        (" Host: localhost:{port}\r\n", "1.1", "", 400),
    ],
)
def test_no_two_absent_or_disguised_hosts(web, hosts, version, site, status):
    assert statuses(web, hosts, version, site) == {status}


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://evil.example:{port}", "http://localhost", "http://localhost:1", "null", "x"],
)
def test_a_page_of_another_site_reaches_nothing(web, origin):
    headers = f"Host: localhost:{{port}}\r\nOrigin: {origin}\r\n"
    assert statuses(web, headers) == {421}
    own = f"http://localhost:{web.port}"
    problem(requests.get(web.url, headers={"Origin": origin.format(port=web.port)}, timeout=10), "ERR_HOST", 421)
    answer = requests.get(f"{web.url}/healthz", headers={"Origin": own}, timeout=10)
    assert (answer.status_code, "Access-Control-Allow-Origin" in answer.headers) == (200, False)


@pytest.mark.parametrize(
    "lines",
    [
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade\r\nUpgrade: h2c\r\n",
        WEBSOCKET.replace("Connection: Upgrade", "Connection: keep-alive"),
        WEBSOCKET.replace("13", "12"),
        WEBSOCKET + "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=x\r\n",
    ],
)
def test_half_a_websocket_is_refused_and_not_logged(web, lines):
    request = f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost:{{port}}\r\n{lines}\r\n"
    assert ask(web, request)[0] == 400
    assert "Traceback" not in web.log()


# --- tokens ----------------------------------------------------------------------------------


def disguises(token: str) -> list[tuple[dict[str, str], str]]:
    """Headers and query of requests that have no token where it belongs."""
    basic = base64.b64encode(f"shoal:{token}".encode()).decode()
    return [
        ({}, ""),
        ({"Authorization": ""}, ""),
        ({"Authorization": "Bearer"}, ""),
        ({"Authorization": f"Bearer {'0' * 64}"}, ""),
        ({"Authorization": f"Bearer {token[:-1]}"}, ""),
        ({"Authorization": f"Bearer {token}0"}, ""),
        ({"Authorization": f"Bearer {token.upper()}"}, ""),
        ({"Authorization": f"Bearer {token} {token}"}, ""),
        ({"Authorization": f"Basic {basic}"}, ""),
        ({"Authorization": f"Basic {token}"}, ""),
        ({"Authorization": token}, ""),
        ({"X-API-Key": token, "X-Auth-Token": token}, ""),
        ({"Cookie": f"token={token}; Authorization=Bearer {token}"}, ""),
        ({}, f"?token={token}&access_token={token}"),
        ({}, f"?ticket={token}"),
        ({}, f"?ticket=9999999999.{'0' * 64}"),
    ]


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.open], ids=lambda one: one.method + one.path)
def test_no_route_takes_anything_for_the_token_but_the_token(web, route):
    path = f"/api/v1{route.path}".replace("<", "").replace(">", "")
    for headers, query in disguises(web.token):
        response = web.session.request(route.method, f"{web.url}{path}{query}", headers=headers, timeout=10)
        problem(response, "ERR_TOKEN", 401)
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_the_open_routes_are_these_and_tell_nothing(web):
    assert [(route.method, route.path) for route in ROUTES if route.open] == [("GET", "/session"), ("POST", "/session")]
    for method in ("HEAD", "OPTIONS", "PUT", "TRACE", "PATCH"):
        assert web.call(method, "/status", authorised=False).status_code == 401
    for path in ("/metrics", "/api/v1", "/api/v1/", "/API/v1/status", "/api/v1/../v1/status", "//api/v1/status"):
        assert requests.get(f"{web.url}{path}", timeout=10).status_code in {401, 404}


def test_the_token_is_in_no_log_and_in_nothing_that_others_see_of_a_process(web):
    web.get("/status")
    web.call("GET", "/status", headers={"Authorization": f"Basic {web.token}"})
    requests.get(f"{web.url}/{web.token}?token={web.token}", timeout=10)
    ask(web, "GET / HTTP/1.1\r\nHost: {token}\r\nConnection: close\r\n\r\n")
    ask(web, "{token}\r\n\r\n")
    assert web.gateway is not None
    assert web.peer is not None
    shown = web.log("gateway") + web.log("peer") + (web.base / "gateway-ready.json").read_text()
    for process in (web.peer.pid, web.gateway.pid, *children_of(web.gateway.pid)):
        for name in ("cmdline", "environ", "comm"):
            shown += Path(f"/proc/{process}/{name}").read_bytes().decode(errors="replace")
    assert web.token not in shown


# --- paths -----------------------------------------------------------------------------------

UP: Final = [
    "../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    "..%5c",
    "..%252f",
    "....//",
    "..;/",
    ".%2e/",
    "..%c0%af",
    "%c0%ae%c0%ae/",
]
TRICKS: Final = [
    *(f"{up * depth}{end}" for up in UP for depth, end in ((6, "canary"), (1, "gateway.token"))),
    ".", "..", "%2e", "%2e%2e", "/", "//", "%2f", "%2fetc%2fpasswd", "/etc/passwd", "//etc/passwd", "//evil.example/x",
    "///etc/passwd", "file:%2f%2f%2fetc%2fpasswd", "%00", "canary%00.html", "x/../../canary", "%0d%0aX-Evil:%201",
    "~root", "~", "C:%5cWindows%5cwin.ini", "%5c%5cserver%5cshare", "CON", "NUL.txt", "%ff%fe", "%e0%80%ae%e0%80%ae/",
    "%uff0e%uff0e/", "%ef%bc%8e%ef%bc%8e%ef%bc%8f", "..%00/", "x" * 4000, "%", "%2", "*", "{}", "$(id)", "%60id%60",
    "index.html%2f..%2f..%2fcanary", "%252e%252e%252fcanary", "..%u2215canary",
]  # fmt: skip
PLACES: Final = [
    *(("GET", path) for path in ("/assets/{trick}", "/{trick}", "/healthz/{trick}", "/socket.io/{trick}")),
    *((route.method, f"/api/v1{route.path}") for route in ROUTES if route.parameters and route.method != "PATCH"),
]
ASKS_FIRST: Final = ("/files", "/held")
"""Whether there is such an item only a peer knows, and the stand-in has these of whatever it is asked for."""


def refusal(web: WebPeer, method: str, path: str) -> int:
    """The status of a request that must tell nothing."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost:{{port}}\r\nAuthorization: Bearer {{token}}\r\n"
    status, answer = ask(web, f"{head}{CLOSING}\r\n")
    leaks = [leak for leak in ("\nLocation:", "\nX-Evil:", CANARY, web.token, "root:x") if leak in answer]
    assert leaks == [], path
    return status


@pytest.mark.parametrize(("method", "place"), PLACES)
def test_no_path_leads_out(web, method, place):
    assert len(TRICKS) >= 60
    pattern = place.replace("<content>", "{trick}").replace("<peer>", "{trick}")
    found = {trick: refusal(web, method, pattern.replace("{trick}", trick)) for trick in TRICKS}
    if place == "/{trick}":
        assert {found.pop(trick) for trick in ("/", "//", "%2f")} == {200}  # the page itself
    expected = {400, 404, *([200] if place.endswith(ASKS_FIRST) else [])}
    assert {trick: status for trick, status in found.items() if status not in expected} == {}


def test_no_folder_is_looked_into_but_those_of_the_configuration(web):
    inside = str(web.base / "inside")
    tricks = [
        *(f"{inside}/{up * depth}" for up in ("../", "..", "%2e%2e/", "..\\") for depth in (1, 6)),
        str(web.base), f"{inside}/link", f"{inside}/./link", "/", "/etc", "etc", "..", ".", "~", "~root", "\0",
        f"{inside}\0", f"//{inside}", f"{inside}/", f"{inside}2", f"{inside}/link/inside", "file:///etc", "x" * 4000,
    ]  # fmt: skip
    for trick in tricks:
        response = web.call("GET", f"/folders?path={quote(trick, safe='')}")
        assert response.status_code in {400, 404, 422}, (trick, response.text)
        assert "canary" not in response.text.replace(trick, "")
