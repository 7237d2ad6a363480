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
    for claim, cited in view.cited():
        for one in closure(view.state, cited):
            problem = _problem(one, view)
            if problem is not None:
                objections.append(Objection(gate="validity", claim=claim, evidence=one.id, expected=problem))
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


def _problem(one: Evidence, view: View) -> str | None:
    state = view.state
    measured = one.state is State.MEASURED
    if measured and one.value is None:
        return f"{one.id}: what was measured has a value"
    # "absent" may carry False or nought; the other states never carry a value.
    if one.state in {State.NOT_MEASURABLE, State.NOT_ASSESSED} and one.value is not None:
        return f"{one.id}: what is {one.state.value} has no value"
    if measured and not _whole(one, state):
        return f"{one.id}: nothing shows that the structure is whole, so its size is a lower bound"
    if (
        measured
        and one.unit == "HU"
        and any(other.quantity == "hu_plausible" and other.value is False for other in state.evidence.values())
    ):
        return f"{one.id}: the scan's values are not plausible as HU"
    return _rule_problem(one, state) or _phase_problem(one, view)


def _whole(one: Evidence, state: RunState) -> bool:
    """Whether a size may count as measured: the structure was found to be wholly in the scan."""
    if one.tool == "lesion_components" and one.quantity == "lesion_count":
        rows = one.details.get("lesions")
        return not any(isinstance(row, dict) and row.get("cut_off_at") for row in (rows or []))  # type: ignore[union-attr]
    if one.quantity == "lesion":
        return not one.details.get("cut_off_at")
    if one.quantity not in _NEEDS_WHOLE or not one.tool.startswith("measure"):
        return True
    said = [
        other.value is True and other.expected_id() == other.id
        for other in state.evidence.values()
        if other.quantity == "complete" and other.target == one.target
    ]
    # The tool that measures a volume also says whether it is whole; others need not have been asked.
    return all(said) and (bool(said) or one.tool != "measure_structure")


def _rule_problem(one: Evidence, state: RunState) -> str | None:
    rule = load_rules().get(str(one.details.get("rule", "")))
    if (
        one.tool not in {"apply_rule", "apply_table"}
        or one.state is not State.MEASURED
        or rule is None
        or not rule.phases
    ):
        return None
    inputs = [state.evidence[ident] for ident in one.inputs if ident in state.evidence]
    phases = [source.value for source in inputs if source.quantity == "phase"]
    if len(phases) == 1 and phases[0] in rule.phases:
        return None
    return f"{one.id}: rule {rule.id} holds for {', '.join(rule.phases)} scans only"


def _phase_problem(one: Evidence, view: View) -> str | None:
    """A contrast phase that is known must be the one declared, else the one named, else the likeliest."""
    if one.quantity != "phase" or one.state is not State.MEASURED:
        return None
    named = next((o.value for o in view.state.evidence.values() if o.quantity == "phase_header"), None)
    odds = one.details.get("probabilities")
    likeliest = max(odds, key=lambda phase: float(str(odds[phase]))) if isinstance(odds, dict) and odds else None
    if one.value == (view.settings.phase or named or likeliest):
        return None
    return f"{one.id}: nothing says that the scan is of this phase"


GATE = Gate("validity", 30, check)
