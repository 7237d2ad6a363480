"""`tumortrace eval vqa`: phantoms, questions, answers, scores.

OUT/plan.json           what was asked for; a folder goes on only with the same plan
OUT/phantoms/NAME/      the phantoms, and under views/ the label maps that were made from theirs
OUT/results/CASE.jsonl  one line per question, written as it is answered: a killed run goes on where it was
OUT/results.jsonl       all of them; summary.json, summary.md and accuracy.html say what they come to
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.errors import UsageError
from agent.files import atomic_write
from evals.controls import constant_answer, shuffled_plan, write_control_scan
from evals.jobs import claim, read_rows, run_jobs
from evals.marking import mark
from evals.metrics import Marked
from evals.questions import make_questions
from evals.questions_model import Question
from evals.questions_truth import Seen, read_truth
from evals.view_files import read_label_table, write_view
from evals.views import View
from evals.vqa_cases import VIEWS, CasePlan, plan_cases
from evals.vqa_options import VqaOptions

Progress = Callable[[str, int, int], None]
FORMAT = 1


@dataclass(frozen=True)
class Job:
    """Questions about one case, where its files are, and where its results go.

    Attributes:
        constant: answer without looking.
        control: the scan is none of a patient, and refusing it is an answer.
    """

    name: str
    scan: Path
    labels: tuple[Path, ...]
    questions: tuple[Question, ...]
    results: Path
    constant: bool = False
    control: bool = False


def run_vqa(options: VqaOptions, progress: Progress = lambda what, done, total: None) -> list[Marked]:
    """Make the phantoms, ask every question, and mark the answers.

    Args:
        options: what to run.
        progress: told what is done, how much of it, of how much.

    Raises:
        UsageError: the folder holds another run, or cannot be written.
    """
    claim(
        options.out,
        {"format": FORMAT, "phantoms": options.phantoms, "seed": options.seed, "control": options.control},
    )
    plans = plan_cases(options.phantoms, options.seed)
    if options.control is not None:
        plans = [plan for plan in plans if plan.view.name == "full"]
    folders = dict(_phantoms(plans, options, progress))
    jobs = _jobs(plans, folders, options)
    total = sum(len(job.questions) for job in jobs)
    done = 0
    progress("questions", 0, total)
    for count in run_jobs(answer_job, jobs, options.workers):
        done += count
        progress("questions", done, total)
    marked = [one for job in jobs for one in results_of(job)]
    lines = "".join(one.model_dump_json() + "\n" for one in marked)
    atomic_write(options.out / "results.jsonl", lines)
    return marked


def _phantoms(plans: Sequence[CasePlan], options: VqaOptions, progress: Progress) -> Iterator[tuple[str, Path]]:
    wanted = list({plan.phantom: plan for plan in plans}.values())
    for number, plan in enumerate(wanted):
        progress("phantoms", number, len(wanted))
        yield plan.phantom, make_one(plan, options.out / "phantoms" / plan.phantom)
    progress("phantoms", len(wanted), len(wanted))


def make_one(plan: CasePlan, folder: Path) -> Path:
    """Write a plan's phantom unless it is there: of the first patient that its lesions fit into.

    Raises:
        UsageError: they fit into none.
    """
    from evals.phantom import make_phantom  # noqa: PLC0415  (scipy: only when a phantom is made)
    from evals.phantom_io import write_phantom  # noqa: PLC0415

    if (folder / "truth.json").exists():
        return folder
    refused: UsageError | None = None
    for candidate in plan.candidates:
        try:
            phantom = make_phantom(candidate)
        except UsageError as error:
            refused = error
            continue
        write_phantom(phantom, folder)
        return folder
    raise UsageError(f"no patient fits the phantom {plan.phantom}: {refused}")


def questions_of(plan: CasePlan, folder: Path, seed: int, shown: Path | None = None) -> list[Question]:
    """The questions of a case, from the phantom's truth and what is handed over.

    Args:
        plan: the case.
        folder: folder of the phantom.
        seed: draws wordings, layouts and options.
        shown: folder of another phantom, on whose scan they will be asked.
    """
    seen = seen_through(plan.view, folder, plan.phantom)
    other = seen_through(plan.view, shown, plan.phantom) if shown is not None and shown != folder else None
    return make_questions(seen, seed, undecidable_only=not plan.whole, other=other)


def seen_through(view: View, folder: Path, name: str) -> Seen:
    """A phantom's truth through a view."""
    truth = read_truth(folder / "truth.json", name)
    classes = {"labels": read_label_table(folder / "labels.nii.gz"), "parts": read_label_table(folder / "parts.nii.gz")}
    return Seen(truth, view, view.declared({"labels": classes["labels"], "parts": classes["parts"]}))


def _jobs(plans: Sequence[CasePlan], folders: dict[str, Path], options: VqaOptions) -> list[Job]:
    other = shuffled_plan(list(folders)) if options.control == "shuffled" else {}
    jobs = []
    for plan in plans:
        folder = folders[plan.phantom]
        shown = folders[other.get(plan.phantom, plan.phantom)]
        scan, view = shown / "ct.nii.gz", plan.view
        if options.control in {"blank", "noise"}:
            scan = write_control_scan(
                options.control, scan, folder / "controls" / f"{options.control}.nii.gz", options.seed
            )
            view = VIEWS["blank"]
        # On noise nothing is labelled at all; on a blank scan the classes are declared, and empty.
        bare = options.control in {"noise", "constant"}
        labels = () if bare else write_view(view, shown, shown / "views")
        jobs.append(
            Job(
                plan.name, scan, labels, tuple(questions_of(plan, folder, options.seed, shown)),
                options.out / "results" / f"{plan.name}.jsonl", constant=options.control == "constant",
                control=options.control in {"blank", "noise"},
            )
        )  # fmt: skip
    return jobs


def answer_job(job: Job) -> Iterator[int]:
    """Answer the questions of a case that have no result yet; yields how many are done, one or several at a time.

    Each result is a line of its own, written at once.
    """
    from evals.vqa_answer import answering  # noqa: PLC0415  (the agent: not needed for control answers and tables)

    known = {one.question.qid for one in read_rows(job.results, Marked)}
    missing = [question for question in job.questions if question.qid not in known]
    yield len(job.questions) - len(missing)
    if not missing:
        return
    job.results.parent.mkdir(parents=True, exist_ok=True)
    with job.results.open("a", encoding="utf-8") as stream:
        if job.constant:
            for question in missing:
                _put(stream.write, Marked(question=question, given=(given := constant_answer(question)),
                                          outcome=mark(question, given)))  # fmt: skip
            yield len(missing)
            return
        with answering(job.scan, job.labels, job.control) as agent:
            for question in missing:
                given = agent.answer(question)
                _put(stream.write, Marked(question=question, given=given, outcome=mark(question, given)))
                stream.flush()
                yield 1


def results_of(job: Job) -> list[Marked]:
    """The results of a case in the order of its questions, marked anew by the truth as it is now."""
    known = {one.question.qid: one.given for one in read_rows(job.results, Marked)}
    return [
        Marked(question=question, given=known[question.qid], outcome=mark(question, known[question.qid]))
        for question in job.questions
        if question.qid in known
    ]


def _put(write: Callable[[str], int], one: Marked) -> None:
    write(one.model_dump_json() + "\n")
