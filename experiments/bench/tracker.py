"""`python -m experiments.bench.tracker`: what one tracker on one core of one machine answers, and how fast.

The tracker is the real one, as its own process with the default settings, kept to one core with all its threads. Its
clients are real encrypted connections from another process on another core. Beside it, in turns, a bare ROUTER with
the same encryption answers the same requests on the same core.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from bus.errors import ERR_FAILURE, ERR_TIMEOUT, ERR_USAGE, ShoalError
from bus.places import TrackerPlaces
from bus.process import Process
from bus.ready import TrackerReady
from experiments.bench.tracker_figures import MIXES, Figures, Round, figures_of, markdown
from experiments.bench.tracker_limit import Ready
from experiments.bench.tracker_load import OUTSTANDING, Load, Mix, Order
from experiments.bench.tracker_population import Population, write_database
from experiments.bench.usage import Others, usage_of
from experiments.provenance import provenance

POPULATION: Final = Population()
FEW_CONTENTS: Final = 1_000
SECONDS: Final = 3.0
"""Of each measurement."""
ROUNDS: Final = 5
RESULTS: Final = Path(__file__).parent / "out"
_START: Final = 120.0
"""Seconds within which a tracker must have read its database."""
_LOOK: Final = 0.05


def measure(
    directory: Path,
    command: str = "",
    *,
    population: Population = POPULATION,
    few_contents: int = FEW_CONTENTS,
    mix: Mix = "mixed",
    seconds: float = SECONDS,
    rounds: int = ROUNDS,
) -> Figures:
    """Run the benchmark.

    Args:
        directory: for the trackers' state; the caller removes it.
        command: what made it, for the record.
        population: whom the tracker knows.
        few_contents: of the tracker that it is compared with.
        mix: what is asked.
        seconds: of each measurement, four a round.
        rounds: counted ones; one more is the warm-up.

    Raises:
        ShoalError: a process failed, or the machine has one core only.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise ShoalError(ERR_USAGE, "the tracker and its clients need a core each, and this process may use one only")
    few = msgspec.structs.replace(population, contents=few_contents)
    with ExitStack() as stack:
        begin = time.monotonic()
        write_database(_places(directory / "full").tracker_db, population)
        write_database(_places(directory / "few").tracker_db, few)
        written = time.monotonic()
        full_tracker = stack.enter_context(started_tracker(directory / "full", cores[0]))
        start_seconds = time.monotonic() - written
        few_tracker = stack.enter_context(started_tracker(directory / "few", cores[0]))
        bare = stack.enter_context(_started_bare(population, cores[0]))
        print(f"ready after {time.monotonic() - begin:.1f} s", file=sys.stderr, flush=True)

        def ordered(server: Ready, among: Population, rate: float = 0.0) -> Load:
            return run_load(
                Order(server.endpoint, server.key, server.pid, cores[1], among, mix, seconds, OUTSTANDING, rate)
            )

        done = []
        for number in range(rounds + 1):
            others = Others()
            bare_load, full_load = ordered(bare, population), ordered(full_tracker, population)
            few_load = ordered(few_tracker, few)
            half = ordered(full_tracker, population, full_load.rate / 2)
            row = Round(bare_load, full_load, few_load, half, others.share())
            print(f"{f'round {number}' if number else 'warm-up'}: {_line(row)}", file=sys.stderr, flush=True)
            done.append(row)
        peak = usage_of(full_tracker.pid).own_bytes
    return figures_of(command, provenance(), population, few_contents, mix, done[1:], start_seconds, peak)


def run_load(order: Order) -> Load:
    """One load, from a process of its own."""
    command = [sys.executable, "-P", "-m", "experiments.bench.tracker_load", msgspec.json.encode(order).decode()]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise ShoalError(ERR_FAILURE, f"the load on the tracker broke: exit code {done.returncode}")
    return msgspec.json.decode(done.stdout, type=Load)


