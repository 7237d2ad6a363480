"""Where a point of the world lies in a grid, and which component of a mask is meant by it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.correct_model import Point
from tools.masks import connected, voxels_of
from tools.volume import Box, Grid, Region

REACH_MM = 5.0
"""How far from a component a point may lie that means it."""
_SAME_MM = 1e-6


def voxel_at(grid: Grid, point: Point) -> tuple[int, int, int] | None:
    """Index of the voxel that holds a point (world mm); None where the grid does not reach it."""
    at = np.linalg.inv(grid.affine) @ np.array([*point, 1.0])
    # A point on the border of two voxels belongs to either; rounding noise must not push it out of the grid.
    index = np.rint(np.round(at[:3], 6))
    if not np.isfinite(index).all() or (index < 0).any() or (index >= grid.shape).any():
        return None
    return int(index[0]), int(index[1]), int(index[2])


def component_at(mask: Region, grid: Grid, point: Point) -> Region | None:
    """The 26-connected component at a point, or the one that comes nearest to it within `REACH_MM`.

    Args:
        mask: the mask.
        grid: the grid that it lies in.
        point: world mm.

    Returns:
        The component, None where nothing of the mask is near enough. Of two that are equally near the one whose nearest
        voxel has the smaller coordinates, so that the order of the axes on disk makes no difference.
    """
    parts = connected(mask)
    at = voxel_at(grid, point)
    here = next((part for part in parts if at is not None and _holds(part, at)), None)
    if here is not None:
        return here
    best: tuple[tuple[float, ...], Region] | None = None
    box = _reach(grid, point)
    for part in parts:
        # A mask of the whole body has more voxels than there is room for their coordinates.
        close = within(part, box)
        if not close.any():
            continue
        centres = grid.world(voxels_of(Region(box=box, mask=close)))
        gaps = np.linalg.norm(centres - np.asarray(point), axis=1)
        nearest = float(gaps.min())
        if nearest > REACH_MM:
            continue
        there = centres[gaps <= nearest + _SAME_MM]
        first = there[np.lexsort(np.round(there, 4).T[::-1])[0]]
        rank = (round(nearest, 4), *(round(float(one), 4) for one in first))
        if best is None or rank < best[0]:
            best = (rank, part)
    return best[1] if best is not None else None


def within(region: Region, box: Box) -> NDArray[np.bool_]:
    """What a mask shows within a box of its grid; of the box's shape."""
    found = np.zeros([side.stop - side.start for side in box], dtype=np.bool_)
    low = [max(a.start, b.start) for a, b in zip(region.box, box, strict=True)]
    high = [min(a.stop, b.stop) for a, b in zip(region.box, box, strict=True)]
    if all(a < b for a, b in zip(low, high, strict=True)):
        here = tuple(slice(a - s.start, b - s.start) for a, b, s in zip(low, high, box, strict=True))
        there = tuple(slice(a - s.start, b - s.start) for a, b, s in zip(low, high, region.box, strict=True))
        found[here] = region.mask[there]
    return found


def around_point(grid: Grid, at: tuple[int, int, int], millimetres: float) -> Box:
    """The voxels that may lie within a distance of a voxel: as far as a step along each axis leads out."""
    # The rows of the inverse are the normals of the slices; their lengths, voxels for each mm along them.
    steps = np.linalg.norm(np.linalg.inv(grid.affine[:3, :3]), axis=1) * millimetres
    sides = [
        slice(max(0, index - int(np.ceil(step)) - 1), min(length, index + int(np.ceil(step)) + 2))
        for index, step, length in zip(at, steps, grid.shape, strict=True)
    ]
    return sides[0], sides[1], sides[2]


def distances(grid: Grid, box: Box, point: Point) -> NDArray[np.float32]:
    """Distance in mm of the centre of every voxel of a box from a point; shape of the box."""
    total: Any = np.float32(0)
    i, j, k = np.ogrid[box]
    for row, middle in zip(grid.affine[:3], point, strict=True):
        along = i * row[0] + j * row[1] + k * row[2] + (row[3] - middle)
        total = total + np.square(along.astype(np.float32))
    found: NDArray[np.float32] = np.sqrt(total)
    return found


def _reach(grid: Grid, point: Point) -> Box:
    """The voxels whose centres may lie within `REACH_MM` of a point; empty along an axis where there are none."""
    inverse = np.linalg.inv(grid.affine)
    middle = (inverse @ np.array([*point, 1.0]))[:3]
    # The rows of the inverse are the normals of the slices; their lengths, voxels for each mm along them.
    steps = np.linalg.norm(inverse[:3, :3], axis=1) * REACH_MM + 1
    low = [max(0, int(np.floor(one))) for one in middle - steps]
    high = [min(length, int(np.ceil(one)) + 1) for one, length in zip(middle + steps, grid.shape, strict=True)]
    i, j, k = (slice(a, max(a, b)) for a, b in zip(low, high, strict=True))
    return i, j, k


def _holds(part: Region, at: tuple[int, int, int]) -> bool:
    if not all(side.start <= index < side.stop for side, index in zip(part.box, at, strict=True)):
        return False
    i, j, k = (index - side.start for side, index in zip(part.box, at, strict=True))
    return bool(part.mask[i, j, k])
