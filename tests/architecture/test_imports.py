"""The import rules hold in every file, and each rule is seen to fail on a planted violation."""

from __future__ import annotations

import pytest

from tests.architecture.imports import violations
from tests.architecture.sources import PRODUCT, texts


def test_every_file_keeps_the_import_rules():
    assert violations(texts(*PRODUCT, "tests", suffixes=(".py",))) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("bus/codec.py", "import time"),
        ("bus/names.py", "from pathlib import Path"),
        ("bus/state.py", "import os.path"),
        ("bus/boundary.py", "from bus.sockets import Sockets"),
        ("bus/messages.py", "from . import sockets"),
        ("bus/__init__.py", "from bus.sockets import Sockets"),
        ("peer/core/__init__.py", "import socket"),
        ("peer/core/credit.py", "def late():\n    import threading"),
        ("peer/core/credit.py", "from .. import storage"),
        ("peer/core/credit.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from bus import sockets"),
        ("peer/core/choker.py", "from peer.core.node import PeerNode"),
        ("peer/core/choker.py", "from . import node"),
        ("tracker/core/leases.py", "import sqlite3"),
        ("gateway/view.py", "import flask"),
        ("experiments/sim/heap.py", "from subprocess import run"),
        ("experiments/behaviours/cheats.py", "import time"),
        ("peer/storage.py", "import asyncio"),
        ("peer/service.py", "import zmq"),
        ("gateway/live.py", "from zmq import Poller"),
        ("experiments/runner.py", "import zmq"),
        ("tests/unit/bus/test_link.py", "import zmq"),
        ("peer/cli.py", "from flask import Flask"),
        ("tracker/service.py", "import werkzeug.serving"),
        ("bus/config.py", "from peer.storage import Storage"),
        ("peer/service.py", "from tracker.core.node import TrackerCore"),
        ("tracker/service.py", "import gateway.app"),
        ("gateway/api.py", "import peer"),
        ("peer/cli.py", "from peer import __main__"),
        ("tests/system/test_start.py", "from peer.__main__ import main"),
        ("peer/cli.py", "import supervisor"),
        ("peer/storage.py", "from tests.kit.waiting import eventually"),
        ("supervisor.py", "from experiments.runner import run"),
    ],
)
def test_a_planted_violation_is_found(path, source):
    others = dict.fromkeys(["bus/sockets.py", "peer/core/node.py", "peer/storage.py", "peer/__main__.py"], "")
    found = violations({**others, path: source})
    assert [line.split(":")[0] for line in found] == [path]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("bus/sockets.py", "import zmq, threading, time"),
        ("bus/codec.py", "import msgpack\nfrom bus.messages import Hello\nfrom bus import errors"),
        ("bus/messages.py", "from .units import KIB"),
        ("peer/core/node.py", "import random\nfrom peer.core.credit import Credit\nfrom . import choker"),
        ("peer/service.py", "from peer.core.node import PeerNode\nfrom bus.link import Links"),
        ("peer/__main__.py", "from peer.service import Service"),
        ("experiments/sim/heap.py", "import heapq\nfrom peer.core.node import PeerNode"),
        ("experiments/bench/pump.py", "import zmq"),
        ("tests/kit/raw.py", "import zmq"),
        ("tests/simulation/test_trace.py", "from experiments.sim.heap import run"),
        ("gateway/app.py", "from flask import Flask"),
    ],
)
def test_what_the_rules_allow_is_not_reported(path, source):
    others = dict.fromkeys(["bus/errors.py", "bus/units.py", "peer/core/choker.py", "peer/core/node.py"], "")
    assert violations({**others, path: source}) == []
