"""The embedded guideline reasoner: deterministic, offline. It says what the evidence says, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from agent.claims import answer_for, statement
from agent.interpret import interpret
from agent.query import NotUnderstood, Query
from agent.state import Claim, Conclusion, PathologyClaim, Request, RunState, Task
from tools.ontology import load_ontology
from tools.types import Evidence, State

# What a finding is told of: the quantities that a reader looks for first.
_FINDINGS = ("exists", "volume", "hu_mean", "long_axis", "short_axis", "lesion_count", "largest_lesion_volume",
             "largest_lesion_long_axis", "side", "phase")  # fmt: skip
_DERIVED = ("verdict", "comparison", "extreme")


class EmbeddedReasoner:
    """Concludes by the evidence chains and the encoded rules alone."""

    name = "embedded-guideline-reasoner/1"
    deterministic = True

    def interpret(self, request: Request, available: Collection[str]) -> list[Query | NotUnderstood]:
        """Typed queries by the lexicon of the question kinds."""
        if request.question is None:
            return []
        return interpret(request.question, previous=request.previous, available=available)

    def plan(self, state: RunState) -> list[Task]:
        """Nothing beyond the evidence chains."""
        return []

    def conclude(self, state: RunState) -> Conclusion:
        """Answers, then the findings that they rest on, then what the rules make of them."""
        answers = [claim for target in state.targets if (claim := answer_for(state, target)) is not None]
        told = list(_told(state))
        findings = [statement("finding", one, state.evidence) for one in told if one.quantity in _FINDINGS]
        impression = [statement("impression", one, state.evidence) for one in told if one.quantity in _DERIVED]
        return Conclusion(claims=(*answers, *_distinct(findings), *_distinct(impression)), pathology=_pathology(state))


def _told(state: RunState) -> Iterator[Evidence]:
    """Evidence worth telling: for a question what its answer rests on, for a report everything that was seen."""
    if state.request.question is None:
        for one in state.evidence.values():
            single = one.tool != "apply_rule"  # a weighed verdict tells the single ones
            if single and one.state is not State.NOT_ASSESSED and one.quantity != "threshold":
                yield one
        return
    seen: set[str] = set()
    refs = [ref for target in state.targets for ref in (target.decisive, *target.also)]
    queue = [found for ref in refs if (found := state.lookup(ref)) is not None]
    while queue:
        one = queue.pop(0)
        if one.id in seen:
            continue
        seen.add(one.id)
        queue += [state.evidence[ident] for ident in one.inputs]
        if one.tool not in {"convert", "apply_rule"} and one.quantity != "threshold":
            yield one


def _distinct(claims: list[Claim]) -> list[Claim]:
    return list({claim.text: claim for claim in claims}.values())


def _pathology(state: RunState) -> PathologyClaim | None:
    """Where a lesion is seen: no diagnosis and X for every category, since nothing assessed them."""
    if state.request.question is not None:
        return None
    ontology = load_ontology()
    lesions = [
        one.id
        for one in state.evidence.values()
        if one.quantity == "exists" and one.value is True and ontology.get(one.target).kind == "lesion"
    ]
    if not lesions:
        return None
    return PathologyClaim(ct="TX", cn="NX", cm="MX", stage=None, evidence=tuple(lesions))
