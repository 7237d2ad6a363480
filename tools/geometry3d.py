"""Shape of a mask in three dimensions: longest extent, surface, sphericity. Exact for oblique and sheared grids."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.spatial import ConvexHull

from tools.volume import FloatArray, Grid, Region

_HALF = tuple(step for step in itertools.product((-1, 0, 1), repeat=3) if step > (0, 0, 0))
# Steps along an axis that the surface estimate looks at: few where voxels are cubes, more across thick slices.
_LONGEST_STEP = 8
_NORMALS = 400
_PAIRS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Feret:
    """The longest distance between two points of a mask.

    Attributes:
        length: mm, voxels taken with their extent.
        uncertainty: mm, the width of one voxel along that direction (half at either end, both ways).
    """

    length: float
    uncertainty: float


def feret(region: Region, grid: Grid) -> Feret:
    """Longest distance in mm between two corners of a mask's voxels, over all of space.

    Args:
        region: a mask with at least one voxel.
        grid: the grid it lies in.

    Returns:
        The maximum Feret diameter of the union of the voxels as parallelepipeds.
    """
    points = _extreme_corners(region.mask) @ grid.affine[:3, :3].T
    hull = points[ConvexHull(points).vertices]
    direction = _farthest(hull - hull.mean(axis=0))
    length = float(np.linalg.norm(direction))
    return Feret(length, float(np.abs(direction @ grid.affine[:3, :3]).sum()) / length)


def _farthest(points: FloatArray) -> FloatArray:
    """Difference of the two points (n, 3) that are farthest apart, in blocks of bounded size."""
    squares = np.einsum("ai,ai->a", points, points)
    best, pair = -1.0, (0, 0)
    rows = max(1, _PAIRS_AT_ONCE // len(points))
    for start in range(0, len(points), rows):
        block = squares[start : start + rows, None] + squares[None] - 2 * points[start : start + rows] @ points.T
        a, b = np.unravel_index(int(block.argmax()), block.shape)
        if block[a, b] > best:
            best, pair = float(block[a, b]), (start + int(a), int(b))
    return np.asarray(points[pair[0]] - points[pair[1]])


def _extreme_corners(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Those corners of a mask's voxels that may be vertices of the convex hull; (n, 3), in steps from one corner.

    A corner halfway between two other ones of the mask is no vertex: this leaves few for the hull to sort out.
    """
    corners = np.pad(mask, ((0, 1),) * 3)
    for axis in range(3):
        line = np.moveaxis(corners, axis, 0)
        line[1:] |= line[:-1].copy()
    kept = corners.copy()
    for step in _HALF:
        here, ahead, behind = (
            tuple(
                slice(1 + way * s, n - 1 + way * s) if s else slice(None)
                for s, n in zip(step, corners.shape, strict=True)
            )
            for way in (0, 1, -1)
        )
        kept[here] &= ~(corners[ahead] & corners[behind])
    return np.argwhere(kept)


@dataclass(frozen=True)
class SurfaceMeter:
    """Estimates surface areas on one grid by counting how often lines cross the border (Crofton's formula).

    Lines run through the voxels in several directions; their weights make the estimate right, as nearly as can
    be, for planes of every orientation. Unlike counting faces, which makes a ball 1.5 times too large, it tends
    to the true area as voxels become smaller. For the formula: Lehmann & Legland, Efficient N-dimensional surface
    estimation using Crofton formula and run-length encoding (Insight Journal, 2012).

    Attributes:
        steps: (n, 3) integer steps between neighbours on a line.
        areas: (n,) mm² that one crossing along each of them stands for.
    """

    steps: NDArray[np.int64]
    areas: FloatArray

    @classmethod
    def of(cls, grid: Grid) -> SurfaceMeter:
        """The meter of a grid; make it once, and use it for every mask."""
        axes = grid.affine[:3, :3]
        steps = _steps(grid)
        along = steps @ axes.T
        lengths = np.linalg.norm(along, axis=1)
        normals = _sphere(_NORMALS)
        # Crossings per area of a plane with normal n along direction u: |n · u| · |step| / voxel volume.
        weights, _ = nnls(np.abs(normals @ (along / lengths[:, None]).T), np.ones(len(normals)))
        used = weights > 0
        return cls(steps[used], (weights * grid.voxel_volume / lengths)[used])

    def area(self, mask: NDArray[np.bool_]) -> float:
        """Surface of a mask in mm²; what lies beyond the array counts as outside. `mask` has shape (i, j, k)."""
        total = 0.0
        voxels = int(np.count_nonzero(mask))
        for step, area in zip(self.steps, self.areas, strict=True):
            here = tuple(slice(max(0, -s), mask.shape[i] - max(0, s)) for i, s in enumerate(step))
            there = tuple(slice(max(0, s), mask.shape[i] - max(0, -s)) for i, s in enumerate(step))
            inner = 0
            if all(part.stop > part.start for part in here):
                inner = int(np.count_nonzero(mask[here] & mask[there]))
            # every voxel without a follower ends a run, and every run has two ends
            total += area * 2 * (voxels - inner)
        return total

    def sphericity(self, mask: NDArray[np.bool_], volume: float) -> float:
        """Surface of the ball of the same volume (mm³) over the surface of the mask: one for a ball, less for others.

        Small masks may come out a little above one for their coarse surface; they are held at one.
        """
        ball = math.pi ** (1 / 3) * (6 * volume) ** (2 / 3)
        return float(min(1.0, ball / self.area(mask)))


def _steps(grid: Grid) -> NDArray[np.int64]:
    """One of each pair of opposite steps to near neighbours; longer ones along the small sides of long voxels.

    Without those, nearly all lines of a scan with thick slices would run either within or across its slices.
    """
    coarse = max(grid.spacing)
    reach = [min(_LONGEST_STEP, max(2, round(1.5 * coarse / size))) for size in grid.spacing]
    every = itertools.product(*(range(-n, n + 1) for n in reach))
    kept = [step for step in every if step > (0, 0, 0) and math.gcd(*step) == 1]
    return np.array([step for step in kept if max(map(abs, step)) <= 2 or _slanted(step, reach)])


def _slanted(step: tuple[int, ...], reach: list[int]) -> bool:
    """Whether a long step crosses to the next slice, and goes as far along every small side (or not at all)."""
    across = [abs(s) for s, n in zip(step, reach, strict=True) if n <= 2]
    along = {abs(s) for s, n in zip(step, reach, strict=True) if n > 2}
    return bool(across) and max(across) == 1 and len(along - {0}) == 1


def _sphere(count: int) -> FloatArray:
    """Unit vectors spread evenly over a half sphere (Fibonacci lattice); shape (count, 3)."""
    at = (np.arange(count) + 0.5) / count
    turn = np.pi * (1 + math.sqrt(5)) * np.arange(count)
    flat = np.sqrt(1 - np.square(at))
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), at], axis=1)
