"""Scans: opening, their voxels, their masks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from agent.web.faults import Refused
from agent.web.heavy import heavy
from agent.web.mask_view import MasksOut
from agent.web.routes.deps import Parts, PartsOf
from agent.web.shapes import Ident, ScanAsk, ScanOut
from agent.web.streams import PAUSE, STREAM, EventStream, written
from agent.web.volumes import VoxelOut, voxel_at

router = APIRouter(prefix="/api/scans", tags=["scans"])

NIFTI = "application/gzip"
Level = Annotated[int, Query(ge=0, le=32)]
Box = Annotated[str | None, Query(max_length=100, description="i0,i1,j0,j1,k0,k1 in full-resolution voxels")]
Millimetres = Annotated[float, Query(ge=-1e5, le=1e5, allow_inf_nan=False)]
_LOOK_SECONDS = 0.1
_LOOKS_A_PAUSE = 150


class ScanList(BaseModel):
    """All scans that were opened, the last one first."""

    scans: list[ScanOut]


def binary(data: bytes) -> Response:
    """Bytes for the viewer."""
    return Response(data, media_type=NIFTI)


@router.post("", status_code=202)
@heavy
def open_scan(ask: ScanAsk, at: PartsOf) -> ScanOut:
    """Open a source; it is ready once its state says so."""
    return at.scans.open(ask)


@router.get("")
def list_scans(at: PartsOf) -> ScanList:
    """Scans that are or were open."""
    return ScanList(scans=at.scans.every())


@router.get("/{scan}")
def get_scan(scan: Ident, at: PartsOf) -> ScanOut:
    """One scan."""
    return at.scans.get(scan)


@router.post("/{scan}/open", status_code=202)
@heavy
def open_again(scan: Ident, at: PartsOf) -> ScanOut:
    """Open a scan again that was closed."""
    return at.scans.again(scan)


@router.delete("/{scan}", status_code=204)
def forget_scan(scan: Ident, at: PartsOf) -> Response:
    """Forget a scan; conversations about it stay readable."""
    at.scans.forget(scan)
    return Response(status_code=204)


@router.get("/{scan}/events", response_class=StreamingResponse, responses=STREAM)
def scan_events(first: Annotated[ScanOut, Depends(get_scan)], at: PartsOf) -> EventStream:
    """The scan as it opens, until it is ready or failed."""
    return EventStream(_opening(first, at))


async def _opening(found: ScanOut, at: Parts) -> AsyncGenerator[bytes, None]:
    last, quiet = None, 0
    while True:
        quiet += 1
        if found != last:
            last, quiet = found, 0
            yield written("scan", found.model_dump(mode="json"))
        elif quiet % _LOOKS_A_PAUSE == 0:
            yield PAUSE
        if found.state != "opening":
            return
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            found = at.scans.get(found.id)
        except Refused:
            return  # it was removed while it opened


@router.get("/{scan}/volume", response_class=Response)
@heavy
def scan_volume(scan: Ident, at: PartsOf, level: Level = 0, box: Box = None) -> Response:
    """Voxels as .nii.gz: 16-bit HU at a level, all of it or a box."""
    with at.scans.lease(scan) as lease:
        return binary(at.volumes.scan(lease.case, level, box))


@router.get("/{scan}/voxel")
def scan_voxel(scan: Ident, at: PartsOf, x: Millimetres, y: Millimetres, z: Millimetres) -> VoxelOut:
    """The exact value at a point, RAS+ mm."""
    with at.scans.lease(scan) as lease:
        return voxel_at(lease.case, (x, y, z))


@router.get("/{scan}/masks")
@heavy
def scan_masks(scan: Ident, at: PartsOf) -> MasksOut:
    """The masks that came with the scan."""
    with at.scans.lease(scan) as lease:
        return at.volumes.masks(lease.case)


@router.get("/{scan}/masks/{layer}", response_class=Response)
@heavy
def scan_mask_layer(scan: Ident, layer: int, at: PartsOf, level: Level = 0, box: Box = None) -> Response:
    """A layer of them as .nii.gz, on the grid of the same level and box of the scan."""
    with at.scans.lease(scan) as lease:
        return binary(at.volumes.labels(lease.case, layer, level, box))
