"""A review begins: checked, what it needs kept, and written to the trace, from where it goes on whatever happens."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version

from pydantic import JsonValue

from agent.errors import UsageError
from agent.files import atomic_write
from agent.report_model import Report, Review
from agent.review_model import Decision, ReviewRecord, claims_of, said_of
from agent.runs import RunFolder
from agent.trace import TraceWriter
from agent.trace_read import check_untouched, ended, open_review
from agent.trace_schema import Kind
from tools.array_store import ArrayStore
from tools.base import Case
from tools.correct import correct
from tools.kept_labels import address, keep_labels

REPORT_KINDS = ("json", "md", "html")
"""Forms in which a report is written."""
_MOST_NAMED = 8


def begin_review(
    folder: RunFolder, case: Case, decision: Decision, trace: TraceWriter, key: bytes | None, arrays: ArrayStore
) -> None:
    """Write a review to the trace, or go on with the same one where it was interrupted.

    The report that is spoken of is kept first, and so are corrected masks: from the event on nothing else is needed.

    Args:
        folder: the run.
        case: with the masks that the run ended with.
        decision: what the person says.
        trace: of the run, opened for a review.
        key: secret of the trace.
        arrays: where masks are kept.

    Raises:
        UsageError: the run has no report or takes in another review, or there is no such claim or place.
        IntegrityError: the run was changed since it was written.
    """
    begun = open_record(folder)
    if begun is not None:
        if not begun.says_the_same(decision):
            raise UsageError(
                f"Run {folder.id} has not taken in the review of {begun.review.reviewer} yet; resume it first."
            )
        trace.append(Kind.RUN_RESUME, {"version": version("tumortrace")})
        return
    if not ended(folder):
        raise UsageError(f"Run {folder.id} has no report yet; resume it first.")
    check_untouched(folder, key)
    before = folder.report_json.read_bytes()
    record = _record(folder, Report.model_validate_json(before), case, decision, arrays)
    for kind in REPORT_KINDS:
        data = before if kind == "json" else (folder.folder / f"report.{kind}").read_bytes()
        atomic_write(folder.folder / kept_report_name(record.review.number - 1, kind), data)
    trace.append(Kind.REVIEW, _event(record))


def open_record(folder: RunFolder) -> ReviewRecord | None:
    """The review that a run has begun to take in; None where there is none, or where its report has it."""
    data = open_review(folder)
    if data is None:
        return None
    told = {name: one for name, one in data.items() if name in Review.model_fields}
    return ReviewRecord.model_validate(
        {
            "review": {**told, "kind": data["decision"]}, "edits": data["edits"], "labels": data["labels"],
            "before": data["before"], "after": data["after"],
        }
    )  # fmt: skip


def kept_report_name(number: int, kind: str = "json") -> str:
    """Name of the report that the review after it spoke of; 0 for the run's own first one."""
    return f"report.{number}.{kind}"


def _record(folder: RunFolder, made: Report, case: Case, decision: Decision, arrays: ArrayStore) -> ReviewRecord:
    review = Review(
        number=len(made.reviews) + 1,
        time=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        reviewer=decision.reviewer, kind=decision.kind, about=decision.about,
        machine=_said(folder, made, decision),
        says=decision.says, pathology=decision.pathology, reason=decision.reason,
    )  # fmt: skip
    if not decision.edits:
        return ReviewRecord(review=review)
    made_labels = correct(case, decision.edits)
    labels = address("corrected", case.scan.digest, made_labels.labels)
    keep_labels(arrays, labels, made_labels.labels)
    return ReviewRecord(
        review=review.model_copy(update={"changes": made_labels.changes}), edits=decision.edits, labels=labels,
        before=case.labels.digest if case.labels is not None else None, after=made_labels.labels.digest,
    )  # fmt: skip


def _said(folder: RunFolder, made: Report, decision: Decision) -> str:
    """What the run said of what the decision is about.

    Raises:
        UsageError: the report has no such claim.
    """
    claims = [one.id for one in claims_of(made)]
    said = said_of(made, decision.about)
    # Who overrides may conclude what the run did not; what is not there cannot be approved.
    if said is not None and (decision.about in {None, *claims} or decision.kind == "override"):
        return said
    named = ", ".join(claims[:_MOST_NAMED]) + (" …" if len(claims) > _MOST_NAMED else "")
    choice = f"choose one of {named}, or none for the whole" if claims else "speak of the report as a whole"
    raise UsageError(f"There is no claim {decision.about!r} in the report of run {folder.id}; {choice}.")


def _event(record: ReviewRecord) -> dict[str, JsonValue]:
    data: dict[str, JsonValue] = record.review.model_dump(mode="json")
    data["decision"] = data.pop("kind")
    return {**data, **record.model_dump(mode="json", exclude={"review"})}
