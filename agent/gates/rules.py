"""Rules: everything derived (verdicts, comparisons, sums, ratios) is computed again and must come out equal."""

from __future__ import annotations

import pydantic

from agent.errors import TumorTraceError
from agent.gates.model import Finding, Gate, View, judged
from agent.gates.validity import closure
from agent.state import BUDGET_SPENT, FAILURE, Objection
from tools.base import Facts
from tools.registry import load_tools
from tools.types import Evidence


def check(view: View) -> Finding:
    """Make every derived piece of evidence that a claim rests on again."""
    objections = []
    count = 0
    for claim, cited in view.cited():
        for one in closure(view.state, cited):
            tool = load_tools().get(one.tool)
            if tool is None or not tool.derives:
                continue
            count += 1
            problem = _recomputed(one, view)
            if problem is not None:
                objections.append(Objection(gate="rules", claim=claim, evidence=one.id, expected=problem))
                break
    if not count:
        return Finding("not_applicable", "no claim rests on a derived value")
    return judged(objections, "every derived value came out the same when computed again")


def _recomputed(one: Evidence, view: View) -> str | None:
    if one.quantity == FAILURE and one.reason == BUDGET_SPENT:
        return None  # it was never called; coverage has its say
    facts = Facts(evidence=view.state.evidence, settings=view.settings)
    try:
        again = load_tools()[one.tool].call(facts, one.arguments)
    except (TumorTraceError, pydantic.ValidationError):
        # A call that fails again, or lacks an input that could not be made, is the failure that was reported.
        return None if one.quantity == FAILURE else f"{one.id} cannot be computed again"
    if one.id not in {other.id for other in again}:
        return f"{one.id} does not follow from its inputs"
    return None


GATE = Gate("rules", 40, check)
