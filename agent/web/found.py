"""What can be opened, as a list of it says, and what lies beside it and looks like its labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agent.web.peek import Peek

SourceKind = Literal["nifti", "labels", "dicom", "zip", "masks"]


class SourceName(BaseModel):
    """A source by id and name."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str


class Source(BaseModel):
    """Something that may be opened.

    Attributes:
        id: opaque.
        name: where it lies below its root.
        root: name of the root, or "uploads".
        kind: what it looks like from its first bytes; "labels" for a label map or a DICOM SEG, "masks" for a folder
            of masks.
        bytes: size on the disk, of a folder without its subfolders.
        uploaded: whether it was uploaded, so that it may be deleted.
        labels: what lies beside it on the same grid and looks like labels of it: a suggestion. Of a DICOM series
            the whole grid is not known yet.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    root: str
    kind: SourceKind
    bytes: int
    uploaded: bool = False
    labels: tuple[SourceName, ...] = ()


@dataclass(frozen=True)
class Found:
    """A source with where it lies and what its first bytes tell."""

    source: Source
    path: Path
    peek: Peek


def with_labels(found: list[Found]) -> list[Found]:
    """Sources with what lies beside them, or below, and looks like labels of them."""
    labels = [one for one in found if one.source.kind in {"labels", "masks"}]
    made = []
    for one in found:
        looks = {"nifti": _same_grid, "dicom": _near_series}.get(one.source.kind)
        beside = tuple(looks(one, labels)) if looks is not None else ()
        made.append(Found(one.source.model_copy(update={"labels": beside}), one.path, one.peek))
    return made


def _same_grid(scan: Found, labels: list[Found]) -> Iterator[SourceName]:
    for one in labels:
        near = scan.path.parent in {one.path.parent, one.path} or (scan.source.uploaded and one.source.uploaded)
        if near and scan.peek.grid and one.peek.grid and scan.peek.grid.same_as(one.peek.grid):
            yield SourceName(id=one.source.id, name=one.source.name)


def _near_series(scan: Found, labels: list[Found]) -> Iterator[SourceName]:
    if scan.source.uploaded:
        return
    around = {scan.path, scan.path.parent}
    for one in labels:
        # The grid of a series is not known before it is read: whether labels fit is checked when it is opened.
        # What lies in another folder beside it may be of another scan, unless a slice tells that it is not.
        here = one.path == scan.path or one.path.parent in around or one.path.parent.parent == scan.path
        if here or (one.path.parent.parent == scan.path.parent and _fits(scan.peek, one.peek)):
            yield SourceName(id=one.source.id, name=one.source.name)


def _fits(scan: Peek, labels: Peek) -> bool:
    """Whether labels can be of a series by one of its slices."""
    if scan.plane is None:
        return False
    if labels.grid is not None:
        return scan.plane.fits(labels.grid)
    return labels.plane is not None and scan.plane.frame != "" and labels.plane.frame == scan.plane.frame
