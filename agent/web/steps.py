"""The events of a trace as the steps that a watcher sees: what is done, on what, and how it came out."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from agent.trace_schema import Event, Kind
from agent.trace_verify import read_events
from agent.trace_view import printable, summary

StepState = Literal["running", "ok", "warn", "fail", "info"]
MOST_STEPS = 5_000
_LONGEST = 300
_KINDS: dict[str, tuple[str, str, StepState]] = {
    Kind.RUN_START: ("start", "Begun", "info"),
    Kind.RUN_RESUME: ("start", "Resumed", "info"),
    Kind.INTAKE: ("intake", "Scan checked", "ok"),
    Kind.PLAN: ("plan", "Plan", "ok"),
    Kind.ROUND: ("round", "Round", "info"),
    Kind.HOPS: ("hops", "Findings followed", "info"),
    Kind.MASK_REFUSED: ("mask", "Mask refused", "warn"),
    Kind.TOOL_START: ("tool", "", "running"),
    Kind.TOOL_END: ("tool", "", "ok"),
    Kind.TOOL_REUSED: ("tool", "", "ok"),
    Kind.TOOL_FAILED: ("tool", "", "fail"),
    Kind.MODEL_CALL: ("model", "Model", "ok"),
    Kind.USAGE: ("model", "Model use", "info"),
    Kind.VERDICT: ("gate", "Gate", "ok"),
    Kind.REVIEW: ("review", "Review", "info"),
    Kind.REPORT: ("report", "Report", "ok"),
    Kind.RUN_END: ("end", "Ended", "info"),
    Kind.RECOVERED: ("start", "Record mended", "warn"),
}
"""Kind of a trace's event → kind, title and state of its step; what is not named here is shown by its own name."""
_OUTCOMES: dict[str, StepState] = {"pass": "ok", "fail": "fail", "not_applicable": "info"}
_PURPOSES = {
    "interpret": "Question read", "conclude": "Conclusion written", "critique": "Second look", "reply": "Reply ordered",
    "plan": "Further tasks",
}  # fmt: skip


class Step(BaseModel):
    """One line of a run's story.

    Attributes:
        n: number of the event in the trace.
        kind: what sort of step it is.
        title: a few words.
        detail: a line more.
        round: number of the round.
        state: how it came out, or that it still runs.
        seconds: how long it took, where that is known.
        key: what the step is about; a later one with the same key stands for it.
    """

    model_config = ConfigDict(frozen=True)

    n: int
    kind: str
    title: str
    detail: str | None
    round: int | None
    state: StepState
    seconds: float | None
    key: str


def step_of(event: Event) -> Step:
    """The step that an event of a trace tells."""
    kind, title, state = _KINDS.get(event.kind, (event.kind, event.kind.replace(".", " ").capitalize(), "info"))
    key = f"event-{event.seq}"
    if kind == "tool":
        title = str(event.data.get("tool", "tool")).replace("_", " ").capitalize()
        key = f"call-{event.data.get('call', event.seq)}"
    elif kind == "gate":
        title = f"Gate: {event.data.get('gate', '?')}"
        state = _OUTCOMES.get(str(event.data.get("outcome")), "info")
    elif kind == "round":
        title = f"Round {event.data.get('round', '?')}"
    elif event.kind == Kind.MODEL_CALL:
        title = _PURPOSES.get(str(event.data.get("purpose")), title)
    return Step(
        n=event.seq, kind=kind, title=printable(title, 80), detail=printable(_detail(event), _LONGEST) or None,
        round=_whole(event.data.get("round")), state=state, seconds=_number(event.data.get("seconds")), key=key[:120],
    )  # fmt: skip


def steps_of(trace: Path) -> list[Step]:
    """What happened in a run, from its trace; nothing where there is none (yet)."""
    if not trace.is_file():
        return []
    events = (event for event in read_events(trace) if isinstance(event, Event))
    return [step_of(event) for event in islice(events, MOST_STEPS)]


def _detail(event: Event) -> str:
    data = event.data
    if event.kind == Kind.VERDICT:
        return str(data.get("reason", ""))
    if event.kind == Kind.RUN_START:
        return str(data.get("question") or "report on everything")
    if event.kind == Kind.ROUND:
        return ""
    if event.kind == Kind.PLAN:
        tasks = data.get("tasks")
        names = [str(one.get("tool")) for one in tasks if isinstance(one, dict)] if isinstance(tasks, list) else []
        counted = [f"{names.count(name)} × {name}" for name in dict.fromkeys(names)]
        return ", ".join(counted).replace("_", " ")
    if event.kind == Kind.RUN_END:
        return str(data.get("reason") or data.get("status") or "")
    text = summary(event)
    tool = str(data.get("tool", ""))
    return text.removeprefix(tool).lstrip(": ") if tool else text


def _whole(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
