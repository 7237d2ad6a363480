"""Reviews for reading: a mark beside everything that a person spoke of, and the list of all that was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.report_model import Report, Review
from agent.report_pathology import concluded
from agent.review_model import PATHOLOGY, claims_of, said_of
from tools.correct_model import Amount, Change
from tools.ontology import load_ontology

_WHERE = {"answer": "the answer", "finding": "a finding", "impression": "an impression", "pathology": "the pathology"}
WHOLE = "the report as a whole"
_DONE = {"approve": "Approved", "override": "Overridden", "correct": "Corrected"}


@dataclass(frozen=True)
class Mark:
    """What stands beside what a person spoke of.

    Attributes:
        kind: what they did.
        lead: who did what ("Overridden by Dr. Roe").
        text: what they said; empty where they gave no words.
    """

    kind: Literal["approve", "override"]
    lead: str
    text: str

    def __str__(self) -> str:
        return f"{self.lead}: {self.text}" if self.text else self.lead


@dataclass(frozen=True)
class ReviewRow:
    """One review.

    Attributes:
        number, when, who: of the review.
        what: what was done with what ("overridden: the answer").
        kind: what they did.
        machine: what the run had said of it; empty for the whole, which stands above.
        says: the person's own conclusion, pathology included.
        reason: why.
        changes: what became of each mask that was corrected.
    """

    number: int
    when: str
    who: str
    what: str
    kind: str
    machine: str
    says: str
    reason: str
    changes: list[str]


def marks(report: Report) -> dict[str | None, list[Mark]]:
    """Id of a claim, "pathology", or None for the whole → the marks that stand beside it.

    After a correction a claim has its mark again only where it says the same as when it was spoken of; the report as a
    whole is another one.
    """
    found: dict[str | None, list[Mark]] = {}
    corrected = max((one.number for one in report.reviews if one.kind == "correct"), default=0)
    for one in report.reviews:
        same = one.number > corrected if one.about is None else said_of(report, one.about) == one.machine
        if one.kind != "correct" and same:
            mark = Mark(one.kind, f"{_DONE[one.kind]} by {one.reviewer}", _told(one))
            found.setdefault(one.about, []).append(mark)
    return found


def review_rows(report: Report) -> list[ReviewRow]:
    """All reviews, in the order in which they were given."""
    where = {claim.id: _WHERE[claim.where] for claim in claims_of(report)} | {None: WHOLE, PATHOLOGY: "the pathology"}
    return [
        ReviewRow(
            number=one.number, when=one.time.replace("T", " ").replace("Z", " UTC"), who=one.reviewer,
            what=_what(one, where), kind=one.kind,
            machine=one.machine if one.about is not None else "", says=_own(one), reason=one.reason or "",
            changes=[_changed(change) for change in one.changes],
        )
        for one in report.reviews
    ]  # fmt: skip


def _what(one: Review, where: dict[str | None, str]) -> str:
    meant = where.get(one.about, "a claim of an earlier report")
    # The masks are what is corrected; a claim is only what made the person look.
    if one.kind == "correct":
        return "Corrected: masks" if one.about is None else f"Corrected: masks, for {meant}"
    return f"{_DONE[one.kind]}: {meant}"


def _told(one: Review) -> str:
    said = _own(one)
    reason = f"({one.reason})" if one.reason else ""
    return " ".join(part for part in (said, reason) if part)


def _own(one: Review) -> str:
    return "; ".join(part for part in (one.says or "", concluded(one.pathology)) if part)


def _changed(change: Change) -> str:
    name = load_ontology().get(change.structure).names
    done = [f"{count} {word}" for count, word in ((change.removed, "removed"), (change.added, "added"),
                                                  (change.kept, "approved")) if count]  # fmt: skip
    note = f"; {change.note}" if change.note else ""
    return f"{name}: {', '.join(done)}; {_amount(change.before)} before, {_amount(change.after)} now{note}"


def _amount(one: Amount) -> str:
    return f"{one.lesions} component{'s' if one.lesions != 1 else ''} of {one.volume_cm3:.4g}\u00a0cm³"
