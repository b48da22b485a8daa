"""The supervisor's loop over stand-in programs, and what it decides before it starts anything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

import supervisor
from bus.config import PeerSettings, Settings
from bus.errors import ERR_NOT_FOUND, ERR_USAGE, ShoalError
from bus.ready import PeerUp, Report, TrackerReady, for_people
from supervisor import CRASHES, LONGEST_DELAY, Child, Program, Supervisor, chosen_peers, parse, programs_for
from tests.kit.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
ALL = ("tracker", "peer-north", "gateway-north")


class StandIns:
    """A supervisor over stand-in programs, and what they left behind."""

    def __init__(self, base: Path, *labels: str, **does: str) -> None:
        self.base = base
        for label, instruction in does.items():
            self.does(label.replace("_", "-"), instruction)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.kit.stand_in", str(base), *labels],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def does(self, label: str, instruction: str) -> None:
        (self.base / f"{label}.does").write_text(instruction)

    def ready(self) -> Report:
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n"
        return self.report()

    def report(self) -> Report:
        return msgspec.json.decode((self.base / "report.json").read_bytes(), type=Report)

    def pids(self, label: str) -> list[int]:
        starts = self.base / f"{label}.starts"
        return [int(line) for line in starts.read_text().split()] if starts.exists() else []

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, list[str]]:
        """Exit code, and the lines on stderr."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> tuple[int, list[str]]:
        _, lines = self.process.communicate(timeout=20)
        return self.process.returncode, lines.splitlines()

    def living(self) -> list[int]:
        pids = [int(line) for path in self.base.glob("*.starts") for line in path.read_text().split()]
        pids += [int(path.read_text()) for path in self.base.glob("*.brood")]
        return [pid for pid in pids if is_running(pid)]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def swarm(tmp_path):
    made = []

    def start(*labels: str, **does: str) -> StandIns:
        made.append(StandIns(tmp_path, *labels, **does))
        return made[-1]

    yield start
    for one in made:
        one.process.kill()
        one.process.communicate()
    eventually(lambda: not any(one.living() for one in made), within=5)


def test_each_is_started_when_what_it_needs_serves(swarm):
    report = swarm(*reversed(ALL)).ready()
    assert report.tracker is not None
    assert [(peer.name, peer.id) for peer in report.peers] == [("north", report.tracker.endpoint)]
    assert report.peers[0].url == f"http://127.0.0.1:{40000 + report.peers[0].gateway_pid % 20000}"


def test_a_report_comes_only_when_all_serve(swarm):
    one = swarm(*ALL, gateway_north="late")
    eventually(lambda: one.pids("gateway-north"), within=10)
    assert not (one.base / "report.json").exists()
    one.does("gateway-north", "serve")
    os.kill(one.pids("gateway-north")[0], signal.SIGKILL)
    assert one.ready().peers[0].gateway_pid == one.pids("gateway-north")[1]


@pytest.mark.parametrize("label", ALL)
def test_what_crashes_is_started_again_and_keeps_its_addresses(swarm, label):
    one = swarm(*ALL)
    before = one.ready()
    os.kill(one.pids(label)[0], signal.SIGKILL)
    eventually(lambda: one.report() != before, within=10)
    after = one.report()
    assert one.pids(label)[1] in (after.tracker.pid, after.peers[0].pid, after.peers[0].gateway_pid)
    assert after.tracker.endpoint == before.tracker.endpoint
    assert after.peers[0].url == before.peers[0].url
    _, lines = one.stop()
    name = label.replace("-", " ")
    assert lines == [f"shoal: {name} ended (signal 9); it starts again in 0.02 s", f"shoal: {name} is back"]


def test_an_end_that_nobody_asked_for_is_a_crash_whatever_its_code(swarm):
    one = swarm(*ALL)
    one.ready()
    os.kill(one.pids("peer-north")[0], signal.SIGTERM)
    eventually(lambda: len(one.pids("peer-north")) == 2, within=10)
    assert "shoal: peer north ended (exit code 0); it starts again in 0.02 s" in one.stop()[1]


