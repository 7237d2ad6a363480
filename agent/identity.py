"""What a run is about: only with the same scan, labels, question and declarations it goes on."""

from __future__ import annotations

from importlib.metadata import version

from pydantic import JsonValue

from agent.errors import UsageError
from agent.models.protocol import ReasoningModel
from agent.runs import RunFolder
from agent.settings import Settings
from agent.state import Request
from agent.trace_schema import Event
from agent.trace_verify import read_events
from tools.base import Case
from tools.types import content_hash


def identity(case: Case, request: Request, model: str) -> str:
    """Hash of all that a run is about, the model's name included; whether a person attends it makes no difference."""
    asked = request.model_dump(mode="json", exclude={"attended"})
    return content_hash([_content(case), case.settings.digest, _prior(case), asked, model])


def run_start(
    folder: RunFolder, case: Case, request: Request, settings: Settings, model: ReasoningModel
) -> dict[str, JsonValue]:
    """What the trace says first: what the run is about, and with what it works."""
    inputs: dict[str, JsonValue] = {"scan": case.scan.digest}
    if case.labels is not None:
        inputs["labels"] = case.labels.digest
    if case.prior is not None:
        inputs["prior"] = case.prior.scan.digest
        if case.prior.labels is not None:
            inputs["prior_labels"] = case.prior.labels.digest
    attended: dict[str, JsonValue] = {"attended": True} if request.attended else {}
    return {
        "run_id": folder.id,
        "question": request.question,
        "options": list(request.options),
        "version": version("tumortrace"),
        "inputs": inputs,
        "identity": identity(case, request, model.name),
        **attended,
        "settings": {
            "model": model.name,
            "max_rounds": settings.max_rounds,
            "max_tool_calls": settings.max_tool_calls,
            "max_model_tokens": settings.max_model_tokens,
            "max_seconds": settings.max_seconds,
            "min_agreement": settings.min_agreement,
            "phase": case.settings.phase,
            "prefer": list(case.settings.prefer),
            "patient": dict(case.settings.patient),
        },
    }


def check_same(folder: RunFolder, about: str) -> None:
    """A run goes on only with the same scan, labels, question and declarations.

    Raises:
        UsageError: it was about something else.
    """
    first = next(read_events(folder.trace), None)
    if not isinstance(first, Event) or first.data.get("identity") != about:
        raise UsageError(
            f"Run {folder.id} was about another scan, question or option; give the same command that started it."
        )


def model_of(folder: RunFolder) -> str:
    """Name of the model that a run was started with; empty where its trace does not tell."""
    first = next(read_events(folder.trace), None)
    told = first.data.get("settings") if isinstance(first, Event) else None
    return str(told.get("model", "")) if isinstance(told, dict) else ""


def _content(case: Case) -> list[str | None]:
    return [case.scan.digest, case.labels.digest if case.labels else None]


def _prior(case: Case) -> list[str | None] | None:
    return _content(case.prior) if case.prior is not None else None
