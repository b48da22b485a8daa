"""What a page gets over Socket.IO, without a page: the frames, the state that they make, and when to acknowledge."""

from __future__ import annotations

import threading
import time
from typing import Any

import socketio

from tests.kit.web_peer import WebPeer


class OpenPage:
    """What a page keeps, made of frames as the real page makes it."""

    def __init__(self, web: WebPeer, auth: dict[str, object] | None = None, acknowledges: bool = True) -> None:
        self.frames: list[tuple[str, dict[str, Any], float]] = []
        self.notices: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.state: dict[str, dict[str, Any]] = {}
        self.broken: list[str] = []
        self._acknowledge = threading.Event()
        if acknowledges:
            self._acknowledge.set()
        self._client = socketio.Client(reconnection=False, handle_sigint=False)
        self._client.on("snapshot", self._snapshot)
        self._client.on("changes", self._changes)
        self._client.on("notice", self.notices.append)
        self._client.on("events", self.events.append)
        self._client.connect(web.url, auth=auth or {"token": web.token}, transports=["websocket"])

    def _snapshot(self, frame: dict[str, Any]) -> None:
        self.state = frame["state"]
        self._note("snapshot", frame)

    def _changes(self, frame: dict[str, Any]) -> None:
        last = self.frames[-1][1] if self.frames else frame | {"seq": frame["base"]}
        if (frame["epoch"], frame["base"]) != (last["epoch"], last["seq"]):
            self.broken.append(f"{frame['base']} does not follow {last['seq']}")
        state = dict(self.state)  # a test that looks meanwhile sees all of a frame or nothing of it
        for section, rows in frame["set"].items():
            state[section] = state.get(section, {}) | rows
        for section, keys in frame["remove"].items():
            gone = set(keys)
            state[section] = {key: row for key, row in state[section].items() if key not in gone}
        self.state = state
        self._note("changes", frame)

    def _note(self, kind: str, frame: dict[str, Any]) -> None:
        self.frames.append((kind, frame, time.monotonic()))
        self._acknowledge.wait(60)  # the acknowledgement is sent when the handler returns

    def say(self, event: str, *payload: object) -> None:
        self._client.emit(event, *payload)

    def acknowledge(self) -> None:
        self._acknowledge.set()

    @property
    def connected(self) -> bool:
        return bool(self._client.connected)

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.frames]

    def close(self) -> None:
        self._acknowledge.set()
        self._client.disconnect()

    def __enter__(self) -> OpenPage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
