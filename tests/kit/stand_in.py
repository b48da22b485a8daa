"""A supervisor over stand-in programs: the real loop, and children that do what a test tells them.

    python -m tests.kit.stand_in BASE_DIR LABEL...        labels: tracker, peer-NAME, gateway-NAME

Every child appends its pid to BASE_DIR/LABEL.starts and then does what BASE_DIR/LABEL.does says, by default `serve`:

    serve         writes its ready file, then waits; SIGTERM appends its label to BASE_DIR/stopped and ends it
    deaf          as serve, but ignores SIGTERM
    brood         as serve, with a child of its own, whose pid goes to BASE_DIR/LABEL.brood, and which ignores SIGTERM
    exit N LINE   writes the line to stderr and ends with that code
    late          waits without ever being ready
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from bus.ready import AnyReady, GatewayReady, PeerReady, Report, TrackerReady, announce_ready, write_record

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"


def child(base: Path, label: str) -> int:
    """One stand-in process."""
    with (base / f"{label}.starts").open("a") as starts:
        starts.write(f"{os.getpid()}\n")
    instruction = base / f"{label}.does"
    act, *rest = (instruction.read_text() if instruction.exists() else "serve").split(maxsplit=2)
    if act == "exit":
        sys.stderr.write("".join(f"{line}\n" for line in rest[1:]))
        return int(rest[0])
    if act == "brood":
        with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE) as young:
            assert young.stdout
            young.stdout.readline()
            (base / f"{label}.brood").write_text(str(young.pid))
            return _serve(base, label, act)
    return _serve(base, label, act)


def _serve(base: Path, label: str, act: str) -> int:
    def stop(*_: object) -> None:
        with (base / "stopped").open("a") as stopped:
            stopped.write(f"{label}\n")
        os._exit(0)

    signal.signal(signal.SIGTERM, signal.SIG_IGN if act == "deaf" else stop)
    if act != "late":
        announce_ready(_record(base, label), os.environ)
    while True:
        signal.pause()


def _record(base: Path, label: str) -> AnyReady:
    role, _, name = label.partition("-")
    pid, port = os.getpid(), 40000 + os.getpid() % 20000
    if role == "tracker":
        listen = os.environ.get("SHOAL__TRACKER__LISTEN", f"tcp://127.0.0.1:{port}")
        return TrackerReady(listen, "ab" * 32, "ipc://e", "ipc://w", pid, str(base))
    if role == "gateway":
        known = {peer["name"]: peer["web_port"] for peer in msgspec.json.decode(os.environ["SHOAL__PEERS"])}
        return GatewayReady(name, f"http://127.0.0.1:{known[name] or port}", str(base / "token"), pid)
    tracker = os.environ.get("SHOAL__TRACKER__ENDPOINT", "")
    return PeerReady(name, tracker, f"tcp://127.0.0.1:{port}", "ipc://c", "ipc://e", "ipc://w", pid, str(base), "d")


def main(base: Path, labels: list[str]) -> int:
    """Supervise the stand-ins; every report goes to BASE_DIR/report.json, an error to stderr."""
    from bus.config import PeerSettings, Settings  # here, so that the children start quickly
    from bus.errors import ShoalError
    from supervisor import Program, Supervisor

    programs = []
    for label in labels:
        role, _, name = label.partition("-")
        command = (sys.executable, "-m", "tests.kit.stand_in", "--child", str(base), label)
        programs.append(Program(role, name, command, base / label / "ready.json", base / f"{label}.log"))  # type: ignore[arg-type]
    peers = [PeerSettings(program.name) for program in programs if program.role == "peer"]

    def show(report: Report, first: bool) -> None:
        write_record(base / "report.json", report)
        if first:
            sys.stdout.write("ready\n")
            sys.stdout.flush()

    try:
        return Supervisor(programs, Settings(), peers, show, first_delay=0.02).run()
    except ShoalError as error:
        sys.stderr.write(f"shoal: {error}\n")
        return error.outcome.exit_code


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        sys.exit(child(Path(sys.argv[2]), sys.argv[3]))
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
