"""Bring label maps onto the scan's grid by their world positions.

Where the two lattices agree up to a permutation, flips and a shift by whole voxels, values are moved and never
interpolated. Elsewhere they are resampled by nearest neighbour, which is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agent.errors import LabelsError
from tools.volume import Box, FloatArray, Grid

LATTICE_TOLERANCE = 0.05
"""Largest deviation, in scan voxels, at which two lattices count as one."""
LARGEST_SHARE_OUTSIDE = 0.5

Kind = Literal["same", "reoriented", "pasted", "resampled"]
_ORDER: tuple[Kind, ...] = ("same", "reoriented", "pasted", "resampled")


@dataclass(frozen=True)
class Placed:
    """A label map on the scan's grid, cropped to the box that can hold labels.

    Attributes:
        box: where `values` lies in the scan's grid; empty where nothing is labelled.
        values: label values of the box's shape and the type that was given.
        kind: how it got there.
        labelled: number of labelled voxels in the user's map.
        outside: how many of them lie outside the scan.
        spacing: spacing in mm of the user's map along its own axes.
    """

    box: Box
    values: NDArray[Any]
    kind: Kind
    labelled: int
    outside: int
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class How:
    """What happened to one label map or to all masks of a folder taken together."""

    kind: Kind
    labelled: int
    outside: int
    spacing: tuple[float, float, float]

    def joined(self, other: How) -> How:
        """Summary of both: the least exact kind, the sum of the voxels."""
        worse = self if _ORDER.index(self.kind) >= _ORDER.index(other.kind) else other
        return How(worse.kind, self.labelled + other.labelled, self.outside + other.outside, worse.spacing)

    def clause(self) -> str:
        """How the labels got onto the scan's grid, as a clause for `LabelSet.source`."""
        return {
            "same": "on the scan's own grid",
            "reoriented": "reordered onto the scan's grid without interpolation",
            "pasted": "a part of the scan's lattice, placed without interpolation",
            "resampled": "resampled onto the scan's grid (nearest neighbour)",
        }[self.kind]

    def notes(self, grid: Grid) -> tuple[str, ...]:
        """What a reader of the results has to know about it.

        Raises:
            LabelsError: if none or less than half of the labelled voxels lie within the scan.
        """
        share = self.outside / self.labelled if self.labelled else 0.0
        if self.labelled and self.outside == self.labelled:
            raise LabelsError(
                "The labels do not overlap with the scan in world coordinates: give the label map of this scan."
            )
        if share > LARGEST_SHARE_OUTSIDE:
            raise LabelsError(
                f"{100 * share:.0f} % of the labelled voxels lie outside the scan: give the label map of this scan."
            )
        found: list[str] = []
        if self.kind == "resampled":
            found.append(
                f"the labels were resampled by nearest neighbour from {_mm(self.spacing)} to {_mm(grid.spacing)} "
                "mm: volumes of small structures are less certain"
            )
        if self.outside:
            found.append(f"{_percent(share)} of the labelled voxels lie outside the scan and are not counted")
        return tuple(found)


def bring_onto(array: NDArray[Any], affine: FloatArray, grid: Grid) -> tuple[NDArray[Any], How]:
    """Bring a label map onto the grid of a scan.

    Args:
        array: (i, j, k) label values in the user's axis order, 0 = background.
        affine: (4, 4) from its indices to world mm, RAS+, invertible; may be oblique or sheared.
        grid: the scan's grid.

    Returns:
        An array of the grid's shape and the given type, and how it came about. `How.notes` judges whether
        enough of it lies within the scan.
    """
    placed = place(array, affine, grid)
    how = How(placed.kind, placed.labelled, placed.outside, placed.spacing)
    if placed.values.shape == grid.shape:
        return placed.values, how
    full = np.zeros(grid.shape, dtype=array.dtype)
    full[placed.box] = placed.values
    return full, how


def place(array: NDArray[Any], affine: FloatArray, grid: Grid) -> Placed:
    """Like `bring_onto`, but the result is cropped to the box of the labels, which bounds memory for masks."""
    spacing = Grid((1, 1, 1), affine).spacing
    box = occupied(array)
    if box is None:
        nothing = slice(0, 0)
        return Placed((nothing,) * 3, np.zeros((0, 0, 0), array.dtype), "same", 0, 0, spacing)
    to_scan: FloatArray = np.asarray(np.linalg.solve(grid.affine, affine), dtype=np.float64)
    kind = _lattice(to_scan, array.shape, grid)
    shifted = to_scan.copy()
    shifted[:3, 3] += to_scan[:3, :3] @ [s.start for s in box]
    crop = array[box]
    if kind is None:
        return _resample(crop, shifted, grid, spacing)
    return _move(crop, np.rint(shifted).astype(int), grid, spacing, kind)


def occupied(array: NDArray[Any]) -> Box | None:
    """Bounding box of the non-zero voxels, or None where there are none."""
    slices: list[slice] = []
    window = array
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        hit = np.flatnonzero(window.any(axis=others))
        if hit.size == 0:
            return None
        slices.append(slice(int(hit[0]), int(hit[-1]) + 1))
        window = array[tuple(slices)]
    return (slices[0], slices[1], slices[2])


