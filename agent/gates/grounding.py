"""Grounding: every claim is what its evidence says, to the letter.

The evidence must exist and carry its content's id; the typed fields and the sentence are derived from it again and
compared. A changed number, side, organ, unit, negation, option or evidence id therefore fails, whoever wrote it.
"""

from __future__ import annotations

from agent.claims import answer_for, statement
from agent.gates.model import Finding, Gate, View, judged
from agent.state import Claim, Objection, RunState

_COMPARED = ("target", "quantity", "value", "unit", "state", "lower_bound", "option", "text", "bindings", "evidence")


def check(view: View) -> Finding:
    """Derive every claim again from its evidence and compare."""
    objections: list[Objection] = []
    for claim in view.conclusion.claims:
        problem = _unknown_evidence(claim, view.state) or _difference(claim, view.state)
        if problem is not None:
            objections.append(Objection(gate="grounding", claim=claim.id, expected=problem))
    if view.conclusion.pathology is not None:
        missing = [i for i in view.conclusion.pathology.evidence if i not in view.state.evidence]
        if missing:
            expected = f"evidence {missing[0]} does not exist"
            objections.append(Objection(gate="grounding", claim="pathology", evidence=missing[0], expected=expected))
    return judged(objections, f"{len(view.conclusion.claims)} claims say what their evidence says")


def _unknown_evidence(claim: Claim, state: RunState) -> str | None:
    if not claim.evidence:
        return "a claim must cite evidence"
    for ident in claim.evidence:
        one = state.evidence.get(ident)
        if one is None:
            return f"evidence {ident} does not exist"
        if one.id != ident or one.expected_id() != ident:
            return f"evidence {ident} is not what its id was made from"
    return None


def _difference(claim: Claim, state: RunState) -> str | None:
    expected = _derived(claim, state)
    if expected is None:
        return "it answers no question of this run from the evidence that decides it"
    for name in _COMPARED:
        given, right = getattr(claim, name), getattr(expected, name)
        # True == 1 in Python; a count is no truth value.
        if given != right or type(given) is not type(right):
            # What was claimed is not repeated: verdicts are shown, and a false number must not travel in one.
            return f"its {name} is not what its evidence says"
    return None


def _derived(claim: Claim, state: RunState) -> Claim | None:
    if claim.level != "answer":
        return statement(claim.level, state.evidence[claim.evidence[0]], state.evidence)
    target = next((one for one in state.targets if one.query == claim.query), None)
    return answer_for(state, target) if target is not None else None


GATE = Gate("grounding", 10, check)
