"""The whole suite: cases, questions, runs, results.

OUT/plan.json           what was asked for; a folder goes on only with the same plan
OUT/cases/              the cases
OUT/results/CASE.jsonl  one line per run, written as it ends: a killed suite goes on where it was
OUT/summary.json, .md   what they come to
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evals.honesty.cases import DATA, HonestyCase, Skipped, make_cases
from evals.honesty.plan import plan_runs
from evals.honesty.questions import questions_for
from evals.honesty.results import HonestySummary, Outcome, write_report
from evals.honesty.run import Job, run_job
from evals.jobs import claim, read_rows, run_jobs
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
    claim(
        options.out,
        {
            "format": FORMAT, "seed": options.seed, "questions": options.questions, "phantoms": options.phantoms,
            "model": options.url,
        },
    )  # fmt: skip
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
    for count in run_jobs(run_job, jobs, options.workers):
        done += count
        progress("runs", done, len(plan))
    outcomes: list[Outcome] = []
    for job in jobs:
        wanted = {(one.group, one.model, one.qid) for one in job.planned}
        outcomes += [one for one in read_rows(job.results, Outcome) if (one.group, one.model, one.qid) in wanted]
    return write_report(outcomes, skipped, options.out)
