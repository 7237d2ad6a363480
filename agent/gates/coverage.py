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


def check(view: View) -> Finding:
    """Compare what was asked with what was done and answered."""
    state = view.state
    expected: list[str] = []
    missing = {task for target in state.targets for task in target.chain if task not in state.done}
    for target in state.targets:
        answers = [claim for claim in view.conclusion.claims if claim.level == "answer" and claim.query == target.query]
        if len(answers) != 1:
            expected.append("each question needs one answer")
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
        expected += _untold(view)
    objections = [Objection(gate="coverage", claim=None, expected=one) for one in expected]
    repairs = tuple(state.tasks[ident] for ident in sorted(missing) if ident in state.tasks)
    return judged(objections, "what was asked is covered by its evidence", repairs)


def _out_of_budget(state: RunState) -> bool:
    needed = {task for target in state.targets for task in target.chain} if state.targets else set(state.tasks)
    made = [state.evidence[ident] for task in needed for ident in state.done.get(task, ()) if ident in state.evidence]
    return any(one.quantity == FAILURE and one.reason == BUDGET_SPENT for one in made)


def _untold(view: View) -> list[str]:
    """What a report on everything leaves out."""
    state = view.state
    if not state.evidence:
        return ["a report needs evidence"]
    claimed = {claim.id for claim in view.conclusion.claims}
    found = []
    if any(claim.id not in claimed for claim in telling(state)):
        found.append("a report tells everything that was seen")
    cited = view.conclusion.pathology.evidence if view.conclusion.pathology else ()
    if not set(lesions_seen(state)) <= set(cited):
        found.append("a pathology conclusion has to take up every lesion that was seen")
    return found


GATE = Gate("coverage", 20, check)
