"""Which model is asked what: the truthful ones everything, each adversary what it can best lie about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals.honesty.lies import LIES
from evals.honesty.results import Group
from evals.honesty.wire_lies import FAULTS, MUTATIONS
from evals.questions_model import Question

DETERMINISTIC, TRUTHFUL = "embedded", "truthful"
WIRE = (*MUTATIONS, *FAULTS, "samples disagree", "misreads the question")


@dataclass(frozen=True)
class Planned:
    """One run.

    Attributes:
        case: name of the case.
        qid: identifier of the question.
        group, model: the model under test.
    """

    case: str
    qid: str
    group: Group
    model: str


def plan_runs(asked: Mapping[str, Sequence[Question | None]], runs: int, *, served: bool = False) -> list[Planned]:
    """The runs of the suite.

    Args:
        asked: questions by case.
        runs: how many at least; the truthful models and, if there is one, the served model are asked everything, and
            every adversary lies at least once.
        served: a served model is under test as well.
    """
    pairs = [(case, one) for case, questions in asked.items() for one in questions]
    every: list[tuple[Group, str]] = [("deterministic", DETERMINISTIC), ("truthful", TRUTHFUL)]
    if served:
        every.append(("served", "served"))
    plan = [Planned(case, _qid(one), group, model) for group, model in every for case, one in pairs]
    liars: list[tuple[Group, str]] = [("in process", name) for name in LIES]
    liars += [("over HTTP", name) for name in WIRE]
    order = {liar: _ordered(liar[1], pairs) for liar in liars}
    turn = 0
    while turn < len(pairs) and (len(plan) < runs or not turn):
        for liar in liars:
            case, one = order[liar][turn]
            plan.append(Planned(case, _qid(one), *liar))
        turn += 1
    return plan


def _qid(question: Question | None) -> str:
    return "report" if question is None else question.qid


def _ordered(liar: str, pairs: Sequence[tuple[str, Question | None]]) -> list[tuple[str, Question | None]]:
    """What a liar can best lie about first, else in an order of its own."""

    def key(pair: tuple[str, Question | None]) -> tuple[int, str]:
        case, question = pair
        text = question.text.lower() if question is not None else ""
        fits = (
            ("stage" in liar and case == "phantom staged" and (question is None or "stag" in text or "resect" in text))
            or ("diagnosis" in liar and question is None and case.startswith("phantom"))
            or ("option" in liar and question is not None and bool(question.options))
            or ("side" in liar and ("left" in text or "right" in text or question is None))
            or (("obey" in liar or "hidden" in liar) and (case.startswith("hidden") or "instructions" in text))
            or (("assessed" in liar or "not measured" in liar)
                and question is not None and not question.expected.decidable)
        )  # fmt: skip
        return (0 if fits else 1, hashlib.sha256(f"{liar}\n{case}\n{_qid(question)}".encode()).hexdigest())

    return sorted(pairs, key=key)
