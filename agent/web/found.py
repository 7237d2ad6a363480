"""What can be opened, as a list of it says, and what lies beside it and looks like its labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from agent.web.peek import Peek
from tools.volume import Grid

MOST_SUGGESTED = 50
"""Labels that are suggested for one scan; of a folder of hundreds on one grid nobody could choose."""
_LOOSE = 0.1
"""Of a voxel: what is farther off than this need not be looked at closely."""
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


class _Labels:
    """Labels by where they lie, so that no scan need be held against all of them: a list may have thousands."""

    def __init__(self, labels: Iterable[Found]) -> None:
        self.at: dict[Path, list[Found]] = defaultdict(list)
        self.below: dict[Path, list[Found]] = defaultdict(list)
        self.two_below: dict[Path, list[Found]] = defaultdict(list)
        self.uploaded: list[Found] = []
        self._same: dict[object, bool] = {}
        self._corners: dict[str, NDArray[np.float64] | None] = {}
        for one in labels:
            self.at[one.path].append(one)
            self.below[one.path.parent].append(one)
            self.two_below[one.path.parent.parent].append(one)
            self._corners[one.source.id] = _corners(one.peek.grid) if one.peek.grid is not None else None
            if one.source.uploaded:
                self.uploaded.append(one)

    def same(self, one: Grid, other: Grid) -> bool:
        """Whether two grids are the same; what many files share is compared once."""
        key = (one.shape, one.affine.tobytes(), other.shape, other.affine.tobytes())
        if key not in self._same:
            self._same[key] = one.same_as(other)
        return self._same[key]

    def about_at(self, corners: NDArray[np.float64], near: float, labels: list[Found]) -> Iterator[Found]:
        """Those of some labels whose corners lie about where these do; `near` in mm."""
        placed = [(one, at) for one in labels if (at := self._corners[one.source.id]) is not None]
        if placed:
            gaps = np.abs(np.stack([at for _, at in placed]) - corners).max(axis=(1, 2))
            yield from (placed[number][0] for number in np.flatnonzero(gaps <= near))

    def around(self, point: NDArray[np.float64], labels: list[Found]) -> Iterator[Found]:
        """Those of some labels that have no grid, or whose corners are around a point (mm)."""
        placed = [at if (at := self._corners[one.source.id]) is not None else _EVERYWHERE for one in labels]
        if placed:
            all_of = np.stack(placed)
            inside = (all_of.min(axis=1) - 1 <= point) & (point <= all_of.max(axis=1) + 1)
            yield from (labels[number] for number in np.flatnonzero(inside.all(axis=1)))


_EVERYWHERE = np.array([[-np.inf] * 3] * 4 + [[np.inf] * 3] * 4)


def _corners(grid: Grid) -> NDArray[np.float64]:
    """(8, 3) world mm of the middles of the voxels at its corners."""
    found: NDArray[np.float64] = grid.world(np.array(list(product(*[(0, count - 1) for count in grid.shape]))))
    return found


def with_labels(found: list[Found]) -> list[Found]:
    """Sources with what lies beside them, or below, and looks like labels of them: some of it, where it is much."""
    labels = _Labels(one for one in found if one.source.kind in {"labels", "masks"})
    made = []
    for one in found:
        looks = {"nifti": _same_grid, "dicom": _near_series}.get(one.source.kind)
        near = (
            {each.source.id: each.source.name for each in islice(looks(one, labels), MOST_SUGGESTED)} if looks else {}
        )
        beside = tuple(SourceName(id=ident, name=name) for ident, name in near.items())
        made.append(Found(one.source.model_copy(update={"labels": beside}), one.path, one.peek))
    return made


def _same_grid(scan: Found, labels: _Labels) -> Iterator[Found]:
    grid, here = scan.peek.grid, scan.path.parent
    if grid is None:
        return
    near = [*labels.below[here], *labels.at[here], *(labels.uploaded if scan.source.uploaded else ())]
    for one in labels.about_at(_corners(grid), _LOOSE * min(grid.spacing), near):
        if one.peek.grid is not None and labels.same(grid, one.peek.grid):
            yield one


def _near_series(scan: Found, labels: _Labels) -> Iterator[Found]:
    if scan.source.uploaded:
        return
    here, above = scan.path, scan.path.parent
    # The grid of a series is not known before it is read: whether labels fit is checked when it is opened.
    yield from (*labels.at[here], *labels.below[here], *labels.below[above], *labels.two_below[here])
    # What lies in another folder beside it may be of another scan, unless a slice tells that it is not.
    if scan.peek.plane is not None:
        beside = labels.two_below[above]
        corners = scan.peek.plane.corners
        near = labels.around(corners[0], beside) if corners is not None else beside
        yield from (one for one in near if _fits(scan.peek, one.peek))


def _fits(scan: Peek, labels: Peek) -> bool:
    """Whether labels can be of a series by one of its slices."""
    if scan.plane is None:
        return False
    if labels.grid is not None:
        return scan.plane.fits(labels.grid)
    return labels.plane is not None and scan.plane.frame != "" and labels.plane.frame == scan.plane.frame
