"""Dividers: which region of an organ a voxel belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from tools.volume import Box, FloatArray, Grid

Numbers = NDArray[np.uint8]
Voxels = NDArray[Any]
# Voxels around those in question among which the nearest region is looked for first.
_ROOM = 3
# Axes are at right angles if their products are that small, as a share of the squared lengths.
_RIGHT_ANGLED = 1e-6
# Distances in mm that differ by less are the same.
_SAME = 1e-6


class Divider(Protocol):
    """Gives every voxel the number of its region."""

    def numbers(self, ijk: Voxels) -> Numbers:
        """Numbers from 1 of voxels (n, 3) in canonical order; 0 where that cannot be told."""


@dataclass(frozen=True)
class Planes:
    """A division by geometry.

    Attributes:
        grid: the grid.
        classify: numbers of world points (n, 3) in mm.
    """

    grid: Grid
    classify: Callable[[FloatArray], Numbers]

    @classmethod
    def of_one(cls, grid: Grid) -> Planes:
        """All is one region."""
        return cls(grid, lambda points: np.ones(len(points), dtype=np.uint8))

    def numbers(self, ijk: Voxels) -> Numbers:
        """Numbers of voxels (n, 3)."""
        return self.classify(self.grid.world(ijk))


@dataclass(frozen=True)
class Joined:
    """A coarse division of which some regions are divided further.

    Attributes:
        outer: the coarse division.
        inner: further division of each of its regions, None for one that stays whole.
        sizes: how many regions each of them makes.
    """

    outer: Divider
    inner: tuple[Divider | None, ...]
    sizes: tuple[int, ...]

    def numbers(self, ijk: Voxels) -> Numbers:
        """Numbers of voxels (n, 3), counted through all the inner regions."""
        coarse = self.outer.numbers(ijk)
        found = np.zeros_like(coarse)
        first = 0
        for number, (divider, size) in enumerate(zip(self.inner, self.sizes, strict=True), start=1):
            here = coarse == number
            if divider is None:
                found[here] = first + 1
            elif here.any():
                fine = divider.numbers(ijk[here])
                found[here] = np.where(fine > 0, fine + first, 0)
            first += size
        return found


@dataclass(frozen=True)
class Painted:
    """A division by labels.

    Attributes:
        grid: the grid.
        box: where `index` lies in it.
        index: number of the region of each voxel, 0 outside of all.
        fill: give voxels outside of all regions (lesions that were carved out of them) to the nearest one.
    """

    grid: Grid
    box: Box
    index: Numbers
    fill: bool

    def numbers(self, ijk: Voxels) -> Numbers:
        """Numbers of voxels (n, 3): their own region, else that of the nearest voxel of any, in world mm."""
        at = ijk - np.array([s.start for s in self.box])
        inside = ((at >= 0) & (at < np.array(self.index.shape))).all(axis=1)
        found = np.zeros(len(ijk), dtype=np.uint8)
        found[inside] = self.index[tuple(at[inside].T)]
        open_ = np.flatnonzero(found == 0)
        room = _ROOM
        while self.fill and open_.size:
            near, sure = self._nearest(at[open_], room)
            found[open_[sure]] = near[sure]
            open_ = open_[~sure]
            room *= 3
        return found

    def at_faces(self) -> list[int]:
        """Numbers of the regions that reach a face of the grid."""
        found: set[int] = set()
        for axis, (part, length) in enumerate(zip(self.box, self.grid.shape, strict=True)):
            if part.start == 0:
                found |= set(np.unique(self.index.take(0, axis=axis)).tolist())
            if part.stop == length:
                found |= set(np.unique(self.index.take(-1, axis=axis)).tolist())
        return sorted(found - {0})

    def _nearest(self, at: Voxels, room: int) -> tuple[Numbers, NDArray[np.bool_]]:
        """Number of the nearest region voxel within some room around the points, and where that is certain."""
        shape = np.array(self.index.shape)
        first, last = at.min(axis=0), at.max(axis=0) + 1
        # never farther than just beyond the index, where nothing is
        low = np.maximum(first - room, np.minimum(first, -1))
        high = np.minimum(last + room, np.maximum(last, shape + 1))
        everything = bool((low < 0).all() and (high > shape).all())
        crop = np.zeros(high - low, dtype=np.uint8)
        from_, to = np.clip(low, 0, shape), np.clip(high, 0, shape)
        crop[tuple(slice(a, b) for a, b in zip(from_ - low, to - low, strict=True))] = self.index[
            tuple(slice(a, b) for a, b in zip(from_, to, strict=True))
        ]
        if not crop.any():
            # an empty index would never be filled; makers of `Painted` see to it that it has a voxel
            return np.zeros(len(at), dtype=np.uint8), np.full(len(at), everything)
        numbers, gaps = self._nearest_filled(crop, at - low)
        if everything:
            return numbers, np.ones(len(at), dtype=np.bool_)
        # what lies beyond a face of the crop is at least as far away as the face
        heights = 1 / np.linalg.norm(np.linalg.inv(self.grid.affine[:3, :3]), axis=1)
        below = np.where(low > 0, (at - low + 1) * heights, np.inf)
        above = np.where(high < shape, (high - at) * heights, np.inf)
        return numbers, gaps <= np.minimum(below, above).min(axis=1)

    def _nearest_filled(self, crop: Numbers, at: Voxels) -> tuple[Numbers, FloatArray]:
        """Region with the nearest voxel in a crop, and its distance in mm; of equally near ones the first."""
        best = np.full(len(at), np.inf)
        found = np.zeros(len(at), dtype=np.uint8)
        for number in np.flatnonzero(np.bincount(crop.ravel()))[1:]:
            gaps = self._gaps(crop == number, at)
            nearer = gaps < best - _SAME
            best[nearer], found[nearer] = gaps[nearer], number
        return found, best

    def _gaps(self, filled: NDArray[np.bool_], at: Voxels) -> FloatArray:
        """Distance in mm of voxels of a crop from the nearest filled one."""
        axes = self.grid.affine[:3, :3]
        steps = axes.T @ axes
        if np.abs(steps - np.diag(np.diag(steps))).max() < _RIGHT_ANGLED * np.trace(steps):
            gaps: FloatArray = ndimage.distance_transform_edt(~filled, sampling=self.grid.spacing)[tuple(at.T)]
            return gaps
        surface = np.argwhere(filled & ~ndimage.binary_erosion(filled, border_value=1))
        distances, _ = cKDTree(surface @ axes.T).query(at @ axes.T)
        return np.asarray(distances)
