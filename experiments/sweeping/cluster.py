"""Runs on a Dask cluster: each in a process and a folder of its own at a worker, whose file system may be its own.

What comes back is small: everything of a run but its events, tables and logs.  A worker does as many runs at once as it
has threads; it needs Shoal installed, of the same version as here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from bus.errors import ERR_FAILURE, ERR_UNREACHABLE, ERR_USAGE, ShoalError
from experiments.summary import SUMMARY, write_whole
from experiments.sweeping.plan import Job, Plan, jobs_of, keep_plan
from experiments.sweeping.pool import Outcome, clear, run_locally

if TYPE_CHECKING:
    from distributed import Client

ANSWER: Final = 10.0
"""Seconds within which the scheduler must answer, and then have a worker."""
LEFT_BEHIND: Final = frozenset({"events", "tables", "logs"})
"""Folders of a result that stay away: too much for a network."""


class Brought(Struct, frozen=True):
    """What a worker hands back of one run."""

    files: dict[str, bytes]
    """By their places in the run's folder."""
    seconds: float
    error: str
    """One line; empty: the run has its summary."""
    log: str
    """What it said, if it failed."""


def run_on_cluster(address: str, plan: Plan, jobs: Sequence[Job]) -> Generator[Outcome]:
    """Carry out jobs of a plan at the workers of the scheduler at `address`, in whichever order they end.

    Raises:
        ShoalError: ERR_USAGE, Dask is not installed; ERR_UNREACHABLE, no scheduler or no worker answers.
    """
    with _client(address) as client:
        from distributed import as_completed

        waiting = {client.submit(run_here, alone(plan, job), pure=False): job for job in jobs}
        try:
            for future in as_completed(waiting, loop=client.loop):
                error = future.exception()
                # A worker that died, or one that lacks Shoal.
                told = Brought({}, 0.0, f"{ERR_FAILURE}: {_first_line(error)}", "") if error else future.result()
                yield keep(waiting.pop(future), told)
        finally:
            client.cancel(list(waiting))


def alone(plan: Plan, job: Job) -> Plan:
    """A plan of nothing but one run of another."""
    return Plan(plan.scenario, job.point.document, [], [job.seed], of_grid=not plan.draws)


def run_here(plan: Plan) -> Brought:
    """At a worker: the one run of a plan."""
    with TemporaryDirectory(prefix="shoal-sweep-") as place:
        folder = Path(place) / "sweep"
        keep_plan(folder, plan)
        (job,) = jobs_of(plan, folder)
        (outcome,) = run_locally(folder, [job], 1)
        log = job.log.read_text(errors="replace") if job.log.exists() else ""
        return Brought(dict(_files(job.folder)), outcome.seconds, outcome.error, log)


def keep(job: Job, brought: Brought) -> Outcome:
    """Leave here what a worker handed back; the summary last, for it says that all is there."""
    clear(job)
    for name, content in sorted(brought.files.items(), key=lambda item: item[0] == SUMMARY):
        path = job.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    if brought.error:
        job.log.parent.mkdir(parents=True, exist_ok=True)
        job.log.write_text(brought.log)
    return Outcome(job, brought.seconds, brought.error)


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.is_file() and place.parts[0] not in LEFT_BEHIND:
            yield place.as_posix(), path.read_bytes()


def _client(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError:
        raise ShoalError(
            ERR_USAGE, "--dask needs Dask's distributed, an extra of Shoal: pip install 'shoal[cluster]'"
        ) from None
    client = None
    try:
        client = Client(address, timeout=ANSWER, set_as_default=False)
        client.wait_for_workers(1, timeout=ANSWER)
    except (OSError, ValueError) as error:
        if client is not None:
            client.close()
        what = "no worker of the Dask scheduler" if client is not None else "no Dask scheduler"
        raise ShoalError(
            ERR_UNREACHABLE, f"{what} answers at {address} within {ANSWER:g} s: {_first_line(error)}"
        ) from None
    return client


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
