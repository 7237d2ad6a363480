"""Coverage: every question has one answer, and all the evidence that its chain calls for was made or failed openly."""

from __future__ import annotations

from agent.gates.model import Finding, Gate, View, judged
from agent.query import NotUnderstood
from agent.state import Objection


def check(view: View) -> Finding:
    """Compare what was asked with what was done and answered."""
    state = view.state
    objections: list[Objection] = []
    missing = {task for target in state.targets for task in target.chain if task not in state.done}
    for target in state.targets:
        answers = [claim for claim in view.conclusion.claims if claim.level == "answer" and claim.query == target.query]
        if len(answers) != 1:
            expected = f"question {target.query + 1} needs one answer, not {len(answers)}"
            objections.append(Objection(gate="coverage", claim=None, expected=expected))
        if missing & set(target.chain):
            expected = f"question {target.query + 1} needs evidence that was not made"
            objections.append(Objection(gate="coverage", claim=None, expected=expected))
    for query in state.queries:
        if isinstance(query, NotUnderstood):
            objections.append(Objection(gate="coverage", claim=None, expected=query.reason))
    asked = state.request.question
    if asked is not None and not state.queries:
        objections.append(Objection(gate="coverage", claim=None, expected="the question was not interpreted"))
    if asked is None and not state.evidence:
        objections.append(Objection(gate="coverage", claim=None, expected="a report needs evidence"))
    repairs = tuple(state.tasks[ident] for ident in sorted(missing) if ident in state.tasks)
    return judged(objections, f"{len(state.targets)} questions are covered by their evidence chains", repairs)


GATE = Gate("coverage", 20, check)
