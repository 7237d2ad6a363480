"""Distance between the surfaces of two masks in world millimetres, on any grid.

A mask's surface is that of its voxels as parallelepipeds; it is represented by their corners, which makes distances
exact on grids with right angles, whatever the spacing and the direction. On sheared grids the nearest points may lie
between corners: the distance is then too large by less than an eighth of a voxel's width, within the uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from tools.shape import FACES, BoolArray
from tools.volume import Box, FloatArray, Grid, Region

_BALL_MM = 10.0


@dataclass(frozen=True)
class Gap:
    """Distance between two surfaces.

    Attributes:
        mm: length of the shortest way; 0 where they touch or overlap.
        uncertainty: by how much the shortest way between voxel centres is longer (the true surfaces lie beyond the
            centres of the outermost voxels, and short of the next ones), and what may bulge between two slices.
    """

    mm: float
    uncertainty: float


class Surface:
    """The surface of a mask, ready for many distances.

    Args:
        region: a mask with at least one voxel.
        grid: its grid.
    """

    def __init__(self, region: Region, grid: Grid) -> None:
        self.region = region
        self._grid = grid
        self._corners = cKDTree(grid.world(corners(region)))
        self._centres = cKDTree(grid.world(_outermost(region)))

    def gap(self, other: Region) -> Gap:
        """Distance of another mask."""
        inside = shared_voxels(self.region, other) > 0
        length = 0.0 if inside else self._nearest(self._corners, corners(other))
        between = 0.0 if inside else self._nearest(self._centres, _outermost(other))
        # Between two slices a surface may bulge unseen, as far as a ball of a centimetre's radius does.
        bulge = 2 * max(self._grid.spacing) ** 2 / (8 * _BALL_MM)
        # On sheared grids corners may be a little farther than centres are.
        open_ = max(between - length, min(self._grid.spacing)) + bulge
        return Gap(length if length > 1e-9 else 0.0, open_)

    def gap_within(self, other: Region, limit: float) -> Gap | None:
        """Distance of another mask; None where it is more than `limit` mm."""
        near = _crop(other, reached(self.region, self._grid, limit + 2 * sum(self._grid.spacing)))
        if near is None:
            return None
        found = self.gap(near)
        return found if found.mm <= limit else None

    def _nearest(self, tree: cKDTree, index: FloatArray) -> float:
        distances, _ = tree.query(self._grid.world(index))
        return float(distances.min())


def gap(first: Region, second: Region, grid: Grid) -> Gap:
    """Distance between two masks with at least one voxel each."""
    small, large = sorted((first, second), key=lambda one: one.mask.size)
    return Surface(large, grid).gap(small)


def corners(region: Region) -> FloatArray:
    """Corners of a mask's voxels that lie on its surface, as indices into the grid; shape (n, 3)."""
    some = np.pad(region.mask, 1)
    every = some
    for axis in range(3):
        low, high = np.moveaxis(some, axis, 0)[:-1], np.moveaxis(some, axis, 0)[1:]
        some = np.moveaxis(low | high, 0, axis)
        low, high = np.moveaxis(every, axis, 0)[:-1], np.moveaxis(every, axis, 0)[1:]
        every = np.moveaxis(low & high, 0, axis)
    first = np.array([axis.start for axis in region.box], dtype=np.float64)
    return np.asarray(np.argwhere(some & ~every) + (first - 0.5))


def _outermost(region: Region) -> FloatArray:
    """Centres of the voxels of a mask that have a face to the outside, as indices into the grid; shape (n, 3)."""
    inner = ndimage.binary_erosion(region.mask)
    first = np.array([axis.start for axis in region.box], dtype=np.float64)
    return np.asarray(np.argwhere(region.mask & ~inner) + first)


def shared_voxels(first: Region, second: Region) -> int:
    """Number of voxels that two masks share."""
    a, b = _crop(first, second.box), _crop(second, first.box)
    return 0 if a is None or b is None else int(np.count_nonzero(a.mask & b.mask))


def beyond(cut: tuple[str, ...], other: Region, grid: Grid) -> float:
    """How near, in mm, the unseen part of a structure that is cut off may come to another one at least.

    Args:
        cut: what cuts the structure off.
        other: the other structure.
        grid: the grid.

    Returns:
        The smallest distance of the other structure from the faces of the scan that cut; 0 where the edge of the
        reconstruction does, which may run anywhere; infinite for a structure that is whole.
    """
    inverse = np.linalg.inv(grid.affine[:3, :3])
    # Distance between neighbouring planes of voxels, along their common normal.
    steps = 1.0 / np.linalg.norm(inverse, axis=1)
    nearest = np.inf
    for name in cut:
        axis = next((n for n, names in enumerate(FACES) if name in names), None)
        if axis is None:
            return 0.0
        low = FACES[axis].index(name) == 0
        planes = other.box[axis].start if low else grid.shape[axis] - other.box[axis].stop
        nearest = min(nearest, planes * steps[axis])
    return float(nearest)


def reached(region: Region, grid: Grid, limit: float) -> Box:
    """The box in which every voxel lies that is nearer than `limit` mm to a mask."""
    reach = np.ceil(limit * np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1)).astype(int) + 1
    box = [
        slice(max(axis.start - n, 0), min(axis.stop + n, length))
        for axis, n, length in zip(region.box, reach.tolist(), grid.shape, strict=True)
    ]
    return box[0], box[1], box[2]


def _crop(region: Region, box: Box) -> Region | None:
    """The part of a mask that lies in a box; None where there is none."""
    both = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(region.box, box, strict=True)]
    if any(axis.start >= axis.stop for axis in both):
        return None
    inner = tuple(
        slice(axis.start - own.start, axis.stop - own.start) for axis, own in zip(both, region.box, strict=True)
    )
    mask: BoolArray = region.mask[inner]
    return Region((both[0], both[1], both[2]), mask) if mask.any() else None
