"""The same questions with the true labels and with predicted masks."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from agent.report_model import Report
from agent.state import RunState
from evals.marking import Given, mark
from evals.metrics import Marked
from evals.questions_model import Question
from evals.segmentation.model import Asked
from evals.segmentation.predict import Looked, Reader
from evals.vqa_answer import MOST_TEXT, given_of
from tools.segment.plausible import judge_masks
from tools.types import State
from tools.volume import Scan

WRONG = frozenset({"wrong", "overreached"})


def pick(questions: Sequence[Question], count: int, seed: int) -> list[Question]:
    """Some of the questions, as many as possible of different kinds.

    Args:
        questions: all of them.
        count: how many.
        seed: draws them.
    """
    rng = random.Random(f"{seed} pick")  # noqa: S311
    groups: dict[str, list[Question]] = defaultdict(list)
    for one in rng.sample(list(questions), len(questions)):
        groups[one.subtype].append(one)
    chosen: list[Question] = []
    while groups and len(chosen) < count:
        for kind in rng.sample(sorted(groups), len(groups)):
            chosen.append(groups[kind].pop())
            if not groups[kind]:
                del groups[kind]
    return chosen[:count]


@dataclass(frozen=True)
class Reply:
    """An answer, with the run behind it where that ended."""

    given: Given
    report: Report | None = None
    state: RunState | None = None


def reply(reader: Reader, question: Question) -> Reply:
    """What a run says to a question; a defect that ends the run is an answer that failed, with its name.

    Raises:
        OSError: the run cannot be written.
    """
    begin = time.perf_counter()
    try:
        made, state = reader.ask(question.text, question.options)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  (whatever it is, it is this question's outcome and not the suite's)
        text = f"{type(error).__name__}: {error}"[:MOST_TEXT]
        return Reply(Given(state="not_assessed", resolved=False, text=text, seconds=time.perf_counter() - begin))
    return Reply(given_of(made, state, time.perf_counter() - begin), made, state)


def ask_both(question: Question, scan: Scan, truth: Reader, predicted: Reader, sees: frozenset[str]) -> Asked:
    """Ask a question with the true labels and with predicted masks, and look at what a wrong answer rests on.

    Args:
        question: the question.
        scan: the scan.
        truth, predicted: runs with the true labels, and on the raw scan.
        sees: structures that the engines can see.
    """
    right, seen = (_marked(question, reply(reader, question)) for reader in (truth, predicted))
    marked, behind = seen
    refused: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()
    if behind.report is not None and behind.state is not None:
        looked = Looked(predicted.used(behind.state), {}, sees)
        rests = rests_on(behind.report)
        refused = tuple(sorted(rests & looked.refused))
        if marked.outcome in WRONG:
            noted = tuple(sorted(rests & _noted(scan, looked)))
    status = behind.report.status if behind.report is not None else None
    return Asked(truth=right[0], predicted=marked, refused=refused, noted=noted, status=status)


def _marked(question: Question, behind: Reply) -> tuple[Marked, Reply]:
    return Marked(question=question, given=behind.given, outcome=mark(question, behind.given)), behind


def rests_on(report: Report) -> frozenset[str]:
    """Structures that something was measured of, or found absent, for the answer."""
    queue = list(report.answer.evidence) if report.answer is not None else []
    seen: set[str] = set()
    found: set[str] = set()
    while queue:
        ident = queue.pop()
        one = report.evidence.get(ident)
        if one is None or ident in seen:
            continue
        seen.add(ident)
        queue += one.inputs
        if one.state in {State.MEASURED, State.ABSENT}:
            found.add(one.target)
    return frozenset(found)


def _noted(scan: Scan, looked: Looked) -> frozenset[str]:
    """Structures of the run's masks that disease may explain, or an error."""
    if looked.labels is None:
        return frozenset()
    return frozenset(flag.structure for flag in judge_masks(scan, looked.labels))
