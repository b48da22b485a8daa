"""rsync's daemon and its client: files and trees in clear, checked by rsync's own whole-file checksums."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from experiments.bench.children import Children, await_port, free_port
from experiments.bench.downloads import check_same
from experiments.bench.records import Run
from experiments.bench.rivals.serving import fetch, missing, program, version
from experiments.bench.transferring import TransferJob

CONFIGURATION: Final = """\
use chroot = no
{identity}
[content]
    path = {root}
    read only = yes
"""
OPTIONS: Final = ("-a", "--whole-file")


class Rsync:
    """The client's time from its start to its end."""

    name = "rsync"

    @property
    def how(self) -> str:
        command = f"rsync {' '.join(OPTIONS)} rsync://HOST/content/NAME FOLDER"
        return f"{version('rsync', '--version')}: rsync --daemon, use chroot = no; {command}"

    def missing(self) -> str:
        return missing("rsync")

    def run(self, job: TransferJob, work: Path) -> Run:
        folders = [work / f"received{number}" for number in range(job.receivers)]
        port, configuration = free_port(), work / "rsyncd.conf"
        # Started by root it would become nobody, who may not read the folder.
        identity = f"uid = {os.getuid()}\ngid = {os.getgid()}" if os.geteuid() == 0 else ""
        configuration.write_text(CONFIGURATION.format(identity=identity, root=job.source.parent))
        with Children(work) as children:
            daemon = ["--daemon", "--no-detach", f"--config={configuration}", f"--port={port}", "--address=127.0.0.1"]
            server = children.start([program("rsync"), *daemon], "rsyncd")
            await_port(port, server)
            url = f"rsync://127.0.0.1:{port}/content/{job.source.name}"
            run = fetch(children, server, [[program("rsync"), *OPTIONS, url, f"{folder}/"] for folder in folders])
        for folder in folders:
            check_same(job.source, folder / job.source.name)
        return run
