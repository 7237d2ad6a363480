"""The contrast phases in which a rule holds."""

from __future__ import annotations

from agent.errors import ToolError
from tools.rules.model import AnyRule
from tools.types import Evidence, State


def phase_problem(rule: AnyRule, phase: Evidence | None) -> str | None:
    """Why a rule cannot be used in the scan's contrast phase, as one clause; None if it can.

    Args:
        rule: the rule.
        phase: evidence of the phase, None if nobody looked.

    Raises:
        ToolError: for evidence of something else.
    """
    if not rule.phases:
        return None
    allowed = " or ".join(rule.phases)
    if phase is not None and (phase.quantity, phase.target) != ("phase", "scan"):
        raise ToolError(f"the contrast phase is needed, not the {phase.quantity} of {phase.target}")
    if phase is None or phase.state is not State.MEASURED:
        why = phase.reason if phase else "it was not determined"
        return f"the rule holds for {allowed} scans only, and the contrast phase is not known ({why})"
    if phase.value not in rule.phases:
        return (
            f"the rule holds for {allowed} scans only, and this scan's contrast phase is {phase.value} ({phase.reason})"
        )
    return None
