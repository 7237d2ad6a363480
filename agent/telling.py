"""What of the evidence is worth telling: the findings and the impression of a report, or those behind an answer."""

from __future__ import annotations

from collections.abc import Iterator

from agent.claims import statement
from agent.state import Claim, RunState
from tools.ontology import load_ontology
from tools.types import Evidence, State

# What a finding is told of: the quantities that a reader looks for first.
_FINDINGS = ("exists", "volume", "hu_mean", "long_axis", "short_axis", "lesion_count", "largest_lesion_volume",
             "largest_lesion_long_axis", "lesion", "side", "phase", "lesion_type_opinion", "similar_cases")  # fmt: skip
_KINDS = ("lesion", "organ", "vessel", "bone")
_DERIVED = ("verdict", "comparison", "extreme")
_SINGLE = ("apply_rule", "apply_table", "implied_verdict", "gravest")
"""Tools whose verdicts are told where the rules on one question are weighed."""
_WEIGHED = "weigh_rules"


def telling(state: RunState) -> tuple[Claim, ...]:
    """Findings, then impressions, each sentence once."""
    told = list(_told(state))
    if state.request.question is None:
        told.sort(key=_rank)
    findings = [statement("finding", one, state.evidence) for one in told if one.quantity in _FINDINGS]
    derived = sorted((one for one in told if one.quantity in _DERIVED or one.tool == _WEIGHED), key=_weight)
    impression = [statement("impression", one, state.evidence) for one in derived]
    return (*_distinct(findings), *_distinct(impression))


def _rank(one: Evidence) -> int:
    """Lesions first, then organs, vessels and bones, then the rest."""
    kind = load_ontology().get(one.target).kind
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)


def _weight(one: Evidence) -> int:
    """What was decided against the norm first, what could not be decided last."""
    if one.state is not State.MEASURED:
        return 2
    return 1 if one.details.get("normal") else 0


def _told(state: RunState) -> Iterator[Evidence]:
    """Evidence worth telling: for a question what its answer rests on, for a report everything that was seen."""
    if state.request.question is None:
        for one in state.evidence.values():
            # A weighed verdict tells the single ones, and the presence of a lesion tells that there is none.
            none_there = one.state is State.ABSENT and one.tool in {"lesion_components", _WEIGHED}
            elsewhere = one.tool in _SINGLE or none_there
            if not elsewhere and one.state is not State.NOT_ASSESSED and one.quantity != "threshold":
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
        if one.tool not in {"convert", *_SINGLE} and one.quantity != "threshold":
            yield one


def _distinct(claims: list[Claim]) -> list[Claim]:
    return list({claim.text: claim for claim in claims}.values())
