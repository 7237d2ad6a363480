"""What may be opened, and files from the browser."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from agent.web.faults import Refused, missing
from agent.web.found import Source
from agent.web.heavy import heavy
from agent.web.routes.deps import PartsOf
from agent.web.shapes import Ident
from agent.web.sources import MOST_SOURCES

router = APIRouter(prefix="/api", tags=["sources"])


class SourceList(BaseModel):
    """All sources; `note` says what is not listed."""

    sources: list[Source]
    truncated: bool
    note: str | None


class Uploaded(BaseModel):
    """What an upload has become."""

    source: Source


@router.get("/sources")
@heavy
def list_sources(at: PartsOf) -> SourceList:
    """What lies under the server's folders and among the uploads."""
    sources, cut = at.sources.every()
    note = None
    if cut:
        note = f"There is more than the {MOST_SOURCES} files that are listed: start the server with narrower folders."
    elif not at.config.roots and not sources:
        note = "The server was started without a folder: upload a scan, or start it with the folder of your scans."
    return SourceList(sources=sources, truncated=cut, note=note)


@router.post(
    "/uploads",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload(request: Request, name: Annotated[str, Query(min_length=1, max_length=500)], at: PartsOf) -> Uploaded:
    """Send a NIfTI file or a zip of DICOM files: its bytes are the body."""
    length = request.headers.get("content-length", "")
    announced = int(length) if length.isdecimal() else None
    path = await at.uploads.take(name, request.stream(), announced)
    found = await at.heavy.run(partial(at.sources.at, path.resolve()))
    if found is None:
        raise Refused(409, "too_many", "The server lists too many files already to take another: delete some first.")
    return Uploaded(source=found)


@router.delete("/uploads/{source}", status_code=204)
@heavy
def drop_source(source: Ident, at: PartsOf) -> Response:
    """Delete an upload; what lies under the server's folders stays."""
    found, path = at.sources.get(source), at.sources.path(source)
    if found is None or path is None:
        raise missing("source")
    if not found.uploaded:
        raise Refused(403, "refused", "Only what was uploaded can be deleted here: this lies in a folder of its own.")
    if at.scans.uses(source):
        raise Refused(409, "busy", "Something works with this file: wait, or cancel it first.")
    at.uploads.drop(path)
    at.sources.changed()
    return Response(status_code=204)