def test_a_crash_loop_is_cut_off_and_the_rest_goes_on(swarm):
    one = swarm(*ALL)
    one.ready()
    one.does("gateway-north", "exit 1 boom")
    os.kill(one.pids("gateway-north")[0], signal.SIGKILL)
    eventually(lambda: len(pids := one.pids("gateway-north")) == CRASHES and not is_running(pids[-1]), within=30)
    os.kill(one.pids("peer-north")[0], signal.SIGKILL)  # what comes after shows that the loop lives
    eventually(lambda: one.report().peers[0].pid == one.pids("peer-north")[-1], within=10)
    code, lines = one.stop()
    assert code == 0
    assert len(one.pids("gateway-north")) == CRASHES
    log = one.base / "gateway-north.log"
    assert f"shoal: gateway north ended 5 times within 60 s (exit code 1) and stays down; see {log}" in lines


def test_a_crash_loop_at_the_first_start_ends_everything(swarm):
    one = swarm(*ALL, peer_north="exit 1 boom")
    code, lines = one.end()
    assert code == 1
    assert lines[-1].startswith("shoal: ERR_FAILURE: peer north ended 5 times within 60 s (exit code 1)")
    assert lines[-1].endswith(": boom")
    assert not one.living()


def test_a_wrong_setting_at_the_first_start_ends_everything_with_its_line(swarm):
    line = "shoal: ERR_PORT_IN_USE: port 5000 is taken"
    one = swarm(*ALL, gateway_north=f"exit 2 {line}")
    assert one.end() == (2, [line])
    assert not one.living()
    assert len(one.pids("gateway-north")) == 1


def test_a_program_that_says_nothing_is_named(swarm):
    assert swarm(*ALL, tracker="exit 2").end() == (2, ["shoal: ERR_USAGE: tracker ended (exit code 2)"])


def test_gateways_stop_first_then_peers_then_the_tracker(swarm):
    one = swarm(*ALL, "peer-south", "gateway-south")
    one.ready()
    assert one.stop(signal.SIGINT) == (0, [])
    order = [label.split("-")[0] for label in (one.base / "stopped").read_text().split()]
    assert order == ["gateway", "gateway", "peer", "peer", "tracker"]
    assert not one.living()


def test_what_does_not_stop_is_killed_within_five_seconds(swarm):
    one = swarm(*ALL, gateway_north="deaf", tracker="deaf")
    one.ready()
    begin = time.monotonic()
    assert one.stop() == (0, [])
    assert time.monotonic() - begin < 5
    assert not one.living()
    assert (one.base / "stopped").read_text() == "peer-north\n"


def test_a_second_signal_ends_everything_at_once(swarm):
    one = swarm(*ALL, gateway_north="deaf")
    one.ready()
    one.process.send_signal(signal.SIGTERM)
    eventually((one.base / "stopped").exists, within=10)  # the peer's turn: the first signal was seen
    assert one.stop(signal.SIGINT) == (130, [])
    assert not one.living()


def test_a_stop_before_all_serve_leaves_nothing(swarm):
    one = swarm(*ALL, peer_north="late")
    eventually(lambda: one.pids("peer-north"), within=10)
    one.process.send_signal(signal.SIGTERM)
    code, _ = one.end()
    assert code == 0
    assert not one.living()


@pytest.mark.parametrize("act", ["serve", "deaf", "late"])
def test_nothing_outlives_a_supervisor_that_is_killed(swarm, act):
    one = swarm(*ALL, peer_north=act, gateway_north=act)
    eventually(lambda: one.pids("gateway-north" if act != "late" else "peer-north"), within=10)
    one.process.kill()
    eventually(lambda: not one.living(), within=5)


@pytest.mark.parametrize("how", ["stop", "crash"])
def test_what_a_program_started_itself_ends_with_it(swarm, how):
    one = swarm(*ALL, gateway_north="brood")
    one.ready()
    young = int((one.base / "gateway-north.brood").read_text())
    assert is_running(young)
    if how == "stop":
        one.stop()
        assert not is_running(young)
    else:
        os.kill(one.pids("gateway-north")[0], signal.SIGKILL)
        eventually(lambda: not is_running(young), within=5)


def test_delays_double_up_to_half_a_minute_and_start_over_after_a_minute_of_peace():
    child = Child(Program("peer", "north", (), Path(), Path()))
    delays, now = [], 0.0
    for _ in range(8):
        child.started, now = now, now + 20
        delays.append(child.crashed(now))
    assert delays == [0.5, 1, 2, 4, 8, 16, LONGEST_DELAY, LONGEST_DELAY]
    child.started = now
    assert child.crashed(now + 61) == 0.5


