"""The local course of a vessel: centre, direction and radius at places along its mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.masks import components
from tools.volume import FloatArray, Grid, Region

# The ball in which a direction is taken reaches so many radii: far enough that a tube is longer than wide in it,
# near enough that it is nearly straight.
_REACH = 2.2
_ROUNDS = 8
# Of a tube in a ball of that reach, the variance along is more than three times that across.
_CLEAR = 1.5
# A direction needs no more points than these.
_ENOUGH = 4000


@dataclass(frozen=True)
class Place:
    """One place on a vessel.

    Attributes:
        centre: centre of the cross-section, world mm, shape (3,).
        direction: unit vector along the vessel.
        radius: mm, of the circle with the cross-section's area.
        thickness: mm, what one voxel measures along the direction.
        clear: whether the mask is clearly longer along that direction than across it there.
    """

    centre: FloatArray
    direction: FloatArray
    radius: float
    thickness: float
    clear: bool


class Course:
    """Finds places on a vessel.

    Args:
        vessel: mask of the vessel, as far as it is of interest.
        grid: the grid it lies in.
    """

    def __init__(self, vessel: Region, grid: Grid) -> None:
        self._mask = vessel.mask
        self._start = np.array([axis.start for axis in vessel.box])
        self._grid = grid
        self._axes = grid.affine[:3, :3]
        self._inverse = np.linalg.inv(self._axes)
        self._pitch = max(grid.spacing)

    def at(self, start: FloatArray, radius: float, along: FloatArray | None = None) -> Place | None:
        """The place nearest to a point on or in the vessel; None where there is no vessel.

        Args:
            start: world mm, shape (3,).
            radius: first guess of the vessel's radius in mm.
            along: direction that the place's direction is to agree with, if any.
        """
        centre = np.asarray(start, dtype=np.float64)
        found: Place | None = None
        for _ in range(_ROUNDS):
            points = self._near(centre, max(_REACH * radius, 2.5 * self._pitch))
            if points is None:
                return None
            direction, clear = _principal(points[:: len(points) // _ENOUGH + 1])
            offsets = points - centre
            thickness = float(np.abs(direction @ self._axes).sum())
            inside = np.abs(offsets @ direction) <= thickness / 2
            if not inside.any():
                return None
            across = offsets[inside].mean(axis=0)
            across -= (across @ direction) * direction
            # the slab's volume over its thickness
            area = np.count_nonzero(inside) * self._grid.voxel_volume / thickness
            last, radius = radius, float(np.sqrt(area / np.pi))
            centre = centre + across
            found = Place(centre, direction, radius, thickness, clear)
            if np.linalg.norm(across) < 0.05 * self._pitch and abs(radius - last) < 0.05 * radius:
                break
        if found is not None and along is not None and found.direction @ along < 0:
            return Place(found.centre, -found.direction, found.radius, found.thickness, found.clear)
        return found

    def _near(self, centre: FloatArray, reach: float) -> FloatArray | None:
        """World mm of the vessel's voxels in a ball that hang together with the one nearest to its centre."""
        at = self._inverse @ (centre - self._grid.affine[:3, 3]) - self._start
        span = reach * np.linalg.norm(self._inverse, axis=1)
        low = np.maximum(np.floor(at - span), 0).astype(int)
        high = np.minimum(np.ceil(at + span) + 1, self._mask.shape).astype(int)
        if (low >= high).any():
            return None
        block = self._mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        index = np.argwhere(block)
        points = self._grid.world(index + (low + self._start))
        gaps = np.linalg.norm(points - centre, axis=1)
        kept = gaps <= reach
        if not kept.any():
            return None
        ball = np.zeros(block.shape, dtype=np.bool_)
        ball[tuple(index[kept].T)] = True
        parts = components(ball)[tuple(index[kept].T)]
        own: FloatArray = points[kept][parts == parts[gaps[kept].argmin()]]
        return own


def _principal(points: FloatArray) -> tuple[FloatArray, bool]:
    """Direction of the greatest spread of points (n, 3), and whether it is clearly the greatest."""
    if len(points) < 3:
        return np.array([0.0, 0.0, 1.0]), False
    values, vectors = np.linalg.eigh(np.cov(points.T))
    direction: FloatArray = vectors[:, 2]
    # One sign for each axis, so that results do not hang on rounding.
    if direction[np.argmax(np.abs(direction))] < 0:
        direction = -direction
    return direction, bool(values[2] > _CLEAR * max(values[1], 1e-12))
