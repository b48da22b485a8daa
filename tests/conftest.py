"""For every test: hypothesis settings, lanes, and the rule that a missing browser is said loudly and last."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from hypothesis import settings

from tests.kit.browser_path import NO_BROWSER, find_browser
from tests.kit.lanes import Lanes, workers_for

BROWSER_TESTS_SKIPPED = pytest.StashKey[bool]()

# Whoever runs the tests in the background leaves them Ctrl-C ignored, and every program they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The tests start Shoal's programs hundreds of times: each would compile the same sources anew, for half of its start,
# and each worker every test.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No deadline: a busy machine is not a failure. In CI the same examples every time; elsewhere new ones, and one that
# fails prints what reproduces it.
settings.register_profile("developer", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    return workers_for(config.args, config.invocation_params.dir)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Lanes:
    return Lanes(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and find_browser() is None:
        pytest.skip(NO_BROWSER)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    config.stash[BROWSER_TESTS_SKIPPED] = any(NO_BROWSER in str(report.longrepr) for report in skipped)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if config.stash.get(BROWSER_TESTS_SKIPPED, False):
        print("BROWSER TESTS NOT RUN: no Chromium was found; install it, or set CHROMIUM to its path")  # noqa: T201
