"""Reasoner: asks the model for its conclusion."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from agent.model_calls import asked
from agent.pictures import overlays
from agent.services import Services
from agent.state import Claim, Conclusion, PathologyClaim, RunState

LONGEST_CLAIM = 2**20
LONGEST_CONCLUSION = 4 * 2**20
_LONGEST_PROBLEM = 1000
"""Characters that a model may write; what is cut no longer says what its evidence says."""


def bounded(conclusion: Conclusion) -> Conclusion:
    """A conclusion that fits into the trace and the checkpoints, whatever the model wrote."""
    claims, left = [], LONGEST_CONCLUSION
    for claim in map(_shortened, conclusion.claims):
        left -= len(claim.model_dump_json())
        if left < 0:
            break
        claims.append(claim)
    pathology = conclusion.pathology
    if pathology is not None and len(pathology.model_dump_json()) > LONGEST_CLAIM:
        # Nothing that is true of a pathology is that long; an unfounded diagnosis stands for it before the critic.
        pathology = PathologyClaim(diagnosis="longer than the limit")
    problem = conclusion.problem[:_LONGEST_PROBLEM] if conclusion.problem is not None else None
    return conclusion.model_copy(update={"claims": tuple(claims), "pathology": pathology, "problem": problem})


def _shortened(claim: Claim) -> Claim:
    if len(claim.model_dump_json()) <= LONGEST_CLAIM:
        return claim
    return Claim(
        id=claim.id[:100], level=claim.level, query=claim.query, evidence=(), target="", quantity="", state=claim.state,
        text=claim.text[:1000],
    )  # fmt: skip


def reason(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Ask the model to conclude from the evidence of this round."""
    services = runtime.context
    with asked(services, "conclude", state.round, state.usage) as use:
        conclusion = bounded(services.model.conclude(state, lambda: overlays(state, services.case)))
        use.result = conclusion.model_dump(mode="json", exclude_defaults=True)
    return {"conclusion": conclusion, "usage": use.usage}
