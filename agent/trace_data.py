"""What the events of each kind carry: the data that `agent.trace_schema` tells the frame of.

`data` may carry more fields than its model names; those named have to be there, with their types.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agent.trace_schema import Count, Kind, RunStatus, Seconds, Sha256


class Data(BaseModel):
    """Base of all event data: what is named is checked, what is added is kept."""

    model_config = ConfigDict(extra="allow", strict=True)


class RunStart(Data):
    """The first event: what was asked, of what, by which program.

    Attributes:
        run_id: id of the run.
        question: the question as asked, None for a report on everything.
        options: the choices of a multiple-choice question.
        version: version of the program.
        inputs: role ("scan", "labels", …) → SHA-256 (hex) of its content; never a path or a file name.
        settings: what the run was set to.
    """

    run_id: str
    question: str | None
    options: list[str] = Field(default_factory=list)
    version: str
    inputs: dict[str, Sha256] = Field(default_factory=dict)
    settings: dict[str, JsonValue] = Field(default_factory=dict)


class RunResume(Data):
    """The run goes on after an interruption, with this version of the program."""

    version: str


class Intake(Data):
    """What the first look at the scan found: ids of the evidence, and notes, one clause each."""

    evidence: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)


class Plan(Data):
    """The tasks of a round; each is free-form, and says why it was planned."""

    round: Count
    tasks: list[JsonValue]


class Round(Data):
    """A round begins, with what is known of the state of the loop."""

    round: Count


class Hops(Data):
    """Findings opened checks of other structures.

    Attributes:
        round: number of the round.
        step: number of the step of following.
        opened: the hops, each with its trigger, edge, reason, depth and tasks.
        brought: key of each hop of the step before → pieces of evidence that it brought.
        ended: why nothing further is followed; None where hops go on.
        left: hops that findings would open and that were not taken.
    """

    round: Count
    step: Count
    opened: list[JsonValue] = Field(default_factory=list)
    brought: dict[str, Count] = Field(default_factory=dict)
    ended: str | None = None
    left: Count = 0


class MaskRefused(Data):
    """An engine made a mask that does not count.

    Attributes:
        engine: the engine and its task.
        version: of the engine and its weights.
        structure: canonical id.
        flag: what sort of thing is wrong with it.
        reason: what was found and what is expected, with units.
        measured: the values behind it.
    """

    engine: str
    version: str
    structure: str
    flag: str
    reason: str
    measured: dict[str, JsonValue] = Field(default_factory=dict)


class ToolStart(Data):
    """A tool call begins; `call` is its id within the run."""

    call: str
    tool: str
    target: str | None = None
    round: Count | None = None
    arguments: dict[str, JsonValue] = Field(default_factory=dict)


class ToolEnd(Data):
    """A tool call ended after `seconds`, with the evidence (whole, or ids) that it made."""

    call: str
    tool: str
    seconds: Seconds
    version: str | None = None
    round: Count | None = None
    evidence: list[JsonValue] = Field(default_factory=list)


class ToolReused(Data):
    """A tool call was answered from the store, without running the tool again."""

    call: str
    tool: str
    round: Count | None = None
    evidence: list[JsonValue] = Field(default_factory=list)


class ToolFailed(Data):
    """A tool call could not do its work; `error` says why in one sentence."""

    call: str
    tool: str
    error: str
    seconds: Seconds | None = None
    round: Count | None = None


class ModelCall(Data):
    """A model was asked; `purpose` says for what ("interpret", "conclude", …).

    Requests to a server are recorded one by one, with `attempts` and all that `agent.models.usage.Call` describes,
    then what came out of them, with their number.
    """

    model: str
    purpose: str
    seconds: Seconds | None = None
    round: Count | None = None
    requests: Count | None = None
    attempts: Count | None = None
    samples: Count | None = None
    prompt_tokens: Count | None = None
    cached_tokens: Count | None = None
    output_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    cost: float | None = None
    problems: list[str] = Field(default_factory=list)
    reasoning: list[str] = Field(default_factory=list)
    result: JsonValue = None


class UsageData(Data):
    """What the requests to a served model took in one round, those of an interrupted attempt at it included."""

    round: Count
    calls: Count
    prompt_tokens: Count
    cached_tokens: Count
    output_tokens: Count
    seconds: Seconds
    cost: float | None = None


class VerdictData(Data):
    """What one gate said in one round."""

    round: Count
    gate: str
    outcome: Literal["pass", "fail", "not_applicable"]
    reason: str


class ReviewData(Data):
    """A person's word on the report that the run ended with; the run then ends again, with a report that has it.

    Attributes:
        number: from 1.
        time: UTC, ISO 8601.
        reviewer: who.
        decision: approve, override or correct.
        about: id of the claim that is meant, "pathology", or None for the report as a whole.
        machine: what the run had said of it.
        says: the person's own conclusion.
        pathology: the person's own pathology conclusion.
        reason: why.
        edits: corrections of masks, as they were given.
        changes: what they did to the mask of each structure.
        labels: content address of the corrected masks.
        before, after: digests of the masks, where they were corrected; None for no masks.
    """

    number: Annotated[int, Field(ge=1)]
    time: str
    reviewer: str
    decision: Literal["approve", "override", "correct"]
    about: str | None
    machine: str
    says: str | None
    pathology: dict[str, JsonValue] | None
    reason: str | None
    edits: list[JsonValue]
    changes: list[JsonValue]
    labels: Sha256 | None
    before: Sha256 | None
    after: Sha256 | None


class ReportData(Data):
    """The report was written; the answer in words, where a question was asked."""

    status: RunStatus
    answer: str | None = None


class RunEnd(Data):
    """The last event of a finished run.

    Attributes:
        status: how it ended.
        events: number of events in the trace, this one included.
        artifacts: path relative to the trace's folder → SHA-256 (hex) of each file written.
        reason: why, where the status alone does not say.
    """

    status: RunStatus
    events: Count
    artifacts: dict[str, Sha256] = Field(default_factory=dict)
    reason: str | None = None


class Recovered(Data):
    """A line that a crash left unfinished was cut off: its length in bytes and its SHA-256 (hex)."""

    cut_bytes: Count
    cut_sha256: Sha256


DATA_MODELS: dict[Kind, type[Data]] = {
    Kind.RUN_START: RunStart,
    Kind.RUN_RESUME: RunResume,
    Kind.INTAKE: Intake,
    Kind.PLAN: Plan,
    Kind.ROUND: Round,
    Kind.HOPS: Hops,
    Kind.MASK_REFUSED: MaskRefused,
    Kind.TOOL_START: ToolStart,
    Kind.TOOL_END: ToolEnd,
    Kind.TOOL_REUSED: ToolReused,
    Kind.TOOL_FAILED: ToolFailed,
    Kind.MODEL_CALL: ModelCall,
    Kind.USAGE: UsageData,
    Kind.VERDICT: VerdictData,
    Kind.REVIEW: ReviewData,
    Kind.REPORT: ReportData,
    Kind.RUN_END: RunEnd,
    Kind.RECOVERED: Recovered,
}
