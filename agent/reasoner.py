"""Reasoner: asks the model for its conclusion."""

from __future__ import annotations

import time
from typing import Any

from langgraph.runtime import Runtime

from agent.services import Services
from agent.state import RunState
from agent.trace_schema import Kind


def reason(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Ask the model to conclude from the evidence of this round."""
    services = runtime.context
    begin = time.perf_counter()
    conclusion = services.model.conclude(state)
    services.trace.append(
        Kind.MODEL_CALL,
        {
            "model": services.model.name,
            "purpose": "conclude",
            "seconds": round(time.perf_counter() - begin, 6),
            "round": state.round,
            "result": conclusion.model_dump(mode="json", exclude_defaults=True),
        },
    )
    return {"conclusion": conclusion}
