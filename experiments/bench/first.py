"""`make bench-first`: how close Shoal's whole path comes to a bare encrypted pump on the same machine.

Source and destination lie on a RAM disk, so that the disk is not what is measured. The two take turns, and every
round starts from nothing: new processes, new state, no file left from before.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from bus.errors import ERR_DISK_FULL, ERR_USAGE, FAILURE, INTERRUPTED, OK, ShoalError
from bus.units import format_size, parse_size
from experiments.bench.comparison import MEMORY_ALLOWED, RATIO_WANTED, Comparison, Round, compare, markdown
from experiments.bench.pump import MESSAGE, digests_of, pump
from experiments.bench.transfer import transfer
from experiments.bench.usage import Others
from experiments.material import write_material
from experiments.provenance import provenance

RAM_DISK: Final = Path("/dev/shm")
RESULTS: Final = Path(__file__).parent / "out"
RECORD: Final = Path(__file__).parents[2] / "docs" / "PERFORMANCE.md"
BEGIN: Final = "<!-- bench-first: written by --record -->"
END: Final = "<!-- end of bench-first -->"
HEADROOM: Final = 2**30
"""Bytes that must be free beside the file twice: the processes, and what a download leaves free of its disk."""
SEED: Final = 1


def measure(size: int, rounds: int, directory: Path, command: str) -> Comparison:
    """Run the benchmark.

    Args:
        size: of the file, bytes.
        rounds: counted ones; one more is the warm-up.
        directory: on a RAM disk.
        command: what made it, for the record.

    Raises:
        ShoalError: no room, or a run failed.
    """
    check_room(size, directory)
    with tempfile.TemporaryDirectory(prefix="shoal-bench-", dir=directory) as made:
        work = Path(made)
        source, digests = work / "source.bin", work / "digests"
        write_material(source, size, SEED)
        digests.write_bytes(digests_of(source))
        done = []
        for number in range(rounds + 1):
            row = _round(source, digests, work)
            label = f"round {number}" if number else "warm-up"
            print(f"{label}: {_line(size, row)}", file=sys.stderr, flush=True)
            done.append(row)
    return compare(command, provenance(), size, done[1:])


def _round(source: Path, digests: Path, work: Path) -> Round:
    others = Others()
    pumped = pump(source, digests, work / "pumped.bin")
    (work / "pumped.bin").unlink()
    transferred = transfer(source, work / "base")
    shutil.rmtree(work / "base")
    return Round(pumped, transferred, others.share())


def _line(size: int, row: Round) -> str:
    pumped, fetched = size / row.pump.seconds / 10**6, size / row.shoal.seconds / 10**6
    return f"pump {pumped:.0f} MB/s, shoal {fetched:.0f} MB/s, ratio {fetched / pumped:.2f}, others {row.others:.0%}"


def check_room(size: int, directory: Path) -> None:
    """Raises ShoalError, ERR_DISK_FULL, unless two files of this size fit, in the memory too.  Swap does not count."""
    needed = 2 * size + HEADROOM
    places = {f"{directory} has": shutil.disk_usage(directory).free, "the machine's memory has": _memory_free()}
    for place, free in places.items():
        if free < needed:
            raise ShoalError(
                ERR_DISK_FULL, f"{place} {format_size(free)} free, {format_size(needed)} are needed; choose a --size"
            )


def _memory_free() -> int:
    rows = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return next(int(row[1]) * 1024 for row in rows if row[0] == "MemAvailable:")


def record(text: str, page: Path) -> None:
    """Replace what stands between the marks of a page.

    Raises:
        ShoalError: ERR_USAGE, the page has no marks.
    """
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ShoalError(ERR_USAGE, f"{page} has no lines {BEGIN} and {END} to write between")
    page.write_text(f"{before}{BEGIN}\n{text}{END}{after}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m experiments.bench.first", description="Shoal against a bare pump.")
    parser.add_argument("--size", default="2 GiB", help="of the file (default: 2 GiB)")
    parser.add_argument("--rounds", type=int, default=3, help="beside the warm-up (default: 3)")
    parser.add_argument("--directory", type=Path, default=RAM_DISK, help=f"on a RAM disk (default: {RAM_DISK})")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS, metavar="DIR", help="where first.json and .md go")
    parser.add_argument("--record", action="store_true", help="write the table into docs/PERFORMANCE.md too")
    chosen = parser.parse_args(arguments)
    try:
        chosen.size = parse_size(chosen.size)
    except ValueError as error:
        parser.error(f"--size: {error}")
    if chosen.rounds < 1 or chosen.size < MESSAGE:
        parser.error("at least one round and 1 MiB are needed")
    return chosen


def run(arguments: Sequence[str]) -> int:
    """Measure, print, keep; exit code 1 if what is wanted is not reached."""
    chosen = parse(arguments)
    command = " ".join(["python -m experiments.bench.first", *arguments])
    result = measure(chosen.size, chosen.rounds, chosen.directory, command)
    text = markdown(result)
    chosen.output.mkdir(parents=True, exist_ok=True)
    (chosen.output / "first.json").write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    (chosen.output / "first.md").write_text(text)
    if chosen.record:
        record(text, RECORD)
    print(text)
    if not result.reached:
        print(f"NOT REACHED: ratio {RATIO_WANTED:g}, memory under {format_size(MEMORY_ALLOWED)}", file=sys.stderr)
    return OK if result.reached else FAILURE


def main() -> int:
    try:
        return run(sys.argv[1:])
    except ShoalError as error:
        print(f"bench-first: {error}", file=sys.stderr)
        return error.outcome.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
