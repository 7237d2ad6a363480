"""Understanding: the question becomes typed queries, before anything is looked for or planned."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from agent.model_calls import asked
from agent.seen import labelled
from agent.services import Services
from agent.state import RunState


def understand(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Ask the model what the question means; a report on everything has none."""
    services = runtime.context
    if state.request.question is None:
        return {"queries": []}
    with asked(services, "interpret", 1, state.usage) as use:
        queries = services.model.interpret(state.request, labelled(services.case.labels))
        use.result = [query.model_dump(mode="json") for query in queries]
    return {"queries": queries, "usage": use.usage}
