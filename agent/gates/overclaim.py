"""Overclaim: nothing is denied, typed or staged beyond what was looked at.

"Absent" needs someone able to see it who looked; a lesion is not a metastasis because somebody asks for metastases;
N and M categories and a diagnosis need evidence that assessed them.
"""

from __future__ import annotations

from agent.gates.model import Finding, Gate, View, judged
from agent.state import Claim, Objection, PathologyClaim, RunState
from tools.types import Evidence, State


def check(view: View) -> Finding:
    """Check denials, lesion types and staging."""
    objections = []
    for claim in view.conclusion.claims:
        problem = _claim_problem(claim, view.state)
        if problem is not None:
            objections.append(Objection(gate="overclaim", claim=claim.id, expected=problem))
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
        return f"the evidence says {decisive.state.value}, the claim {claim.state.value}"
    if decisive.state in {State.NOT_ASSESSED, State.NOT_MEASURABLE} and claim.value is not None:
        return f"what is {decisive.state.value} has no value to claim"
    if claim.target != decisive.target:
        return f"the evidence is about {decisive.target}, the claim about {claim.target}"
    return None


def _pathology_problems(pathology: PathologyClaim, state: RunState) -> list[str]:
    cited = [state.evidence[ident] for ident in pathology.evidence if ident in state.evidence]
    problems = []
    if pathology.diagnosis and not _assessed(cited, "diagnosis"):
        problems.append("no evidence assessed a diagnosis")
    for name, category in (("T", pathology.ct), ("N", pathology.cn), ("M", pathology.cm)):
        unknown = category is None or category.upper().lstrip("CP") == f"{name}X"
        if not unknown and not _assessed(cited, f"category_{name.lower()}"):
            problems.append(f"no evidence assessed the {name} category: it is {name}X")
    if pathology.stage and not _assessed(cited, "stage"):
        problems.append("no evidence assessed a stage")
    if pathology.differential and not _assessed(cited, "diagnosis"):
        problems.append("no evidence assessed a differential diagnosis")
    if pathology.confidence is not None and not _assessed(cited, "confidence"):
        problems.append("no evidence supports a confidence")
    return problems


def _assessed(cited: list[Evidence], quantity: str) -> bool:
    return any(one.quantity == quantity and one.state is State.MEASURED for one in cited)


GATE = Gate("overclaim", 50, check)
