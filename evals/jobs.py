"""What long evaluations share: a folder that goes on only with its own plan, jobs in processes, rows of results.

OUT/plan.json holds what was asked for; each job appends a line of JSON to its own file as soon as it has a result, so
that an evaluation that was killed goes on where it was.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agent.errors import UsageError
from agent.files import atomic_write

JobT = TypeVar("JobT")
RowT = TypeVar("RowT", bound=BaseModel)


def claim(out: Path, plan: Mapping[str, Any]) -> None:
    """Take a folder for the results of a plan, or go on in the one that has them.

    Raises:
        UsageError: the folder holds another run, or cannot be written.
    """
    path = out / "plan.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        if path.exists():
            if json.loads(path.read_bytes()) != plan:
                raise UsageError(f"{out} holds another run (see plan.json): choose another folder with --out")
        else:
            atomic_write(path, json.dumps(plan) + "\n")
    except (OSError, ValueError) as error:
        raise UsageError(f"{out} cannot be used for results ({error}): choose another folder") from error


def run_jobs(work: Callable[[JobT], Iterator[int]], jobs: Sequence[JobT], workers: int) -> Iterator[int]:
    """Do all jobs, each by one process; yields how many results are finished since the last time.

    Args:
        work: does one job and yields how many results it has finished; a function of a module, for other processes.
        jobs: what to do.
        workers: processes; with one, the jobs are done in this process and tell each result.
    """
    if workers == 1:
        for job in jobs:
            yield from work(job)
        return
    # Fresh processes: nothing that this one has loaded or locked goes along.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=workers, mp_context=context) as pool:
        waiting: set[Future[int]] = {pool.submit(_whole, work, job) for job in jobs}
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for one in finished:
                yield one.result()


def _whole(work: Callable[[JobT], Iterator[int]], job: JobT) -> int:
    return sum(work(job))


def read_rows(path: Path, kind: type[RowT]) -> list[RowT]:
    """Results of a file; a last line that was cut off by a kill is left out, and the file mended.

    Raises:
        UsageError: a line that is none of ours.
    """
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        atomic_write(path, whole)
    try:
        return [kind.model_validate_json(line) for line in whole.splitlines()]
    except ValidationError as error:
        raise UsageError(f"{path} holds lines that are no results: remove it, or choose another folder") from error
