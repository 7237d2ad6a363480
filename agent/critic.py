"""Critic: every gate over the typed state, then the consistency function. It has the last word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from langgraph.runtime import Runtime

from agent.consistency import decide
from agent.gates.model import Finding, Gate, View, load_gates
from agent.model_calls import asked, usage_by_round
from agent.models.schemas import REASONS
from agent.models.usage import Usage
from agent.report_model import Status, Verdict
from agent.services import Services
from agent.state import BUDGET_SPENT, CRITIQUE, Objection, RunState, Task
from agent.trace_read import since_review
from agent.trace_schema import Kind
from agent.trace_verify import read_events

_MOST_OBJECTIONS = 20
_DISAGREEING = frozenset({"conflict", "confidence", CRITIQUE})
_OBJECTED = "a second reading of its evidence has to bear the claim out"


def judge(view: View) -> list[tuple[Gate, Finding]]:
    """What every gate says of a conclusion."""
    return [(gate, gate.check(view)) for gate in load_gates()]


def criticise(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Run the gates, hear the model's own objections, record the verdicts, and decide whether the run is done."""
    services = runtime.context
    assert state.conclusion is not None
    settings = services.settings
    found = judge(View(state, state.conclusion, services.case.settings, settings.min_agreement))
    verdicts = [
        Verdict(round=state.round, gate=gate.name, outcome=finding.outcome, reason=finding.reason)
        for gate, finding in found
    ]
    objections = [objection for _, finding in found for objection in finding.objections]
    usage = state.usage
    if all(finding.outcome != "fail" for _, finding in found):
        # A model is asked for objections only to what passed: it can refuse, and has nothing to overrule.
        own, usage = _own_objections(state, services)
        if own:
            reason = "; ".join(dict.fromkeys(objection.expected for objection in own))
            verdicts.append(Verdict(round=state.round, gate=CRITIQUE, outcome="fail", reason=reason))
        objections += own
    for verdict in verdicts:
        services.trace.append(Kind.VERDICT, verdict.model_dump(mode="json"))
    rounds = usage_by_round(since_review(read_events(services.trace.path))) if usage.calls else {}
    if rounds:
        spent = rounds.get(state.round, Usage())
        services.trace.append(Kind.USAGE, {"round": state.round, **spent.model_dump(mode="json", exclude_none=True)})
    repairs: dict[str, Task] = {}
    for _, finding in found:
        repairs |= {task.id: task for task in finding.repairs}
    fingerprints = [*state.fingerprints, state.conclusion.fingerprint()]
    seen = [*state.seen, len(state.evidence)]
    decision = decide(
        fingerprints,
        failed=[verdict.gate for verdict in verdicts if verdict.outcome == "fail"],
        new_repairs=any(ident not in state.done for ident in repairs),
        deterministic=services.model.deterministic,
        max_rounds=settings.max_rounds,
        seen=seen,
        samples=state.conclusion.samples,
        agreement=state.conclusion.agreement,
        spent=_spent(state, rounds.values(), services),
    )
    status: Status | None = decision.status
    if status == "unresolved" and state.request.attended and _disagree(verdicts):
        status = "needs_review"
    return {
        "verdicts": [*state.verdicts, *verdicts],
        "objections": objections,
        "fingerprints": fingerprints,
        "seen": seen,
        "usage": usage,
        "repairs": list(repairs.values()),
        "status": status,
        "stop_reason": decision.reason,
    }


def _disagree(verdicts: Sequence[Verdict]) -> bool:
    """Whether sources or readings disagree, which no further evidence settles and a person has to."""
    return any(verdict.outcome == "fail" and verdict.gate in _DISAGREEING for verdict in verdicts)


def _own_objections(state: RunState, services: Services) -> tuple[list[Objection], Usage]:
    """The model's objections to what passed every gate, and what the run has used with them."""
    with asked(services, CRITIQUE, state.round, state.usage) as use:
        given = services.model.critique(state)[:_MOST_OBJECTIONS]
        if given:
            use.result = [objection.model_dump(mode="json") for objection in given]
    return list(known_objections(state, given)), use.usage


def known_objections(state: RunState, given: Sequence[Objection]) -> Sequence[Objection]:
    """Those of a model's objections that name a claim of the conclusion and, if any, evidence of the run.

    What the model writes goes no further than the trace: verdicts are shown, and it may write anything.
    """
    assert state.conclusion is not None
    claims = {claim.id for claim in state.conclusion.claims}
    if state.conclusion.pathology is not None:
        claims.add("pathology")
    kept = []
    for one in given:
        if one.claim in claims and (one.evidence is None or one.evidence in state.evidence):
            said = one.expected if one.expected in REASONS.values() else _OBJECTED
            expected = f"the model objects that {said}"
            kept.append(Objection(gate=CRITIQUE, claim=one.claim, evidence=one.evidence, expected=expected))
    return list(dict.fromkeys(kept))


def _spent(state: RunState, rounds: Iterable[Usage], services: Services) -> list[str]:
    """Names of the budgets of which nothing is left.

    Tokens are those of the trace, which has the requests of an attempt that was killed as well.
    """
    settings = services.settings
    spent = []
    if sum(usage.prompt_tokens + usage.output_tokens for usage in rounds) >= settings.max_model_tokens:
        spent.append("tokens")
    if settings.max_seconds is not None and services.elapsed() >= settings.max_seconds:
        spent.append("time")
    if any(one.reason == BUDGET_SPENT for one in state.evidence.values()):
        spent.append("tool calls")
    return spent