def test_the_fifth_crash_within_a_minute_is_the_last():
    child = Child(Program("peer", "north", (), Path(), Path()))
    assert [child.crashed(now) for now in (1, 15, 29, 43)] == [0.5, 1, 2, 4]
    assert child.crashed(60.9) is None
    assert child.down


def test_five_crashes_over_more_than_a_minute_are_no_loop():
    child = Child(Program("peer", "north", (), Path(), Path()))
    assert None not in [child.crashed(now) for now in (1, 16, 31, 46, 61, 76)]


def test_a_peer_that_waits_for_a_crashed_tracker_lets_the_loop_sleep(monkeypatch):
    monkeypatch.setattr(supervisor, "Signals", lambda: None)  # those of this process are pytest's
    programs = [Program(role, "", (), Path(), Path()) for role in ("tracker", "peer")]
    loop = Supervisor(programs, Settings(), (), lambda report, first: None)
    tracker, peer = loop.children
    tracker.crashed(100.0)
    assert loop._pause(100.25) == 0.25
    tracker.ready = TrackerReady("tcp://h:9", "ab", "e", "w", 3, "d")
    assert loop._pause(100.25) == 0.0
    peer.down = True
    assert loop._pause(100.25) == 0.25


NORTH, SOUTH = PeerSettings("north", 1, 2), PeerSettings("south", 3, 4)
TWO = Settings(peers=(NORTH, SOUTH))


@pytest.mark.parametrize(
    ("names", "count", "peers"),
    [
        ([], None, [NORTH, SOUTH]),
        (["south"], None, [SOUTH]),
        (["south", "north", "south"], None, [SOUTH, NORTH]),
        ([], 0, []),
        ([], 1, [NORTH]),
        ([], 4, [NORTH, SOUTH, PeerSettings("peer-3"), PeerSettings("peer-4")]),
    ],
)
def test_peers_are_named_counted_or_all(names, count, peers):
    assert chosen_peers(TWO, names, count) == peers


def test_a_new_peer_never_takes_a_configured_name():
    settings = Settings(peers=(NORTH, PeerSettings("peer-3")))
    assert [peer.name for peer in chosen_peers(settings, [], 4)] == ["north", "peer-3", "peer-4", "peer-5"]


def test_an_unknown_peer_is_answered_with_the_known_ones():
    with pytest.raises(ShoalError, match="north, south") as refused:
        chosen_peers(TWO, ["west"], None)
    assert refused.value.code == ERR_NOT_FOUND


def test_the_tracker_runs_only_where_the_configuration_says_so(tmp_path):
    settings = msgspec.structs.replace(TWO, tracker=msgspec.structs.replace(TWO.tracker, run=True))
    labels = [program.label for program in programs_for(settings, tmp_path, [NORTH], gateways=True)]
    assert labels == ["tracker", "peer north", "gateway north"]
    assert [program.label for program in programs_for(TWO, tmp_path, [NORTH], gateways=False)] == ["peer north"]


def test_another_program_may_play_the_peers(tmp_path):
    (program,) = programs_for(TWO, tmp_path, [NORTH], gateways=False, peer_program="experiments.actor")
    assert program.command[-2:] == ("experiments.actor", "north")


@pytest.mark.parametrize(
    "arguments", [["--peers", "x"], ["--peers", "-1"], ["--peers", "1001"], ["--nonsense"], ["north", "--peers", "2"]]
)
def test_a_wrong_command_line_is_one_error(arguments):
    with pytest.raises(ShoalError, match="see shoal up --help") as refused:
        parse(arguments)
    assert refused.value.code == ERR_USAGE


def test_a_page_s_token_is_shown_only_where_nobody_else_reads(tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    up = PeerUp("north", "id", "tcp://h:1", "c", "e", "w", 1, "d", "d", "http://h:5000", str(tmp_path / "token"), 2)
    report = Report(TrackerReady("tcp://h:9", "ab", "e", "w", 3, "d"), [up])
    assert "http://h:5000/#token=s3cret\n" in for_people(report, with_token=True)
    assert "s3cret" not in for_people(report, with_token=False)
    assert "http://h:5000\n" in for_people(report, with_token=False)


def test_a_peer_without_a_page_is_reported_as_such():
    up = PeerUp("north", "id", "tcp://h:1", "c", "e", "w", 1, "d", "d", None, None, None)
    assert for_people(Report(None, [up]), with_token=True) == "north    tcp://h:1\nReady. Ctrl-C stops everything."
