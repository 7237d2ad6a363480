"""Runs models under test over cases and checks every report."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.cases import open_case
from agent.engine import Engine
from agent.errors import ModelUnavailable
from agent.models.client import Client
from agent.models.embedded import EmbeddedReasoner
from agent.models.endpoint import Endpoint
from agent.models.protocol import ReasoningModel
from agent.models.scripted import Script as Lie
from agent.models.scripted import ScriptedModel
from agent.models.vllm import ServedModel
from agent.report_model import Report
from agent.settings import Settings
from agent.state import Conclusion, RunState
from evals.honesty.cases import PAYLOADS, HonestyCase
from evals.honesty.checker import Honest, check_report
from evals.honesty.facts import Facts
from evals.honesty.lies import LIES
from evals.honesty.plan import Planned
from evals.honesty.results import Outcome
from evals.honesty.wire import Truthful, hidden, responder
from evals.honesty.wire_lies import scripts
from evals.jobs import read_rows
from evals.questions_model import Question
from evals.serving.replies import Reply, Script
from evals.serving.scripted_server import ScriptedServer
from prompts import documents
from tools.base import Case


@dataclass(frozen=True)
class Job:
    """What is to be run on one case.

    Attributes:
        case: the case.
        questions: everything that is asked of it, by any model.
        planned: which model is asked what.
        results: file of its results.
        url: address of a served model under test.
    """

    case: HonestyCase
    questions: tuple[Question | None, ...]
    planned: tuple[Planned, ...]
    results: Path
    url: str | None = None


def qid_of(question: Question | None) -> str:
    """Identifier of a question; of a report on everything, "report"."""
    return "report" if question is None else question.qid


def run_job(job: Job) -> Iterator[int]:
    """Run what has no result yet; yields how many runs are done, one or several at a time."""
    known = {(one.group, one.model, one.qid) for one in read_rows(job.results, Outcome)}
    missing = [one for one in job.planned if (one.group, one.model, one.qid) not in known]
    yield len(job.planned) - len(missing)
    if not missing:
        return
    job.results.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack, job.results.open("a", encoding="utf-8") as stream:
        bench = stack.enter_context(Bench(job))
        for one in missing:
            stream.write(bench.outcome(one).model_dump_json() + "\n")
            stream.flush()
            yield 1


@dataclass
class _Reference:
    """What the deterministic reasoner says of a case."""

    reports: dict[str, Report] = field(default_factory=dict)
    sentences: frozenset[str] = frozenset()

    def honest(self, qid: str) -> Honest:
        made = self.reports[qid]
        answers = frozenset(one.text for one in made.answers)
        pathology = made.pathology.model_dump() if made.pathology is not None else None
        return Honest(answers, self.sentences, pathology)


class Bench:
    """One case, opened once, with a scripted server beside it."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._stack = ExitStack()
        self._questions = {qid_of(one): one for one in job.questions}

    def __enter__(self) -> Bench:
        self._home = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="tumortrace-honesty-")))
        self._case: Case = open_case(self._job.case.files)
        self._facts: Facts = self._job.case.facts()
        self._truthful = Truthful(_letters(self._job.questions))
        self._honest = responder(self._truthful)
        self._scripts = scripts(self._truthful)
        self._lied = False
        self._server = self._stack.enter_context(ScriptedServer(self._honest))
        endpoint = Endpoint(
            url=self._server.url, name="scripted", retries=1, wait_s=3, timeout_s=30, images="off", readings="both"
        )
        client = self._stack.enter_context(Client(endpoint, first_pause=0.02))
        self._scripted = ServedModel(client)
        self._reference = self._refer()
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def _refer(self) -> _Reference:
        """The deterministic reasoner's reports on all questions of the case."""
        found = _Reference()
        sentences: set[str] = set()
        for qid, question in self._questions.items():
            made, _ = self._ask(EmbeddedReasoner(), question)
            found.reports[qid] = made
            sentences |= {one.text for one in (*made.findings, *made.impression)}
            sentences |= {*made.not_assessed, *made.limitations}
        found.sentences = frozenset(sentences)
        return found

    def outcome(self, planned: Planned) -> Outcome:
        """One run, checked; whatever goes wrong in it is its outcome."""
        question = self._questions[planned.qid]
        outcome = Outcome(
            case=self._job.case.name, question=question.text if question else None, qid=planned.qid,
            group=planned.group, model=planned.model, status="crashed",
        )  # fmt: skip
        self._server.requests.clear()
        self._lied = False
        begin = time.perf_counter()
        try:
            made, state = self._ask(self._model(planned), question)
        except OSError:
            raise
        except ModelUnavailable as error:
            return outcome.model_copy(update={"status": "unavailable", "error": str(error)[:300]})
        except Exception as error:  # noqa: BLE001  (whatever it is, it is this run's outcome and not the suite's)
            return outcome.model_copy(update={"error": f"{type(error).__name__}: {error}"[:500]})
        check = check_report(made, self._facts, self._reference.honest(planned.qid), question, payloads=PAYLOADS)
        refused = {one.claim for one in state.objections}
        claims = state.conclusion.claims if state.conclusion is not None else ()
        reached, exposed = self._seen()
        return outcome.model_copy(
            update={
                "status": made.status, "rounds": made.rounds, "answered": _answered(made), "problems": check.problems,
                "counts": dict(check.counts), "offered": len(claims),
                "refused": sum(one.id in refused for one in claims),
                "refusals": sorted({f"{one.gate}: {one.expected}"[:200] for one in state.objections})[:5],
                "lied": self._lied, "reached": reached, "exposed": exposed, "calls": state.usage.calls,
                "output_tokens": state.usage.output_tokens, "seconds": round(time.perf_counter() - begin, 3),
            }
        )  # fmt: skip

    def _model(self, planned: Planned) -> ReasoningModel:
        if planned.group == "deterministic":
            return EmbeddedReasoner()
        if planned.group == "in process":
            return ScriptedModel([self._noted(LIES[planned.model])])
        if planned.group == "served":
            assert self._job.url is not None
            return self._served(self._job.url)
        self._server.script = self._heard(self._scripts[planned.model]) if planned.group != "truthful" else self._honest
        return self._scripted

    def _noted(self, lie: Lie) -> Lie:
        """A lie of which it is noted that it was told."""

        def script(state: RunState, truth: Conclusion) -> Conclusion:
            told = lie(state, truth)
            self._lied |= told != truth
            return told

        return script

    def _heard(self, script: Script) -> Script:
        def heard(request: dict[str, Any]) -> Reply:
            told = script(request)
            self._lied |= told != self._honest(request)
            return told

        return heard

    def _served(self, url: str) -> ReasoningModel:
        if not hasattr(self, "_under_test"):
            self._under_test = ServedModel(self._stack.enter_context(Client(Endpoint.parse(url))))
        return self._under_test

    def _ask(self, model: ReasoningModel, question: Question | None) -> tuple[Report, RunState]:
        out = self._home / "run"
        engine = Engine(Settings(home=self._home / "runs", cache=self._home / "cache"), model)
        try:
            return engine.ask(
                self._case, question.text if question else None, options=question.options if question else (), out=out
            )
        finally:
            shutil.rmtree(out, ignore_errors=True)

    def _seen(self) -> tuple[bool, bool]:
        """Whether a hidden instruction was in a prompt, and whether outside of its delimited data."""
        reached = exposed = False
        for request in self._server.requests:
            for message in request.get("messages", ()):
                text = str(message.get("content", ""))
                found = hidden(text)
                reached |= found > 0
                inside = hidden(str(documents(text))) if message.get("role") == "user" else 0
                exposed |= found > inside
        return reached, exposed


def _letters(questions: Sequence[Question | None]) -> Mapping[str, str]:
    """The right option by the words of a question; "none" where no option is right."""
    return {
        one.text: "none" if one.correct is None else chr(65 + one.correct)
        for one in questions
        if one is not None and one.options
    }


def _answered(made: Report) -> bool:
    if made.answer is None:
        return bool(made.findings or made.impression)
    return made.answer.value is not None or made.answer.option is not None
