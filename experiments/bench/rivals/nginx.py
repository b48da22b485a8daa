"""nginx with curl or aria2: files over HTTP, in clear, with nothing verified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from experiments.bench.children import Child, Children, await_port, free_port
from experiments.bench.downloads import check_same
from experiments.bench.records import Run
from experiments.bench.rivals.serving import fetch, missing, program, version
from experiments.bench.transferring import TransferJob

# One process, which cannot leave workers behind; one connection is served by one worker anyway.
CONFIGURATION: Final = """\
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off; sendfile on; tcp_nopush on; default_type application/octet-stream;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""
SERVER: Final = "one process, sendfile on, tcp_nopush on"


class NginxCurl:
    """curl writes what nginx serves."""

    name = "nginx+curl"

    @property
    def how(self) -> str:
        return f"{version('nginx', '-v')}, {SERVER}; {version('curl', '--version')}: curl -sS -o FILE URL"

    def missing(self) -> str:
        return missing("nginx", "curl")

    def run(self, job: TransferJob, work: Path) -> Run:
        def command(url: str, target: Path) -> Sequence[str]:
            return [program("curl"), "-sS", "-o", str(target), url]

        return _run(job, work, command)


class NginxAria2:
    """aria2 fetches what nginx serves, over 16 connections."""

    OPTIONS: Final = ("--no-conf", "-q", "-x16", "-s16", "-k1M", "--file-allocation=none")
    name = "nginx+aria2"

    @property
    def how(self) -> str:
        command = f"aria2c {' '.join(self.OPTIONS)} -d FOLDER -o FILE URL"
        return f"{version('nginx', '-v')}, {SERVER}; {version('aria2c', '--version')}: {command}"

    def missing(self) -> str:
        return missing("nginx", "aria2c")

    def run(self, job: TransferJob, work: Path) -> Run:
        def command(url: str, target: Path) -> Sequence[str]:
            return [program("aria2c"), *self.OPTIONS, "-d", str(target.parent), "-o", target.name, url]

        return _run(job, work, command)


def _run(job: TransferJob, work: Path, command: Callable[[str, Path], Sequence[str]]) -> Run:
    targets = [work / f"received{number}" for number in range(job.receivers)]
    with Children(work) as children:
        server, port = _serving(children, job.source.parent, work)
        url = f"http://127.0.0.1:{port}/{job.source.name}"
        run = fetch(children, server, [command(url, target) for target in targets])
    for target in targets:
        check_same(job.source, target)
    return run


def _serving(children: Children, root: Path, work: Path) -> tuple[Child, int]:
    """nginx on a free port."""
    port = free_port()
    configuration = work / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(port=port, root=root))
    child = children.start([program("nginx"), "-p", str(work), "-c", str(configuration), "-e", "stderr"], "nginx")
    await_port(port, child)
    return child, port
