"""What an answer costs: the program with a served model, and the same model in a ReAct loop, question by question."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agent.cases import CaseFiles, open_case
from agent.engine import Engine
from agent.files import atomic_write
from agent.models.client import Client
from agent.models.endpoint import Endpoint
from agent.models.vllm import ServedModel
from agent.settings import Settings
from evals.marking import Outcome, mark
from evals.questions_model import Question
from evals.react.loop import React, given_of
from evals.view_files import write_view
from evals.vqa import make_one, questions_of
from evals.vqa_answer import given_of as given_by_report
from evals.vqa_cases import plan_cases
from tools.base import Case

Progress = Callable[[str, int, int], None]
System = Literal["tumortrace", "react"]
_GOOD = frozenset({"right", "named"})


class Spent(BaseModel):
    """One question, answered by one of the two."""

    model_config = ConfigDict(extra="forbid")

    system: System
    qid: str
    layout: str
    question: str
    outcome: Outcome
    calls: int
    prompt_tokens: int
    output_tokens: int
    tools: int
    seconds: float
    text: str = ""


class Total(BaseModel):
    """All questions, answered by one of the two.

    Attributes:
        calls, output_tokens, prompt_tokens, seconds: per question.
        right_choice, right_free: share of right answers (or rightly named undecidable) by layout; None without any.
        wrong: share of answers that are wrong, or given where nothing decides.
    """

    model_config = ConfigDict(extra="forbid")

    questions: int
    calls: float
    output_tokens: float
    prompt_tokens: float
    seconds: float
    right: float
    right_choice: float | None
    right_free: float | None
    wrong: float


class CostSummary(BaseModel):
    """Ours against the baseline.

    Attributes:
        calls_ratio, tokens_ratio: ours by the baseline's; None where the baseline took none.
        cheaper: at most half of both, at equal or better accuracy.
    """

    model_config = ConfigDict(extra="forbid")

    model: str
    tumortrace: Total
    react: Total
    calls_ratio: float | None
    tokens_ratio: float | None
    cheaper: bool


@dataclass(frozen=True)
class CostOptions:
    """What to run."""

    out: Path
    url: str
    questions: int = 40
    phantoms: int = 2
    seed: int = 0


def run_cost(options: CostOptions, progress: Progress = lambda what, done, total: None) -> CostSummary:
    """Ask both the same questions about phantoms, and write what it took.

    Raises:
        UsageError: the address is none, or the folder cannot be used.
        ModelUnavailable: the server is away.
    """
    endpoint = Endpoint.parse(options.url)
    spent: list[Spent] = []
    with (
        Client(endpoint) as client,
        tempfile.TemporaryDirectory(prefix="tumortrace-cost-") as home,
        React(endpoint, client.name) as react,
    ):
        name = client.name
        engine = Engine(Settings(home=Path(home) / "runs", cache=Path(home) / "cache"), ServedModel(client))
        for case, questions in _cases(options):
            for question in questions:
                progress("questions", len(spent) // 2, options.questions)
                spent.append(_ours(engine, case, question, Path(home) / "run"))
                spent.append(_baseline(react, case, question))
    summary = summarise(name, spent)
    options.out.mkdir(parents=True, exist_ok=True)
    atomic_write(options.out / "questions.jsonl", "".join(one.model_dump_json() + "\n" for one in spent))
    atomic_write(options.out / "summary.json", summary.model_dump_json(indent=1) + "\n")
    atomic_write(options.out / "summary.md", markdown(summary))
    return summary


def _cases(options: CostOptions) -> list[tuple[Case, list[Question]]]:
    plans = [plan for plan in plan_cases(options.phantoms, options.seed) if plan.view.name == "full"]
    share = -(-options.questions // len(plans))
    found = []
    left = options.questions
    for plan in plans:
        folder = make_one(plan, options.out / "phantoms" / plan.phantom)
        labels = write_view(plan.view, folder, folder / "views")
        pool = questions_of(plan, folder, options.seed)
        # Every n-th: all kinds in turn, both layouts.
        step = max(1, len(pool) // share)
        chosen = pool[::step][: min(share, left)]
        left -= len(chosen)
        found.append((open_case(CaseFiles(folder / "ct.nii.gz", labels)), chosen))
    return found


def _ours(engine: Engine, case: Case, question: Question, out: Path) -> Spent:
    begin = time.perf_counter()
    try:
        made, state = engine.ask(case, question.text, options=question.options, out=out)
    finally:
        shutil.rmtree(out, ignore_errors=True)
    seconds = time.perf_counter() - begin
    return Spent(
        system="tumortrace", qid=question.qid, layout=question.layout, question=question.text,
        outcome=mark(question, given_by_report(made, state, seconds)), calls=state.usage.calls,
        prompt_tokens=state.usage.prompt_tokens, output_tokens=state.usage.output_tokens, tools=len(state.done),
        seconds=seconds, text=made.answer.text[:300] if made.answer else "",
    )  # fmt: skip


def _baseline(react: React, case: Case, question: Question) -> Spent:
    episode = react.answer(case, question)
    given = given_of(episode.text, question, episode.seconds)
    return Spent(
        system="react", qid=question.qid, layout=question.layout, question=question.text,
        outcome=mark(question, given), calls=episode.calls, prompt_tokens=episode.prompt_tokens,
        output_tokens=episode.output_tokens, tools=episode.tools, seconds=episode.seconds, text=episode.text[:300],
    )  # fmt: skip


def summarise(model: str, spent: Sequence[Spent]) -> CostSummary:
    """Totals and ratios."""
    ours, theirs = (total([one for one in spent if one.system == name]) for name in ("tumortrace", "react"))
    calls = ours.calls / theirs.calls if theirs.calls else None
    tokens = ours.output_tokens / theirs.output_tokens if theirs.output_tokens else None
    cheap = calls is not None and tokens is not None and calls <= 0.5 and tokens <= 0.5
    return CostSummary(
        model=model, tumortrace=ours, react=theirs, calls_ratio=calls, tokens_ratio=tokens,
        cheaper=cheap and ours.right >= theirs.right,
    )  # fmt: skip


def total(spent: Sequence[Spent]) -> Total:
    """Means over questions."""
    count = len(spent)

    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values) if values else 0.0

    def right(layout: str | None = None) -> float | None:
        some = [one for one in spent if layout is None or one.layout == layout]
        return mean([one.outcome in _GOOD for one in some]) if some else None

    return Total(
        questions=count, calls=mean([one.calls for one in spent]),
        output_tokens=mean([one.output_tokens for one in spent]),
        prompt_tokens=mean([one.prompt_tokens for one in spent]), seconds=mean([one.seconds for one in spent]),
        right=right() or 0.0, right_choice=right("choice"), right_free=right("free"),
        wrong=mean([one.outcome in {"wrong", "overreached"} for one in spent]),
    )  # fmt: skip


def markdown(summary: CostSummary) -> str:
    """The comparison for reading."""
    ours, theirs = summary.tumortrace, summary.react
    verdict = (
        "At most half of the generated tokens and of the model calls, at equal or better accuracy."
        if summary.cheaper
        else "NOT at most half of both at equal or better accuracy."
    )
    rows = (
        ("model calls per question", f"{ours.calls:.2f}", f"{theirs.calls:.2f}", _ratio(summary.calls_ratio)),
        ("generated tokens per question", f"{ours.output_tokens:.0f}", f"{theirs.output_tokens:.0f}",
         _ratio(summary.tokens_ratio)),
        ("tokens read per question", f"{ours.prompt_tokens:.0f}", f"{theirs.prompt_tokens:.0f}", ""),
        ("seconds per question", f"{ours.seconds:.2f}", f"{theirs.seconds:.2f}", ""),
        ("right, all", _share(ours.right), _share(theirs.right), ""),
        ("right, multiple choice", _share(ours.right_choice), _share(theirs.right_choice), ""),
        ("right, free", _share(ours.right_free), _share(theirs.right_free), ""),
        ("model calls per right answer", _by(ours.calls, ours.right), _by(theirs.calls, theirs.right), ""),
        ("generated tokens per right answer", _by(ours.output_tokens, ours.right),
         _by(theirs.output_tokens, theirs.right), ""),
        ("wrong answers", _share(ours.wrong), _share(theirs.wrong), ""),
    )  # fmt: skip
    lines = [
        "# Cost of an answer", "",
        f"{verdict} {ours.questions} questions about phantoms, model {summary.model}.", "",
        "| | TumorTrace | ReAct loop | ratio |", "|---|---|---|---|",
        *(f"| {name} | {a} | {b} | {ratio} |" for name, a, b, ratio in rows),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _by(spent: float, right: float) -> str:
    return f"{spent / right:.1f}" if right else "–"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
