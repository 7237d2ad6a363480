"""Validity: a measurement counts only where it can be made: whole structures, plausible HU, the right phase."""

from __future__ import annotations

from collections.abc import Iterator

from agent.gates.model import Finding, Gate, View, judged
from agent.state import Objection, RunState
from tools.rules.model import load_rules
from tools.types import Evidence, State

_NEEDS_WHOLE = frozenset({"volume", "volume_without_lesions", "long_axis", "short_axis"})


def check(view: View) -> Finding:
    """Check every piece of evidence that a claim rests on, and what that rests on in turn."""
    objections = []
    for claim in view.conclusion.claims:
        for one in closure(view.state, claim.evidence):
            problem = _problem(one, view.state)
            if problem is not None:
                objections.append(Objection(gate="validity", claim=claim.id, evidence=one.id, expected=problem))
                break
    return judged(objections, "all evidence was measured where it can be measured")


def closure(state: RunState, ids: tuple[str, ...]) -> Iterator[Evidence]:
    """The evidence with these ids and everything that it was derived from, each once."""
    queue, seen = list(ids), set()
    while queue:
        ident = queue.pop()
        if ident in seen or ident not in state.evidence:
            continue
        seen.add(ident)
        yield state.evidence[ident]
        queue += state.evidence[ident].inputs


def _problem(one: Evidence, state: RunState) -> str | None:
    measured = one.state is State.MEASURED
    if measured and one.value is None:
        return f"{one.id}: what was measured has a value"
    # "absent" may carry False or nought; the other states never carry a value.
    if one.state in {State.NOT_MEASURABLE, State.NOT_ASSESSED} and one.value is not None:
        return f"{one.id}: what is {one.state.value} has no value"
    if measured and one.quantity in _NEEDS_WHOLE and one.tool.startswith("measure"):
        for other in state.evidence.values():
            if other.quantity == "complete" and other.target == one.target and other.value is False:
                return f"{one.id}: the structure is cut off, so its size is a lower bound"
    if (
        measured
        and one.unit == "HU"
        and any(other.quantity == "hu_plausible" and other.value is False for other in state.evidence.values())
    ):
        return f"{one.id}: the scan's values are not plausible as HU"
    return _phase_problem(one, state)


def _phase_problem(one: Evidence, state: RunState) -> str | None:
    rule = load_rules().get(str(one.details.get("rule", "")))
    if one.tool != "apply_rule" or one.state is not State.MEASURED or rule is None or not rule.phases:
        return None
    phases = [state.evidence[i].value for i in one.inputs if state.evidence[i].quantity == "phase"]
    if len(phases) == 1 and phases[0] in rule.phases:
        return None
    return f"{one.id}: rule {rule.id} holds for {', '.join(rule.phases)} scans only"


GATE = Gate("validity", 30, check)
