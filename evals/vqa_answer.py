"""Asking the agent: one case opened once, its questions answered one after another."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.cases import CaseFiles, open_case
from agent.engine import Engine
from agent.errors import InputError
from agent.models.embedded import EmbeddedReasoner
from agent.query import NotUnderstood
from agent.report_model import Answer, Report
from agent.settings import Settings
from agent.state import RunState
from evals.marking import Given, borderline
from evals.questions_model import Question
from tools.base import Case

MOST_TEXT = 500
"""Characters kept of an error."""


class Answerer:
    """Answers questions about one case with the embedded model.

    Args:
        case: the case.
        home: folder for the runs; each is removed once it is read.
    """

    def __init__(self, case: Case, home: Path) -> None:
        self._case = case
        self._home = home
        self._engine = Engine(Settings(home=home / "runs", cache=home / "cache"), EmbeddedReasoner())

    def answer(self, question: Question) -> Given:
        """What the agent says to a question; a defect that ends the run is an answer that failed, with its name.

        Raises:
            OSError: the runs cannot be written.
        """
        begin = time.perf_counter()
        out = self._home / "run"
        try:
            made, state = self._engine.ask(self._case, question.text, options=question.options, out=out)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001  (whatever it is, it is this question's outcome and not the suite's)
            text = f"{type(error).__name__}: {error}"[:MOST_TEXT]
            return Given(state="not_assessed", resolved=False, text=text, seconds=time.perf_counter() - begin)
        finally:
            shutil.rmtree(out, ignore_errors=True)
        return given_of(made, state, time.perf_counter() - begin)


class Refuser:
    """Stands for an agent that has refused the scan: it answers nothing."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def answer(self, question: Question) -> Given:
        """That nothing was assessed, and why."""
        return Given(state="not_assessed", text=self._reason, reason=self._reason)


@contextmanager
def answering(scan: Path, labels: tuple[Path, ...], control: bool = False) -> Iterator[Answerer | Refuser]:
    """An answerer about a scan with its labels, in a temporary home.

    Args:
        scan: the scan.
        labels: its label maps.
        control: the scan is none of a patient, so that refusing it is an answer.

    Raises:
        InputError: they cannot be used, and the scan is no control.
    """
    try:
        case = open_case(CaseFiles(scan=scan, labels=labels or None))
    except InputError as error:
        if not control:
            raise
        yield Refuser(str(error))
        return
    with tempfile.TemporaryDirectory(prefix="tumortrace-vqa-") as home:
        yield Answerer(case, Path(home))


def given_of(made: Report, state: RunState, seconds: float) -> Given:
    """What a report answers, as plain values."""
    queries = state.queries
    answer = made.answer
    if answer is None:
        return Given(state="not_assessed", resolved=False, seconds=seconds)
    understood = bool(queries) and not any(isinstance(one, NotUnderstood) for one in queries)
    kinds = ", ".join("?" if isinstance(one, NotUnderstood) else one.kind for one in queries)
    return Given(
        value=answer.value, unit=answer.unit, uncertainty=answer.uncertainty, option=answer.option,
        state=answer.state.value, text=answer.text, reason=answer.reason, borderline=_borderline(made, answer),
        structures=_structures(made, answer), understood=understood, resolved=made.status == "consistent",
        kind=kinds or None, seconds=seconds,
    )  # fmt: skip


def _borderline(made: Report, answer: Answer) -> bool:
    """Whether the evidence that decides, or what it was derived from, says so."""
    queue, seen = list(answer.evidence[:1]), set()
    while queue:
        ident = queue.pop()
        one = made.evidence.get(ident)
        if one is None or ident in seen:
            continue
        seen.add(ident)
        if borderline(one.details.get("borderline")):
            return True
        queue += one.inputs
    return False


def _structures(made: Report, answer: Answer) -> tuple[str, ...]:
    """Identifiers that the deciding evidence names."""
    one = made.evidence.get(answer.evidence[0]) if answer.evidence else None
    listed = one.details.get("structures") if one is not None else None
    return tuple(str(name) for name in listed) if isinstance(listed, list) else ()
