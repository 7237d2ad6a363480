"""The report as data: schema ``tumortrace.report/1``. Rendering lives in `report.py`.

Fields may be added in later versions; none of these changes its meaning.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from agent.models.usage import Usage
from tools.correct_model import Change
from tools.types import Scalar, State

SCHEMA = "tumortrace.report/1"
RESEARCH_USE = "For research use only; not a medical device."

Status = Literal["consistent", "unresolved", "needs_review"]
ReviewKind = Literal["approve", "override", "correct"]


def one_line(text: str) -> str:
    """Text of a person as one line.

    Raises:
        ValueError: it is empty, or holds what cannot be printed.
    """
    line = " ".join(text.split())
    if not line or not line.isprintable():
        raise ValueError("it has to be printable text")
    return line


Line = Annotated[str, Field(max_length=2000), AfterValidator(one_line)]
Name = Annotated[str, Field(max_length=80), AfterValidator(one_line)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Binding(_Model):
    """Where a number or a name in a sentence comes from.

    Attributes:
        start: first character in the sentence.
        end: one past the last character.
        evidence: id of the evidence that carries it.
        field: which field of that evidence ("value", "lower_bound", "uncertainty", "slice", "target", …).
    """

    start: int
    end: int
    evidence: str
    field: str


class Answer(_Model):
    """The answer to one question. `value` is boolean for yes/no, a name for "which", a number for "how much".

    `read_as` is the question in other words where a model had to understand it; `choices` are complete questions to
    choose from where it was ambiguous; `understood` is false where the question, as it stands, was not.
    """

    question: str = ""
    read_as: str | None = None
    text: str
    value: Scalar = None
    unit: str | None = None
    option: str | None = None
    state: State
    lower_bound: float | None = None
    uncertainty: float | None = None
    reason: str | None = None
    evidence: list[str] = Field(default_factory=list)
    bindings: list[Binding] = Field(default_factory=list)
    choices: list[str] = Field(default_factory=list)
    understood: bool = True


class Sentence(_Model):
    """One finding or impression with the evidence it rests on."""

    id: str
    text: str
    evidence: list[str]
    bindings: list[Binding] = Field(default_factory=list)


class Pathology(_Model):
    """The pathology conclusion; X categories where nothing was assessed."""

    diagnosis: str | None = None
    ct: str | None = None
    cn: str | None = None
    cm: str | None = None
    stage: str | None = None
    differential: list[str] = Field(default_factory=list)
    confidence: float | None = None
    evidence: list[str] = Field(default_factory=list)


class EvidenceOut(_Model):
    """Evidence as it stands in a report, keyed there by its id."""

    tool: str
    arguments: dict[str, JsonValue]
    quantity: str
    target: str
    value: Scalar
    unit: str | None
    state: State
    uncertainty: float | None
    lower_bound: float | None
    reason: str | None
    method: str
    version: str
    slice: int | None
    artifact: str | None
    inputs: list[str] = Field(default_factory=list)
    details: dict[str, JsonValue] = Field(default_factory=dict)


class Verdict(_Model):
    """What one gate said in one round."""

    round: int
    gate: str
    outcome: Literal["pass", "fail", "not_applicable"]
    reason: str


class Picture(_Model):
    """An overlay image, its path relative to the run's folder, and the evidence it shows."""

    path: str
    caption: str
    evidence: list[str] = Field(default_factory=list)


class ReviewedPathology(_Model):
    """A person's own pathology conclusion; None where they say nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    diagnosis: Name | None = None
    ct: Name | None = None
    cn: Name | None = None
    cm: Name | None = None
    stage: Name | None = None


class Review(_Model):
    """What a person said of the report; it stands beside what the run concluded, never in its place.

    Attributes:
        number: from 1, in the order in which they were given.
        time: UTC, ISO 8601.
        reviewer: who.
        kind: approved, overridden, or corrected: then the report is the one made anew from corrected masks.
        about: id of the claim that is meant, "pathology", or None for the report as a whole.
        machine: what the run had said of it at that time.
        says: the person's own conclusion.
        pathology: the person's own pathology conclusion.
        reason: why.
        changes: what became of the masks that were corrected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    time: str
    reviewer: str
    kind: ReviewKind
    about: str | None = None
    machine: str
    says: str | None = None
    pathology: ReviewedPathology | None = None
    reason: str | None = None
    changes: tuple[Change, ...] = ()


class Report(_Model):
    """Everything that a run concluded, with the evidence for it.

    `open` says what of an unresolved run remained open; `usage` what its served model took, if it had one, attempts
    that were broken off included; `said` in which order a conversation tells the answers, by number from 0; `reviews`
    what persons said of it.
    """

    schema_: str = Field(default=SCHEMA, alias="schema", serialization_alias="schema")
    run_id: str
    question: str | None
    status: Status
    rounds: int
    open: list[str] = Field(default_factory=list)
    usage: Usage | None = None
    answer: Answer | None
    answers: list[Answer] = Field(default_factory=list)
    said: list[int] = Field(default_factory=list)
    findings: list[Sentence] = Field(default_factory=list)
    impression: list[Sentence] = Field(default_factory=list)
    pathology: Pathology | None = None
    evidence: dict[str, EvidenceOut] = Field(default_factory=dict)
    verdicts: list[Verdict] = Field(default_factory=list)
    not_assessed: list[str] = Field(default_factory=list)
    limitations: list[str] = Field(default_factory=list)
    pictures: list[Picture] = Field(default_factory=list)
    reviews: list[Review] = Field(default_factory=list)
    notice: str = RESEARCH_USE
    trace: str

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
