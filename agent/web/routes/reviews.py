"""Reviews: what a person says of a report, and corrected masks before they count."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from agent.review_model import Decision
from agent.web.corrections import CorrectionOut
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
