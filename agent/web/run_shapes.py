"""What goes over the wire about conversations and runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.interpret import MAX_CHARACTERS
from agent.report_status import StatusShown
from agent.web.shapes import Fault, Ident

RunState = Literal["queued", "running", "done", "failed", "cancelled"]
Question = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]


class ConversationAsk(BaseModel):
    """Which scan to talk about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scan: Ident


class RunAsk(BaseModel):
    """What is asked.

    Attributes:
        scan: of which scan.
        question: the words; null for a report on everything.
        options: choices of a multiple-choice question.
        conversation: where it belongs; what was asked there before is its context.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scan: Ident
    question: Question | None = None
    options: tuple[Annotated[str, Field(min_length=1, max_length=500)], ...] = Field(default=(), max_length=26)
    conversation: Ident | None = None


class RunRow(BaseModel):
    """A run in a list.

    Attributes:
        id: id of the run.
        scan: its scan.
        conversation: where it was asked; null for none.
        question: the words; null for a report on everything.
        state: where it is.
        position: how many wait before it, while it is queued.
        created: when it was asked (UTC, ISO 8601).
        started: when work began.
        ended: when it ended.
        status: what the critic said of it.
        answer: its answer in words.
        error: why it ended without a report.
    """

    id: str
    scan: str
    conversation: str | None = None
    question: str | None = None
    state: RunState
    position: int | None = None
    created: str
    started: str | None = None
    ended: str | None = None
    status: str | None = None
    answer: str | None = None
    error: Fault | None = None


class ClaimRef(BaseModel):
    """Where a claim stands in a report: `index` counts from 0 within its part."""

    id: str
    where: Literal["answer", "finding", "impression", "pathology"]
    index: int


class RunOut(RunRow):
    """A run with its report.

    Attributes:
        shown: what people are to read of its status.
        pathology_of: of which tumor and lesions its pathology conclusion speaks, as (name, text).
        report: the report, schema tumortrace.report/1; null while there is none.
        claims: ids of its claims, for reviews.
        next: questions that may be asked next.
        choices: complete questions to choose from where it was ambiguous.
        reviewable: whether a person's review would be taken.
    """

    report: dict[str, Any] | None = None
    shown: StatusShown | None = None
    pathology_of: list[tuple[str, str]] = Field(default_factory=list)
    claims: list[ClaimRef] = Field(default_factory=list)
    next: list[str] = Field(default_factory=list)
    choices: list[str] = Field(default_factory=list)
    reviewable: bool = False


class ConversationOut(BaseModel):
    """A conversation; `turns` are its runs in order."""

    id: str
    scan: str
    scan_name: str
    title: str
    created: str
    updated: str
    turns: list[RunRow] = Field(default_factory=list)
