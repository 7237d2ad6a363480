"""Coverage: every question has one answer, and all the evidence that its chain calls for was made or failed openly.

A report without a question tells everything that was seen; nothing is told twice.
"""

from __future__ import annotations

from collections import Counter

from agent.claims import lesions_seen
from agent.gates.model import Finding, Gate, View, judged
from agent.query import NotUnderstood
from agent.state import BUDGET_SPENT, FAILURE, Objection, RunState
from agent.telling import telling

_MOST_NAMED = 20
"""Pieces of evidence that are named, of all that a report leaves out."""


def check(view: View) -> Finding:
    """Compare what was asked with what was done and answered."""
    state = view.state
    expected: list[str] = []
    objections: list[Objection] = []
    missing = {task for target in state.targets for task in target.chain if task not in state.done}
    for target in state.targets:
        answers = [claim for claim in view.conclusion.claims if claim.level == "answer" and claim.query == target.query]
        if len(answers) != 1:
            decisive = state.lookup(target.decisive)
            claim = answers[0].id if answers else None
            objections.append(_objection("each question needs one answer", claim, decisive.id if decisive else None))
        if missing & set(target.chain):
            expected.append("a question needs evidence that was not made")
    if any(count > 1 for count in Counter(claim.id for claim in view.conclusion.claims).values()):
        expected.append("nothing is to be claimed twice")
    expected += [query.reason for query in state.queries if isinstance(query, NotUnderstood)]
    if state.request.question is not None and not state.queries:
        expected.append("the question was not interpreted")
    if _out_of_budget(state):
        expected.append(f"evidence that is needed was not made: {BUDGET_SPENT}")
    if state.request.question is None:
        objections += _untold(view)
    objections += [_objection(one) for one in expected]
    repairs = tuple(state.tasks[ident] for ident in sorted(missing) if ident in state.tasks)
    return judged(objections, "what was asked is covered by its evidence", repairs)


def _out_of_budget(state: RunState) -> bool:
    needed = {task for target in state.targets for task in target.chain} if state.targets else set(state.tasks)
    made = [state.evidence[ident] for task in needed for ident in state.done.get(task, ()) if ident in state.evidence]
    return any(one.quantity == FAILURE and one.reason == BUDGET_SPENT for one in made)


def _objection(expected: str, claim: str | None = None, evidence: str | None = None) -> Objection:
    return Objection(gate="coverage", claim=claim, evidence=evidence, expected=expected)


def _untold(view: View) -> list[Objection]:
    """What a report on everything leaves out."""
    state = view.state
    if not state.evidence:
        return [_objection("a report needs evidence")]
    claimed = {claim.id for claim in view.conclusion.claims}
    untold = [claim.evidence[0] for claim in telling(state) if claim.id not in claimed]
    cited = view.conclusion.pathology.evidence if view.conclusion.pathology else ()
    ignored = [ident for ident in lesions_seen(state) if ident not in cited]
    return [
        *(_objection("a report tells everything that was seen", None, ident) for ident in untold[:_MOST_NAMED]),
        *(
            _objection("a pathology conclusion has to take up every lesion that was seen", "pathology", ident)
            for ident in ignored[:_MOST_NAMED]
        ),
    ]


GATE = Gate("coverage", 20, check)
