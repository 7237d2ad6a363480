"""Runs: questions, their events, evidence, reports and traces."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel

from agent.web.feed import Feed
from agent.web.heavy import heavy
from agent.web.mask_view import MasksOut
from agent.web.routes.deps import PartsOf
from agent.web.routes.scans import Box, Level, binary
from agent.web.run_shapes import RunAsk, RunOut, RunRow
from agent.web.run_view import EvidenceView, TraceCheck
from agent.web.shapes import Ident
from agent.web.steps import Step
from agent.web.streams import PAUSE, STREAM, EventStream, written

router = APIRouter(prefix="/api/runs", tags=["runs"])

Download = Annotated[bool, Query(description="as a file to be saved")]
_MOST_ID = 300
_TRACE = "trace"
"""Name of the streams that are read from the trace."""


@dataclass(frozen=True)
class Watched:
    """A run whose events are asked for; `steps` are those of one that has ended."""

    row: RunRow
    feed: Feed | None
    steps: list[Step]


class RunList(BaseModel):
    """Runs in the order in which they were asked."""

    runs: list[RunRow]


@router.post("", status_code=202)
def ask(asked: RunAsk, at: PartsOf) -> RunOut:
    """Ask a question about a scan, or for a report on everything; watch its events for the answer."""
    return at.views.out(at.work.ask(asked))


@router.get("")
def list_runs(at: PartsOf, scan: Ident | None = None, conversation: Ident | None = None) -> RunList:
    """Runs, of a scan or a conversation."""
    return RunList(runs=at.work.rows(scan=scan, conversation=conversation))


@router.get("/{run}")
def get_run(run: Ident, at: PartsOf) -> RunOut:
    """One run, with its report once it has one."""
    return at.views.out(at.work.row(run))


@router.post("/{run}/cancel", status_code=202)
def cancel(run: Ident, at: PartsOf) -> RunOut:
    """Ask a run to stop."""
    return at.views.out(at.work.cancel(run))


@router.post("/{run}/resume", status_code=202)
def resume(run: Ident, at: PartsOf) -> RunOut:
    """Go on with a run that was cancelled or that failed; finished tool calls are not repeated."""
    return at.views.out(at.work.resume(run))


def watched(run: Ident, at: PartsOf) -> Watched:
    """A run to watch; an unknown one is refused before the stream begins."""
    feed = at.work.feed(run)
    row = at.work.row(run)
    return Watched(row, feed, [] if feed is not None else at.views.steps(run))


@router.get("/{run}/events", response_class=StreamingResponse, responses=STREAM)
def events(
    found: Annotated[Watched, Depends(watched)], last_event_id: Annotated[str | None, Header(max_length=20)] = None
) -> EventStream:
    """What happens in a run, from its beginning, or after the event that was seen last."""
    return EventStream(_ended(found, last_event_id) if found.feed is None else _live(found.feed, last_event_id))


async def _ended(found: Watched, last: str | None) -> AsyncGenerator[bytes, None]:
    after = _after(last, _TRACE)
    for number, step in enumerate(found.steps, start=1):
        if number > after:
            yield written("step", step.model_dump(mode="json"), f"{_TRACE}-{number}")
    yield written("state", found.row.model_dump(mode="json"))


async def _live(feed: Feed, last: str | None) -> AsyncGenerator[bytes, None]:
    async with aclosing(feed.watch(_after(last, feed.name))) as notes:
        async for note in notes:
            yield written(note.event, note.data, f"{feed.name}-{note.number}") if note is not None else PAUSE


def _after(last: str | None, name: str) -> int:
    """Number of the event that was seen last; 0 where it was one of another stream, whose numbers mean others."""
    told, _, number = (last or "").partition("-")
    return int(number) if told == name and number.isdecimal() else 0


@router.get("/{run}/masks")
@heavy
def run_masks(run: Ident, at: PartsOf) -> MasksOut:
    """The masks that a run ended with: those given, those that engines made, those that a person corrected."""
    with at.views.case(run) as case:
        return at.volumes.masks(case)


@router.get("/{run}/masks/{layer}", response_class=Response)
@heavy
def run_mask_layer(run: Ident, layer: int, at: PartsOf, level: Level = 0, box: Box = None) -> Response:
    """A layer of them as .nii.gz, on the grid of the same level and box of the scan."""
    with at.views.case(run) as case:
        return binary(at.volumes.labels(case, layer, level, box))


@router.get("/{run}/evidence/{evidence}")
@heavy
def evidence(run: Ident, evidence: str, at: PartsOf) -> EvidenceView:
    """One piece of evidence, in words, and where it lies in the image."""
    return at.views.evidence(run, evidence[:_MOST_ID])


@router.get("/{run}/report", response_class=Response)
@heavy
def report(
    run: Ident,
    at: PartsOf,
    kind: Annotated[Literal["html", "json", "md"], Query(alias="format")] = "json",
    download: Download = False,
) -> Response:
    """The report as the run wrote it, but for where it lies on the server's disk."""
    return at.views.report(run, kind, download=download)


@router.get("/{run}/images/{name}", response_class=Response)
def image(run: Ident, name: str, at: PartsOf) -> FileResponse:
    """One of the report's pictures."""
    return at.views.image(run, name)


@router.get("/{run}/trace", response_class=Response)
def trace(run: Ident, at: PartsOf, download: Download = False) -> FileResponse:
    """The trace, as JSON lines."""
    return at.views.trace(run, download=download)


@router.get("/{run}/trace/check")
@heavy
def check_trace(run: Ident, at: PartsOf) -> TraceCheck:
    """Whether the trace and the files beside it are as they were written."""
    return at.views.check(run)
