"""Intake: what the scan itself says before anything is asked of it; its checks are evidence too."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from agent.services import Services
from agent.state import RunState, Task
from agent.trace_schema import Kind

CHECKS = ("scan_checks", "label_checks", "contrast_phase")
"""Tools that every run begins with."""


def intake(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Plan the checks; the executor runs them like any other tool."""
    services = runtime.context
    notes = list(services.case.scan.header.notes)
    if services.case.labels is not None:
        notes += services.case.labels.notes
    services.trace.append(Kind.INTAKE, {"notes": [*notes], "checks": [*CHECKS]})
    tasks = [Task.make(name, reason="intake") for name in CHECKS]
    return {"tasks": {task.id: task for task in tasks}}
