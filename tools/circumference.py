"""How much of a vessel's circumference a mask touches, at one place of its course."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from tools.shape import BoolArray
from tools.vessel_course import Place
from tools.volume import Box, FloatArray, Grid

RAYS = 90
# Where beyond the wall the other mask is looked for, in voxels along the ray.
NEAR, FAR = 0.5, 1.5


@dataclass(frozen=True)
class Touch:
    """Contact at one place.

    Attributes:
        near: degrees of the circumference with the other mask right beyond the wall.
        far: degrees with the other mask a voxel further out.
        voxel: degrees of the circumference that one voxel measures.
    """

    near: float
    far: float
    voxel: float


class Circumference:
    """Samples the wall of a vessel in planes across its course.

    From the centre, rays run in the plane to the wall: there, half of the space between voxel centres is the
    vessel's. A ray touches at a depth if, so far beyond its wall, the other mask fills at least half of what the
    vessel leaves free (both masks interpolated linearly).

    Args:
        vessel: mask of the vessel within the box.
        other: mask of what may touch it, of the same shape.
        box: the box in the grid.
        grid: the grid.
    """

    def __init__(self, vessel: BoolArray, other: BoolArray, box: Box, grid: Grid) -> None:
        self._vessel, self._other = vessel.view(np.uint8), other.view(np.uint8)
        self._start = np.array([axis.start for axis in box], dtype=np.float64)
        self._origin = grid.affine[:3, 3]
        self._inverse = np.linalg.inv(grid.affine[:3, :3])
        self._pitch = max(grid.spacing)
        self._step = 0.25 * min(grid.spacing)

    def touched(self, place: Place) -> Touch:
        """How much of the circumference is touched at a place."""
        rays = _fan(place.direction)
        voxel = 1.0 / np.linalg.norm(rays @ self._inverse.T, axis=1)
        wall = self._wall(place, rays)
        near = self._fills(place.centre + rays * (wall + NEAR * voxel)[:, None])
        # What has grown into the wall touches it as well.
        within = place.centre + rays * np.maximum(wall - NEAR * voxel, 0.0)[:, None]
        near |= self._sample(self._other, within) > 0.5
        far = self._fills(place.centre + rays * (wall + FAR * voxel)[:, None])
        size = float(np.degrees(voxel.mean() / place.radius))
        return Touch(360.0 * float(near.mean()), 360.0 * float(far.mean()), size)

    def _wall(self, place: Place, rays: FloatArray) -> FloatArray:
        """Distance in mm of the wall along each ray; where the ray meets no vessel, that of the others."""
        depths = np.arange(0.0, 2.5 * place.radius + 3 * self._pitch, self._step)
        filled = self._sample(self._vessel, place.centre + rays[:, None] * depths[None, :, None])
        inside = filled >= 0.5
        # A lesion may have taken the centre of the vessel: a ray ends where it leaves what it first entered.
        left = np.logical_or.accumulate(inside, axis=1) & ~inside
        ends = left.any(axis=1)
        at = np.maximum(left.argmax(axis=1), 1)
        rows = np.arange(len(rays))
        before, after = filled[rows, at - 1], filled[rows, at]
        wall = (at - 1 + (before - 0.5) / np.maximum(before - after, 1e-6)) * self._step
        usual = float(np.median(wall[ends])) if ends.any() else place.radius
        return np.where(ends, wall, usual)

    def _fills(self, points: FloatArray) -> BoolArray:
        free = 1.0 - self._sample(self._vessel, points)
        return np.asarray((free > 0.05) & (self._sample(self._other, points) >= 0.5 * free))

    def _sample(self, field: NDArray[np.uint8], points: FloatArray) -> FloatArray:
        at = (points - self._origin) @ self._inverse.T - self._start
        flat = map_coordinates(field, at.reshape(-1, 3).T, output=np.float64, order=1, mode="constant")
        return np.asarray(flat.reshape(points.shape[:-1]))


def _fan(direction: FloatArray) -> FloatArray:
    """Unit vectors evenly around a direction, perpendicular to it; shape (RAYS, 3)."""
    first = np.cross(direction, np.eye(3)[int(np.argmin(np.abs(direction)))])
    first /= np.linalg.norm(first)
    second = np.cross(direction, first)
    angles = 2 * np.pi * np.arange(RAYS) / RAYS
    return np.asarray(np.outer(np.cos(angles), first) + np.outer(np.sin(angles), second))
