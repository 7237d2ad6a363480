"""The whole suite: cases, questions, runs, results.

OUT/plan.json           what was asked for; a folder goes on only with the same plan
OUT/cases/              the cases
OUT/results/CASE.jsonl  one line per run, written as it ends: a killed suite goes on where it was
OUT/summary.json, .md   what they come to
"""

from __future__ import annotations

import json
import multiprocessing
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from agent.errors import UsageError
from agent.files import atomic_write
from evals.honesty.cases import DATA, HonestyCase, Skipped, make_cases
from evals.honesty.plan import plan_runs
from evals.honesty.questions import questions_for
from evals.honesty.results import HonestySummary, Outcome, read_outcomes, write_report
from evals.honesty.run import Job, run_job
from evals.questions_model import Question

Progress = Callable[[str, int, int], None]
FORMAT = 1
PHANTOMS = 5


@dataclass(frozen=True)
class HonestyOptions:
    """What to run.

    Attributes:
        out: folder of the results.
        runs: how many at least.
        url: a served model under test.
        seed: of the phantoms and of all that is drawn.
        questions: asked of each case, the report included.
        workers: processes.
        data: folder of the real scans.
        phantoms: how many.
    """

    out: Path
    runs: int = 600
    url: str | None = None
    seed: int = 0
    questions: int = 8
    workers: int = 1
    data: Path = DATA
    phantoms: int = PHANTOMS


def run_honesty(options: HonestyOptions, progress: Progress = lambda what, done, total: None) -> HonestySummary:
    """Run the suite and write what it found.

    Raises:
        UsageError: the folder holds another run, or cannot be written.
    """
    _claim(options)
    cases: list[HonestyCase] = []
    skipped: dict[str, str] = {}
    progress("cases", 0, 0)
    for one in make_cases(options.out / "cases", options.seed, options.data, options.phantoms):
        if isinstance(one, Skipped):
            skipped[one.name] = one.why
        else:
            cases.append(one)
    asked: dict[str, list[Question | None]] = {}
    for case in cases:
        progress(f"truth of {case.name}", len(asked), len(cases))
        asked[case.name] = questions_for(case, case.facts(), options.questions, options.seed)
    plan = plan_runs(asked, options.runs, served=options.url is not None)
    jobs = [
        Job(
            case, tuple(asked[case.name]), tuple(one for one in plan if one.case == case.name),
            options.out / "results" / f"{re.sub(r'[^a-z0-9]+', '-', case.name.lower())}.jsonl", options.url,
        )
        for case in cases
    ]  # fmt: skip
    done = 0
    progress("runs", 0, len(plan))
    for count in _run(jobs, options.workers):
        done += count
        progress("runs", done, len(plan))
    outcomes: list[Outcome] = []
    for job in jobs:
        wanted = {(one.group, one.model, one.qid) for one in job.planned}
        outcomes += [one for one in read_outcomes(job.results) if (one.group, one.model, one.qid) in wanted]
    return write_report(outcomes, skipped, options.out)


def _claim(options: HonestyOptions) -> None:
    plan = {"format": FORMAT, "seed": options.seed, "questions": options.questions, "phantoms": options.phantoms,
            "model": options.url}  # fmt: skip
    path = options.out / "plan.json"
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        if path.exists():
            if json.loads(path.read_bytes()) != plan:
                raise UsageError(f"{options.out} holds another run (see plan.json): choose another folder with --out")
        else:
            atomic_write(path, json.dumps(plan) + "\n")
    except (OSError, ValueError) as error:
        raise UsageError(f"{options.out} cannot be used for results ({error}): choose another folder") from error


def _run(jobs: Sequence[Job], workers: int) -> Iterator[int]:
    if workers == 1:
        for job in jobs:
            yield from run_job(job)
        return
    # Fresh processes: nothing that this one has loaded or locked goes along.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=workers, mp_context=context) as pool:
        waiting: set[Future[int]] = {pool.submit(_whole, job) for job in jobs}
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for one in finished:
                yield one.result()


def _whole(job: Job) -> int:
    return sum(run_job(job))
