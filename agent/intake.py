"""Intake: what the scan itself says before anything is asked of it; its checks are evidence too."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from agent.services import Services
from agent.state import RunState, Task
from agent.trace_schema import Kind
from tools.base import Case

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
    tasks = intake_tasks(services.case)
    services.trace.append(Kind.INTAKE, {"notes": [*notes], "checks": [task.tool for task in tasks]})
    return {"tasks": {task.id: task for task in tasks}}


def intake_tasks(case: Case) -> list[Task]:
    """The checks that a run on a case begins with."""
    checks = (*CHECKS, *(PRIOR_CHECKS if case.prior is not None else ()))
    return [Task.make(name, reason="intake") for name in checks]
