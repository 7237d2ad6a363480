"""Critic: every gate over the typed state, then the consistency function. It has the last word."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from agent.consistency import decide
from agent.gates.model import Finding, Gate, View, load_gates
from agent.report_model import Verdict
from agent.services import Services
from agent.state import RunState, Task
from agent.trace_schema import Kind


def judge(view: View) -> list[tuple[Gate, Finding]]:
    """What every gate says of a conclusion."""
    return [(gate, gate.check(view)) for gate in load_gates()]


def criticise(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Run the gates, record the verdicts, and decide whether the run is done."""
    services = runtime.context
    assert state.conclusion is not None
    found = judge(View(state, state.conclusion, services.case.settings))
    verdicts = [
        Verdict(round=state.round, gate=gate.name, outcome=finding.outcome, reason=finding.reason)
        for gate, finding in found
    ]
    for verdict in verdicts:
        services.trace.append(Kind.VERDICT, verdict.model_dump(mode="json"))
    repairs: dict[str, Task] = {}
    for _, finding in found:
        repairs |= {task.id: task for task in finding.repairs}
    fingerprints = [*state.fingerprints, state.conclusion.fingerprint()]
    decision = decide(
        fingerprints,
        failed=[gate.name for gate, finding in found if finding.outcome == "fail"],
        new_repairs=any(ident not in state.done for ident in repairs),
        deterministic=services.model.deterministic,
        max_rounds=services.settings.max_rounds,
    )
    return {
        "verdicts": [*state.verdicts, *verdicts],
        "objections": [objection for _, finding in found for objection in finding.objections],
        "fingerprints": fingerprints,
        "repairs": list(repairs.values()),
        "status": decision.status,
        "stop_reason": decision.reason,
    }
