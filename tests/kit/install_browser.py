"""Installs Chromium from the system's packages, if there is none and it can be done without asking. For `make test`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.kit.browser_path import find_browser


def install_browser() -> None:
    """Leave a Chromium behind if possible. A failure is one line and no error: the tests then say what did not run."""
    if os.environ.get("CHROMIUM") or find_browser() or shutil.which("apt-get") is None:
        return
    if os.geteuid() == 0:
        prefix = []
    elif (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        prefix = ["sudo", "-n"]
    else:
        return
    print("test: no Chromium found, installing the system's package for the browser tests", file=sys.stderr, flush=True)
    for command in (["update", "-qq"], ["install", "-y", "-qq", "chromium"]):
        done = subprocess.run(
            [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            reason = done.stdout.decode(errors="replace").strip().splitlines()[-1:] or ["no output"]
            print(f"test: apt-get {command[0]} failed ({reason[0]}), going on without Chromium", file=sys.stderr)
            return


if __name__ == "__main__":
    install_browser()
