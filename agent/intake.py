"""Intake: what the scan itself says before anything is asked of it; its checks are evidence too."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from agent.services import Services
from agent.state import RunState, Task
from agent.trace_schema import Kind

CHECKS = ("scan_checks", "label_checks", "contrast_phase")
"""Tools that every run begins with."""
PRIOR_CHECKS = ("same_patient",)
"""Tools that a run with an earlier scan begins with as well."""


def intake(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Plan the checks; the executor runs them like any other tool."""
    services = runtime.context
    notes = list(services.case.scan.header.notes)
    if services.case.labels is not None:
        notes += services.case.labels.notes
    checks = (*CHECKS, *(PRIOR_CHECKS if services.case.prior is not None else ()))
    services.trace.append(Kind.INTAKE, {"notes": [*notes], "checks": [*checks]})
    tasks = [Task.make(name, reason="intake") for name in checks]
    return {"tasks": {task.id: task for task in tasks}}
