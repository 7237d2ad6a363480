"""What a person says of a run's report, checked at the door, and which claims there are to speak of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.claims import answer_id
from agent.errors import UsageError
from agent.report_model import Line, Name, Report, Review, ReviewedPathology, ReviewKind
from agent.report_pathology import concluded
from tools.correct_model import MOST_EDITS, Edit

PATHOLOGY = "pathology"
"""What a decision is about where it is the pathology conclusion."""
_NO_CLAIM, _NO_PATHOLOGY = "no claim", "no pathology conclusion"
_LONGEST = 2000


class Decision(BaseModel):
    """A person's word on a report.

    Attributes:
        reviewer: who says it.
        kind: approve it; override it, so that both opinions stand side by side; or correct masks, so that the run
            concludes anew.
        reason: why; has to be given for all but an approval.
        about: id of the claim that is meant (`claims_of`), "pathology", or None for the report as a whole.
        says: the reviewer's own conclusion, of an override.
        pathology: the reviewer's own pathology conclusion, of an override.
        edits: corrections of masks, of a correction.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    reviewer: Name
    kind: ReviewKind
    reason: Line | None = None
    about: Annotated[str, Field(max_length=200)] | None = None
    says: Line | None = None
    pathology: ReviewedPathology | None = None
    edits: tuple[Edit, ...] = Field(default=(), max_length=MOST_EDITS)

    @model_validator(mode="after")
    def _fits_together(self) -> Decision:
        if self.kind != "approve" and self.reason is None:
            raise ValueError(f"to {self.kind} needs a reason")
        if self.kind != "override" and (self.says is not None or self.pathology is not None):
            raise ValueError("a conclusion of the reviewer's own overrides")
        if (self.kind == "correct") != bool(self.edits):
            raise ValueError("edits correct, and a correction has some")
        return self


class ReviewRecord(BaseModel):
    """A review as the run takes it in.

    Attributes:
        review: as it stands in the report.
        edits: corrections of masks.
        labels: content address of the corrected masks.
        before, after: digests of the masks, where they were corrected; None for no masks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    review: Review
    edits: tuple[Edit, ...] = ()
    labels: str | None = None
    before: str | None = None
    after: str | None = None

    def says_the_same(self, decision: Decision) -> bool:
        """Whether a decision is the one behind this review."""
        mine = self.review
        return (mine.reviewer, mine.kind, mine.reason, mine.about, mine.says, mine.pathology, self.edits) == (
            decision.reviewer, decision.kind, decision.reason, decision.about, decision.says, decision.pathology,
            decision.edits,
        )  # fmt: skip


class ClaimRef(BaseModel):
    """One claim of a report that a person can speak of.

    Attributes:
        id: what `Decision.about` takes.
        where: part of the report.
        index: number within it, from 0.
        text: what it says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    where: Literal["answer", "finding", "impression", "pathology"]
    index: int
    text: str


def claims_of(report: Report) -> tuple[ClaimRef, ...]:
    """Every claim of a report, in its order."""
    answers = report.answers or ([report.answer] if report.answer else [])
    found = [
        ClaimRef(id=answer_id(number), where="answer", index=number, text=one.text)
        for number, one in enumerate(answers)
    ]
    found += [
        ClaimRef(id=one.id, where="finding", index=number, text=one.text) for number, one in enumerate(report.findings)
    ]
    found += [
        ClaimRef(id=one.id, where="impression", index=number, text=one.text)
        for number, one in enumerate(report.impression)
    ]
    if report.pathology is not None:
        found.append(ClaimRef(id=PATHOLOGY, where="pathology", index=0, text=concluded(report.pathology)))
    return tuple(found)


def said_of(report: Report, about: str | None) -> str | None:
    """What a report says of a claim, of the pathology, or as a whole; None where it has no such claim."""
    if about is None:
        told = [report.answer.text] if report.answer else [one.text for one in (*report.impression, *report.findings)]
        return (" ".join(told) or _NO_CLAIM)[:_LONGEST]
    claims = {one.id: one.text for one in claims_of(report)}
    return claims.get(about, _NO_PATHOLOGY if about == PATHOLOGY else None)


def read_decision(data: Mapping[str, Any]) -> Decision:
    """A decision from plain values.

    Raises:
        UsageError: they are none; says which field, and what is wrong with it.
    """
    try:
        return Decision.model_validate(data)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the decision"
        what = str(first["msg"]).removeprefix("Value error, ")
        raise UsageError(f"This review cannot be taken: {where}: {what[:1].lower()}{what[1:]}.") from error
