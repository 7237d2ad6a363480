"""Overclaim: nothing is denied, typed or staged beyond what was looked at.

"Absent" needs someone able to see it who looked; a lesion is not a metastasis because somebody asks for metastases;
N and M categories and a diagnosis need evidence that assessed them.
"""

from __future__ import annotations

from agent.gates.model import Finding, Gate, View, judged
from agent.gates.pathology_types import diagnosis_problems, differential_problems
from agent.gates.validity import closure
from agent.pathology import UNKNOWN, categories
from agent.state import Claim, Objection, PathologyClaim, RunState
from tools.ontology import load_ontology
from tools.registry import load_tools
from tools.structure_parts import parts_of
from tools.types import Evidence, State


def check(view: View) -> Finding:
    """Check denials, lesion types and staging."""
    objections = []
    for claim in view.conclusion.claims:
        problem = _claim_problem(claim, view.state)
        if problem is not None:
            decisive = next((ident for ident in claim.evidence if ident in view.state.evidence), None)
            objections.append(Objection(gate="overclaim", claim=claim.id, evidence=decisive, expected=problem))
    if view.conclusion.pathology is not None:
        objections += [
            Objection(gate="overclaim", claim="pathology", expected=problem)
            for problem in _pathology_problems(view.conclusion.pathology, view.state)
        ]
    return judged(objections, "nothing is claimed beyond what was assessed")


def _claim_problem(claim: Claim, state: RunState) -> str | None:
    cited = [state.evidence[ident] for ident in claim.evidence if ident in state.evidence]
    if not cited:
        return "there is no evidence behind it"
    decisive = cited[0]
    if claim.state is not decisive.state:
        return f"the evidence says that it is {decisive.state.value.replace('_', ' ')}"
    if decisive.state in {State.NOT_ASSESSED, State.NOT_MEASURABLE} and claim.value is not None:
        return f"what is {decisive.state.value.replace('_', ' ')} has no value to claim"
    if claim.target != decisive.target:
        return "the evidence is about something else"
    denied = [one for one in closure(state, claim.evidence) if one.state is State.ABSENT]
    return "it denies what no label class could have shown" if not all(_looked(one, state) for one in denied) else None


def _looked(one: Evidence, state: RunState) -> bool:
    """Whether the labels declare a class that would have shown what is said to be absent."""
    tool = load_tools().get(one.tool)
    if one.target == "scan" or (tool is not None and tool.derives):
        return True  # what is derived rests on evidence that is looked at in its own right
    labels = [o for o in state.evidence.values() if o.quantity == "labels" and o.expected_id() == o.id]
    declared = labels[0].details.get("declared") if labels else None
    # What lies between two structures is only denied where both were looked for.
    return isinstance(declared, list) and all(
        any(_shows(str(name), part) for name in declared) for part in one.target.split("+")
    )


def _shows(declared: str, asked: str) -> bool:
    ontology = load_ontology()
    given, wanted = ontology.get(declared), ontology.get(asked)
    if wanted.kind != "lesion":
        return _overlap(declared, asked)
    if given.kind != "lesion" or given.lesion_type not in ontology.ancestors(wanted.lesion_type or ""):
        return False
    return given.organ is None or wanted.organ is None or _overlap(given.organ, wanted.organ)


def _overlap(one: str, other: str) -> bool:
    ontology = load_ontology()
    return one in parts_of(other, ontology) or other in parts_of(one, ontology)


def _pathology_problems(pathology: PathologyClaim, state: RunState) -> list[str]:
    cited = [state.evidence[ident] for ident in pathology.evidence if ident in state.evidence]
    problems: list[str] = []
    if pathology.diagnosis is not None and not _assessed(cited, "diagnosis"):
        problems += diagnosis_problems(pathology, state)
    decided = categories(state)
    for name in UNKNOWN | {"stage": "no stage"}:
        said = getattr(pathology, name)
        unknown = UNKNOWN.get(name)
        right = decided.get(name)
        what = f"the {name[1].upper()} category" if unknown else "the stage"
        if right is None and said not in {None, unknown, f"c{unknown}"}:
            problems.append(f"no evidence decides {what}" + (f": it is {unknown}" if unknown else ""))
        if right is not None and not (said == right.value and right in cited):
            problems.append(f"{what} is not what its evidence decides")
    if pathology.differential and not _assessed(cited, "diagnosis"):
        problems += differential_problems(pathology, state)
    return problems


def _assessed(cited: list[Evidence], quantity: str) -> bool:
    return any(one.quantity == quantity and one.state is State.MEASURED for one in cited)


GATE = Gate("overclaim", 50, check)
