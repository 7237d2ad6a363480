"""Reviews: what a person says of a report, and corrected masks before they count."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from agent.review_model import Decision
from agent.runs import Runs
from agent.web.corrections import CorrectionOut
from agent.web.earlier import earlier_report
from agent.web.heavy import heavy
from agent.web.routes.deps import PartsOf
from agent.web.routes.scans import Box, Level, binary
from agent.web.run_shapes import RunOut
from agent.web.shapes import Ident
from tools.correct import correct
from tools.correct_model import MOST_EDITS, Edit

router = APIRouter(prefix="/api/runs/{run}", tags=["reviews"])


class CorrectionAsk(BaseModel):
    """Edits to look at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    edits: Annotated[tuple[Edit, ...], Field(min_length=1, max_length=MOST_EDITS)]


class ReviewList(BaseModel):
    """What persons said of a run's reports, in order."""

    reviews: list[dict[str, Any]]


@router.post("/corrections", status_code=201)
@heavy
def preview(run: Ident, asked: CorrectionAsk, at: PartsOf) -> CorrectionOut:
    """What edits of masks would change; nothing is kept."""
    with at.views.case(run) as case:
        return at.corrections.preview(run, case, asked.edits)


@router.get("/corrections/{correction}", response_class=Response)
@heavy
def preview_volume(run: Ident, correction: Ident, at: PartsOf, level: Level = 0, box: Box = None) -> Response:
    """The corrected masks as .nii.gz: 1 stays, 2 goes, 3 comes."""
    found = at.corrections.get(run, correction)
    with at.views.case(run) as case:
        return binary(at.volumes.changes(case, found.labels, found.structures, level, box))


@router.post("/reviews", status_code=202)
@heavy
def review(run: Ident, decision: Decision, at: PartsOf) -> RunOut:
    """A person's decision; the run goes on with it, and its events tell."""
    at.views.check_decision(run, decision)
    if decision.edits:
        # Refused now, with the reason, rather than by a run that fails.
        with at.views.case(run) as case:
            correct(case, decision.edits)
    return at.views.out(at.work.review(run, decision))


@router.get("/reviews")
def list_reviews(run: Ident, at: PartsOf) -> ReviewList:
    """Reviews of a run."""
    found = at.views.out(at.work.row(run)).report
    return ReviewList(reviews=list(found.get("reviews", [])) if found is not None else [])


@router.get("/reviews/{number}/report", response_class=Response)
@heavy
def report_before(
    run: Ident,
    number: Annotated[int, Path(ge=1, le=100_000)],
    at: PartsOf,
    kind: Annotated[Literal["html", "json", "md"], Query(alias="format")] = "json",
    download: Annotated[bool, Query(description="as a file to be saved")] = False,
) -> Response:
    """The report that a review spoke of, as it was; its pictures are where the run's are."""
    at.work.row(run)
    folder = Runs(at.engine.settings.home).find(run, begun=False)
    return earlier_report(folder, number, kind, download=download)
