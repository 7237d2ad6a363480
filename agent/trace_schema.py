"""What a trace is made of: the one description that its writer, its verifier and its viewer share.

A trace is a file of JSON lines. Each line is one event in canonical JSON, ended by a line feed, with the
fields ``seq`` (0, 1, 2 …), ``time`` (UTC, ISO 8601, milliseconds), ``kind``, ``data``, ``prev`` (the hash of
the event before it, 64 zeros for the first) and ``hash``, which is taken over the canonical JSON of all the
others. With a key the hash is an HMAC (RFC 2104), else a plain SHA-256; its prefix says which.

`data` may carry more fields than its model names; those named have to be there, with their types.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, field_validator

from tools.types import canonical_json

FIRST_PREV = "0" * 64
MAX_LINE_BYTES = 16 * 2**20
MAX_TRACE_BYTES = 256 * 2**20
TRACE_NAME = "trace.jsonl"

RunStatus = Literal["consistent", "unresolved", "needs_review", "failed"]
RESUMABLE = ("needs_review", "failed")
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]


class Kind(StrEnum):
    """Every kind of event that a trace can hold."""

    RUN_START = "run.start"
    RUN_RESUME = "run.resume"
    INTAKE = "intake"
    PLAN = "plan"
    ROUND = "round"
    HOPS = "hops"
    MASK_REFUSED = "mask.refused"
    TOOL_START = "tool.start"
    TOOL_END = "tool.end"
    TOOL_REUSED = "tool.reused"
    TOOL_FAILED = "tool.failed"
    MODEL_CALL = "model.call"
    USAGE = "usage"
    VERDICT = "verdict"
    REPORT = "report"
    RUN_END = "run.end"
    RECOVERED = "trace.recovered"


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


AFTER_END = (Kind.RUN_RESUME, Kind.RECOVERED)
"""What may follow a run.end, where its status is one of `RESUMABLE`."""

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
    Kind.REPORT: ReportData,
    Kind.RUN_END: RunEnd,
    Kind.RECOVERED: Recovered,
}


class Event(BaseModel):
    """One line of a trace."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    seq: Count
    time: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
    kind: str
    data: dict[str, JsonValue]
    prev: str
    hash: str

    def expected_hash(self, key: bytes | None) -> str:
        """The hash that this content must carry."""
        return chain_hash(self.model_dump(exclude={"hash"}), key)

    def line(self) -> bytes:
        """The one way to write this event, with its line feed."""
        return canonical_json(self.model_dump()).encode() + b"\n"

    def when(self) -> datetime:
        """The time of the event, UTC."""
        return datetime.fromisoformat(self.time)

    @field_validator("time")
    @classmethod
    def _exists(cls, value: str) -> str:
        datetime.fromisoformat(value)
        return value


def chain_hash(content: dict[str, Any], key: bytes | None) -> str:
    """Hash of an event's content without its own hash: ``sha256:…``, or ``hmac-sha256:…`` with a key."""
    text = canonical_json(content).encode()
    if key is None:
        return "sha256:" + hashlib.sha256(text).hexdigest()
    return "hmac-sha256:" + hmac.new(key, text, hashlib.sha256).hexdigest()


def parse_line(line: bytes) -> Event:
    """Read one line of a trace.

    Raises:
        ValueError: where it is not one event in canonical JSON, with the reason as a clause.
    """
    if not line.endswith(b"\n"):
        raise ValueError("the line is torn (it does not end in a line feed)")
    try:
        raw = json.loads(line)
        event = Event.model_validate(raw)
        canonical = event.line()
    except (ValueError, RecursionError) as error:
        raise ValueError("the line is not an event") from error
    if canonical != line:
        raise ValueError("the line is not written in canonical form")
    return event
