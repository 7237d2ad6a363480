"""The node in which a run waits for a person: it has its report, and goes on with what they say of it."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import Overwrite, interrupt

from agent.intake import intake_tasks
from agent.looking import looked
from agent.review_model import ReviewRecord
from agent.services import Services
from agent.state import RunState
from tools.base import Case

_SEGMENT = "segment"
_OF_ROUNDS = (
    "round", "targets", "conclusion", "verdicts", "objections", "fingerprints", "repairs", "seen", "hops", "steps",
    "opened", "status", "stop_reason",
)  # fmt: skip
"""What the rounds of the loop brought, which a correction takes away."""


def review(state: RunState, runtime: Runtime[Services]) -> dict[str, Any]:
    """Wait for a person's word; an opinion is entered, a correction begins the rounds anew."""
    services = runtime.context
    record = ReviewRecord.model_validate(interrupt({"waits_for": "review", "after": len(state.reviews)}))
    reviews = [*state.reviews, record.review]
    if record.labels is None:
        # A person has decided, so that none has to; what the run could not settle stays unsettled.
        return {"reviews": reviews, "status": "unresolved" if state.status == "needs_review" else state.status}
    services.case = looked(services.case, record.labels, services.arrays)
    return {"reviews": reviews, "labels": record.labels, **_anew(state, services.case)}


def _anew(state: RunState, case: Case) -> dict[str, Any]:
    """The state of a run whose masks were corrected: what was asked and which engines looked, and nothing measured."""
    kept = {ident: task for ident, task in state.tasks.items() if task.tool == _SEGMENT}
    done = {ident: state.done[ident] for ident in kept if ident in state.done}
    evidence = {ident: state.evidence[ident] for made in done.values() for ident in made}
    tasks = {**{task.id: task for task in intake_tasks(case)}, **kept}
    blank = RunState(run_id=state.run_id, request=state.request)
    return {
        **{name: getattr(blank, name) for name in _OF_ROUNDS},
        "tasks": Overwrite(tasks), "done": Overwrite(done), "evidence": Overwrite(evidence),
    }  # fmt: skip
