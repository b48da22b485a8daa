from __future__ import annotations

import sys

from experiments.bench.children import Children
from experiments.bench.rivals.serving import fetch, missing, program, version


def test_what_is_not_installed_is_named_with_the_way_to_install_it():
    assert missing("sh", "no-such-program") == "no-such-program not installed: run make bench-rivals, as root"
    assert missing("sh") == ""


def test_a_program_is_found_where_it_is():
    assert program("sh").endswith("/sh")
    assert program("no-such-program") == ""


def test_the_version_is_the_first_number_that_a_program_tells():
    assert version(sys.executable, "--version").endswith(f" {sys.version.split()[0]}")
    assert version("no-such-program", "--version") == "no-such-program"


def test_all_clients_run_at_once_and_the_last_one_s_end_counts(tmp_path):
    with Children(tmp_path) as children:
        server = children.start([sys.executable, "-c", "input()"], "server")
        # Each waits for the other's file: one after the other they would never end.
        wait = (
            "import pathlib, sys, time\npathlib.Path(sys.argv[1]).touch()\n"
            "while not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.01)"
        )
        clients = [[sys.executable, "-c", wait, *names] for names in (("a", "b"), ("b", "a"))]
        run = fetch(children, server, clients)
    assert [part.role for part in run.parts] == ["server", "client", "client"]
    assert run.seconds > 0