@contextmanager
def started_tracker(base_dir: Path, core: int) -> Iterator[Ready]:
    """A tracker with the default settings and what state `base_dir` has, on one core, until the end of the block."""
    config = base_dir / "config.yaml"
    config.write_bytes(
        msgspec.yaml.encode({"data_dir": str(base_dir), "tracker": {"run": True, "listen": "tcp://127.0.0.1:0"}})
    )
    command = [sys.executable, "-P", "-m", "tracker", "--config", str(config), "--base-dir", str(base_dir)]
    process = Process(command, {}, base_dir / "ready.json", base_dir / "tracker.log")
    try:
        os.sched_setaffinity(process.pid, {core})  # it has one thread yet; the others inherit it
        deadline = time.monotonic() + _START
        while (ready := process.served(TrackerReady)) is None:
            if process.ended() is not None:
                raise ShoalError(ERR_FAILURE, f"the tracker ended: {process.last_words()}")
            if time.monotonic() > deadline:
                raise ShoalError(ERR_TIMEOUT, f"the tracker does not serve within {_START:g} s")
            time.sleep(_LOOK)
        yield Ready(ready.endpoint, ready.public_key, ready.pid)
    finally:
        process.kill()


@contextmanager
def _started_bare(population: Population, core: int) -> Iterator[Ready]:
    command = [sys.executable, "-P", "-m", "experiments.bench.tracker_limit", str(population.contents)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            os.sched_setaffinity(process.pid, {core})
            assert process.stdout is not None
            yield msgspec.json.decode(process.stdout.readline(), type=Ready)
        finally:
            process.kill()


def _places(base_dir: Path) -> TrackerPlaces:
    places = TrackerPlaces(base_dir)
    places.prepare()
    return places


def _line(row: Round) -> str:
    return (
        f"bare {row.bare.rate:.0f}/s {1e6 * row.bare.cpu_per_request:.0f} us, "
        f"tracker {row.full.rate:.0f}/s {1e6 * row.full.cpu_per_request:.0f} us, "
        f"few contents {1e6 * row.few.cpu_per_request:.0f} us, half load p50 {1000 * row.half.p50:.2f} ms, "
        f"p99 {1000 * row.half.p99:.2f} ms, {row.full.peers_listed:g} peers an answer, others {row.others:.0%}"
    )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m experiments.bench.tracker", description="A tracker on one core.")
    parser.add_argument("--mix", choices=list(MIXES), default="mixed", help="what is asked (default: mixed)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"beside the warm-up (default: {ROUNDS})")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of each measurement (default: {SECONDS:g})")
    parser.add_argument("--peers", type=int, default=POPULATION.peers)
    parser.add_argument("--connected", type=int, default=POPULATION.connected)
    parser.add_argument("--contents", type=int, default=POPULATION.contents)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS, metavar="DIR", help="for tracker.json and .md")
    chosen = parser.parse_args(arguments)
    if chosen.rounds < 1 or chosen.seconds <= 0:
        parser.error("at least one round of some time is needed")
    if not 0 < chosen.connected <= chosen.peers or chosen.contents < FEW_CONTENTS:
        parser.error(f"peers connect that are registered, and at least {FEW_CONTENTS} contents are needed")
    return chosen


def run(arguments: Sequence[str]) -> int:
    """Measure, print, keep; exit code 1 if what is wanted is not reached."""
    chosen = parse(arguments)
    population = Population(chosen.peers, chosen.connected, chosen.contents)
    command = " ".join(["python -m experiments.bench.tracker", *arguments])
    with tempfile.TemporaryDirectory(prefix="shoal-bench-") as made:
        figures = measure(
            Path(made), command, population=population, mix=chosen.mix, seconds=chosen.seconds, rounds=chosen.rounds
        )
    text = markdown(figures)
    chosen.output.mkdir(parents=True, exist_ok=True)
    (chosen.output / "tracker.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    (chosen.output / "tracker.md").write_text(text)
    print(text)
    return OK if figures.reached else FAILURE


def main() -> int:
    try:
        return run(sys.argv[1:])
    except ShoalError as error:
        print(f"tracker: {error}", file=sys.stderr)
        return error.outcome.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
