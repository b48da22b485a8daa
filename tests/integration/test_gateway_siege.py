"""What others may try on a gateway by being slow, silent or many, all without its token; it serves everybody else."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
import websocket

from gateway.strangers import JOIN_WITHIN
from gateway.worker import ARRIVE_WITHIN, LEAVE_WITHIN, MAX_ARRIVING
from tests.kit.besiegers import Besieger, SilentPage, head, health, memory
from tests.kit.page_frames import OpenPage
from tests.kit.waiting import eventually, hold_for
from tests.kit.web_peer import WebPeer, children_of

pytestmark = pytest.mark.system

GIB: Final = 2**30
SLACK: Final = 2.0
"""Seconds: a sweep a second, and a busy machine."""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebPeer]:
    with WebPeer(tmp_path_factory.mktemp("web"), {"upload_max": "1 MiB"}) as web:
        yield web


class Siege:
    """All of them at once, and what became of everybody."""

    def __init__(self, web: WebPeer) -> None:
        get, post = head(web, "GET /")[:-2], "POST /api/v1/downloads"
        a_pong = websocket.ABNF.create_frame("3", websocket.ABNF.OPCODE_TEXT).format()
        password = head(web, "POST /api/v1/session", "Content-Length: 99")
        long, chunked = (head(web, post, line) for line in (f"Content-Length: {GIB}", "Transfer-Encoding: chunked"))
        clinging = head(web, "GET /healthz", "Connection: close")
        makers: dict[str, tuple[int, Callable[[], Besieger]]] = {
            "silent": (100, lambda: Besieger(web)),
            "half a head": (10, lambda: Besieger(web, get)),
            "dripping head": (60, lambda: Besieger(web, get + b"X-Drip: ", b"x")),
            "dripping lines": (10, lambda: Besieger(web, b"", b"\r\n")),
            "dripping second head": (10, lambda: Besieger(web, head(web, "GET /healthz") + get, b"X: x\r\n")),
            "dripping password": (10, lambda: Besieger(web, password, b"x")),
            "dripping body": (40, lambda: Besieger(web, long, b"x")),
            "dripping chunks": (20, lambda: Besieger(web, chunked, b"1\r\nx\r\n")),
            "clinging": (40, lambda: Besieger(web, clinging)),
            "page": (24, lambda: SilentPage(web, b"", a_pong)),
            "page with a wrong token": (7, lambda: SilentPage(web, b'40{"token":"wrong"}', a_pong)),
        }
        self.web = web
        self.healths: list[float] = []
        self.turns = itertools.count()
        with OpenPage(web) as self.page:
            eventually(lambda: self.page.frames, within=5)
            self.besiegers = {name: [make() for _ in range(number)] for name, (number, make) in makers.items()}
            self.joined_after = self._join()
            hold_for(ARRIVE_WITHIN + SLACK, self._look, every=0.1)
            web.get("/status")
            self.page_lived = self.page.connected
        self.lasted = {name: [one.lasted for one in ones] for name, ones in self.besiegers.items()}
        for one in itertools.chain.from_iterable(self.besiegers.values()):
            one.socket.close()

    def _join(self) -> float:
        """Seconds until one more page has its place, as a page that asks again and again."""
        began = time.monotonic()

        def open_page() -> bool:
            with OpenPage(self.web) as page:
                return bool(eventually(lambda: page.frames, within=1))

        eventually(open_page, within=JOIN_WITHIN, every=0.3)
        return time.monotonic() - began

    def _look(self) -> None:
        drips = next(self.turns) % 8 == 0
        for one in itertools.chain.from_iterable(self.besiegers.values()):
            one.look(drips)
        self.healths.append(health(self.web))


@pytest.fixture(scope="module")
def siege(web: WebPeer) -> Siege:
    return Siege(web)


def test_the_page_answers_all_the_time(siege):
    assert len(siege.healths) > 20
    assert max(siege.healths) < 1.0


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("silent", ARRIVE_WITHIN),
        ("half a head", ARRIVE_WITHIN),
        ("dripping head", ARRIVE_WITHIN),
        ("dripping lines", ARRIVE_WITHIN),
        ("dripping second head", ARRIVE_WITHIN),
        ("dripping password", ARRIVE_WITHIN),
        ("dripping body", LEAVE_WITHIN),
        ("dripping chunks", LEAVE_WITHIN),
    ],
)
def test_who_drips_or_says_nothing_is_closed_in_time_and_not_before(siege, name, seconds):
    assert all(lasted is not None and lasted < seconds + SLACK for lasted in siege.lasted[name])
    if seconds == ARRIVE_WITHIN and name != "silent":
        assert min(siege.lasted[name]) > seconds - 0.1


def test_a_websocket_without_the_token_is_cut_and_a_page_with_it_is_not(siege):
    for name in ("page", "page with a wrong token"):
        assert all(lasted is not None and lasted < JOIN_WITHIN + SLACK for lasted in siege.lasted[name])
    assert siege.page_lived
    assert siege.joined_after < JOIN_WITHIN


def test_none_of_it_is_a_failure_in_the_log(siege):
    assert "Traceback" not in siege.web.log()


# --- many ------------------------------------------------------------------------------------


def test_of_more_silent_connections_than_may_wait_the_oldest_gives_way(web):
    besiegers = [Besieger(web) for _ in range(MAX_ARRIVING + 20)]
    try:
        assert health(web) < 1.0
        eventually(lambda: [one.look(False) for one in besiegers][:20] == [True] * 20, within=2)
        assert not besiegers[-1].look(False)
    finally:
        for one in besiegers:
            one.socket.close()


def test_who_gives_way_may_be_in_the_middle_of_a_word(web):
    workers = children_of(web.gateway.pid)
    besiegers = [Besieger(web) for _ in range(MAX_ARRIVING)]
    health(web)
    os.kill(workers[0], signal.SIGSTOP)  # so that it sees all of this in one turn
    besiegers += [Besieger(web) for _ in range(20)]
    for one in besiegers[:MAX_ARRIVING]:
        with contextlib.suppress(OSError):  # it gave way to the look at its health
            one.socket.send(b"x")
    os.kill(workers[0], signal.SIGCONT)
    assert health(web) < 2.0
    assert children_of(web.gateway.pid) == workers
    for one in besiegers:
        one.socket.close()


def test_thousands_of_wrong_tokens_cost_nothing_and_lock_nobody_out(web):
    request = head(web, "GET /api/v1/status", f"Authorization: Bearer {'0' * 64}")

    def be_refused(times: int) -> None:
        with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
            for _ in range(times // 50):
                connection.sendall(request * 50)
                answers = b""
                while answers.count(b"HTTP/1.1 401") < 50 or not answers.endswith(b"}"):
                    answers += connection.recv(65536)

    be_refused(200)
    before = memory(web)
    be_refused(1000)
    assert web.get("/status")["name"] == "north"
    assert memory(web) - before < 2**20


def test_websockets_that_come_and_go_leave_nothing_behind(web):
    def threads() -> int:
        (worker,) = children_of(web.gateway.pid)
        return len(list(Path(f"/proc/{worker}/task").iterdir()))

    workers, before = children_of(web.gateway.pid), threads()
    noise = random.Random(28)
    wrong = [b"4" + b"[" * 5000, b'42["tap",{}]', b"40/admin,", b"40{", b"9", b"", b'451-["x"]']
    for number in range(100):
        SilentPage(web, wrong[number % len(wrong)]).socket.close()
        hostile = SilentPage(web)
        hostile.socket.sendall(noise.randbytes(noise.choice([1, 2, 5, 300])))
        hostile.socket.close()
    eventually(lambda: threads() < before + 20, within=3)
    for _ in range(100):
        SilentPage(web, f'40{{"token":"{web.token}"}}'.encode()).websocket.close()
    assert children_of(web.gateway.pid) == workers
    assert "Traceback" not in web.log()


def open_polling(web: WebPeer) -> str:
    """A session without a WebSocket; returns where it is polled."""
    url = f"{web.url}/socket.io/?EIO=4&transport=polling"
    return f"{url}&sid={json.loads(web.session.get(url, timeout=5).text[1:])['sid']}"


@pytest.mark.parametrize(
    "body",
    [
        "1\x1e40{}", "40{}\x1e1\x1e40{}", "4zzz", "zzz", "d=", "b!", "0", "2", "x" * 70_000, b"\xff", "4" + "[" * 5000,
        "40" + "[" * 5000, "\x1e".join(["3"] * 17), '451-["x"]', '42["tap",{}]',
    ],
)  # fmt: skip
def test_what_is_posted_without_the_token_costs_no_thread_and_no_traceback(web, body):
    session = open_polling(web)
    for _ in range(2):  # the second time it may have ended
        assert web.session.post(session, data=body, timeout=5).status_code < 500
    assert "Traceback" not in web.log()


# --- long ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind", "authorised"),
    [
        ("/downloads", "application/json", True),
        ("/downloads", "application/json", False),
        ("/shares", "multipart/form-data; boundary=b", True),
        ("/shares", "multipart/form-data; boundary=b", False),
        ("/session", "application/json", False),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_of_a_gibibyte_is_refused_early_and_out_of_memory(web, path, kind, authorised, announced):
    before = memory(web)
    token = [f"Authorization: Bearer {web.token}"] if authorised else []
    length = f"Content-Length: {GIB}" if announced else "Transfer-Encoding: chunked"
    block = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'.ljust(65536, b"x")
    piece = block if announced else b"10000\r\n" + block + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        connection.sendall(head(web, f"POST /api/v1{path}", f"Content-Type: {kind}", length, *token))
        with contextlib.suppress(OSError):  # reset
            while sent < GIB:
                connection.sendall(piece)
                sent += len(piece)
    assert sent < 32 * 2**20
    assert memory(web) - before < 8 * 2**20


@pytest.mark.parametrize(("path", "status"), [("/downloads", "413"), ("/shares", "413"), ("/session", "404")])
def test_a_body_of_a_gibibyte_is_refused_before_a_byte_of_it(web, path, status):
    kind = "multipart/form-data; boundary=b" if path == "/shares" else "application/json"
    lines = (f"Content-Type: {kind}", f"Content-Length: {GIB}", f"Authorization: Bearer {web.token}")
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        connection.sendall(head(web, f"POST /api/v1{path}", *lines))
        assert connection.recv(65536).startswith(f"HTTP/1.1 {status}".encode())


def test_a_head_without_end_is_refused(web):
    for beginning, status in ((b"GET /", b"414"), (head(web, "GET /")[:-2] + b"X: ", b"431")):
        with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
            connection.sendall(beginning + b"x" * 40_000)
            assert connection.recv(65536).startswith(b"HTTP/1.1 " + status)


# --- the end ---------------------------------------------------------------------------------


def test_a_besieged_gateway_ends_as_soon_as_any(web):
    """The last one here: it ends the gateway of all."""
    besiegers = [Besieger(web) for _ in range(50)]
    besiegers += [Besieger(web, head(web, "GET /healthz", "Connection: close")) for _ in range(50)]
    assert health(web) < 1.0
    began = time.monotonic()
    web.gateway.send_signal(signal.SIGTERM)
    assert web.gateway.wait(10) == 0
    assert time.monotonic() - began < 2.0
    for one in besiegers:
        one.socket.close()
