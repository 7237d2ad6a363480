"""What of the evidence is worth telling: the findings and the impression of a report, or those behind an answer."""

from __future__ import annotations

from collections.abc import Iterator

from agent.claims import statement
from agent.state import Claim, RunState
from tools.types import Evidence, State

# What a finding is told of: the quantities that a reader looks for first.
_FINDINGS = ("exists", "volume", "hu_mean", "long_axis", "short_axis", "lesion_count", "largest_lesion_volume",
             "largest_lesion_long_axis", "side", "phase")  # fmt: skip
_DERIVED = ("verdict", "comparison", "extreme")


def telling(state: RunState) -> tuple[Claim, ...]:
    """Findings, then impressions, each sentence once."""
    told = list(_told(state))
    findings = [statement("finding", one, state.evidence) for one in told if one.quantity in _FINDINGS]
    impression = [statement("impression", one, state.evidence) for one in told if one.quantity in _DERIVED]
    return (*_distinct(findings), *_distinct(impression))


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