def _lattice(to_scan: FloatArray, shape: tuple[int, ...], grid: Grid) -> Kind | None:
    """None unless both lattices agree; else how the map's extent and axes compare with the scan's."""
    whole = np.rint(to_scan)
    steps = np.abs(whole[:3, :3])
    if not (steps.sum(axis=0) == 1).all() or not (steps.sum(axis=1) == 1).all() or steps.max() > 1:
        return None
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1)
    moved = whole[:3, :3] @ ends + whole[:3, 3:]
    gap = (to_scan - whole)[:3, :3] @ ends + (to_scan - whole)[:3, 3:]
    if np.abs(gap).max() > LATTICE_TOLERANCE:
        return None
    if moved.min(axis=1).any() or (moved.max(axis=1) != np.array(grid.shape) - 1).any():
        return "pasted"
    return "same" if np.array_equal(whole[:3, :3], np.eye(3)) else "reoriented"


def _move(
    crop: NDArray[Any], to_scan: NDArray[Any], grid: Grid, spacing: tuple[float, float, float], kind: Kind
) -> Placed:
    """Permute, flip and shift: `to_scan` holds a signed permutation and a shift by whole voxels."""
    order = [int(np.flatnonzero(to_scan[axis, :3])[0]) for axis in range(3)]
    moved = crop.transpose(order)
    first = to_scan[:3, 3].copy()
    for axis in range(3):
        if to_scan[axis, order[axis]] < 0:
            moved = np.flip(moved, axis)
            first[axis] -= moved.shape[axis] - 1
    low = np.maximum(first, 0)
    high = np.minimum(first + moved.shape, grid.shape)
    labelled = int(np.count_nonzero(moved))
    if (low >= high).any():
        nothing = slice(0, 0)
        return Placed((nothing,) * 3, np.zeros((0, 0, 0), crop.dtype), kind, labelled, labelled, spacing)
    inner = moved[tuple(slice(a - f, b - f) for a, b, f in zip(low, high, first, strict=True))]
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    outside = labelled - int(np.count_nonzero(inner)) if inner.shape != moved.shape else 0
    return Placed((box[0], box[1], box[2]), np.ascontiguousarray(inner), kind, labelled, outside, spacing)


def _resample(crop: NDArray[Any], to_scan: FloatArray, grid: Grid, spacing: tuple[float, float, float]) -> Placed:
    """Nearest neighbour, slice by slice: only index arrays of one slice are held."""
    labelled = int(np.count_nonzero(crop))
    ends = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in crop.shape])).reshape(3, -1)
    corners = to_scan[:3, :3] @ ends + to_scan[:3, 3:]
    low = np.clip(np.floor(corners.min(axis=1)), 0, grid.shape).astype(int)
    high = np.clip(np.ceil(corners.max(axis=1)) + 1, 0, grid.shape).astype(int)
    if (low >= high).any():
        nothing = slice(0, 0)
        return Placed((nothing,) * 3, np.zeros((0, 0, 0), crop.dtype), "resampled", labelled, labelled, spacing)
    back = np.linalg.inv(to_scan)
    i, j = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]), indexing="ij", sparse=True)
    # half a voxel is added and the floor taken: ties then go the same way on every axis
    planes = [back[axis, 0] * i + back[axis, 1] * j + (back[axis, 3] + 0.5) for axis in range(3)]
    values = np.zeros(tuple(high - low), dtype=crop.dtype)
    for k in range(low[2], high[2]):
        index = [np.floor(plane + back[axis, 2] * k).astype(np.int32) for axis, plane in enumerate(planes)]
        # one comparison as unsigned catches negative indices as well
        inside = np.logical_and.reduce([at.view(np.uint32) < n for at, n in zip(index, crop.shape, strict=True)])
        values[:, :, k - low[2]][inside] = crop[index[0][inside], index[1][inside], index[2][inside]]
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    outside = _outside(crop, to_scan, corners, grid)
    return Placed((box[0], box[1], box[2]), values, "resampled", labelled, outside, spacing)


def _outside(crop: NDArray[Any], to_scan: FloatArray, corners: FloatArray, grid: Grid) -> int:
    limit = np.array(grid.shape)[:, None] - 0.5
    if (corners >= -0.5).all() and (corners <= limit).all():
        return 0
    count = 0
    for k in range(crop.shape[2]):
        i, j = np.nonzero(crop[:, :, k])
        at = to_scan[:3, :2] @ np.stack([i, j]) + (to_scan[:3, 2] * k + to_scan[:3, 3])[:, None]
        count += int(np.count_nonzero(((at < -0.5) | (at >= limit)).any(axis=0)))
    return count


def _mm(spacing: tuple[float, float, float]) -> str:
    return "×".join(f"{size:.3g}" for size in spacing)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 else "less than 0.1 %"
