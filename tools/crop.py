"""Crops: a region of a scan with its surroundings, on an isotropic grid along the world's axes.

A crop looks the same whatever the order, tilt or sampling of the scan was: its axes run right, forward and up (RAS+),
one step is equally long along all of them, and what lies outside of the scan is told from what is air.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.errors import ToolError
from tools.crop_resample import FILL_HU, resample
from tools.shape import cut_off_by
from tools.volume import FloatArray, Grid, Region, Scan

Size = tuple[int, int, int]
_LEFT_OUT = 1e-3


@dataclass(frozen=True)
class CropLimits:
    """How large a crop may become.

    Attributes:
        voxels: most voxels of a crop; a region that needs more is sampled more coarsely.
        coarsest_mm: coarsest spacing that is chosen for that; a region that needs more still is refused.
        source_voxels: most voxels of the scan that are held as floats at once.
    """

    voxels: int = 16_000_000
    coarsest_mm: float = 8.0
    source_voxels: int = 32_000_000


@dataclass(frozen=True)
class Crop:
    """A region with its surroundings.

    Attributes:
        hu: (i, j, k) float32 HU, axes running right, forward and up; −1024 outside of the scan.
        mask: the region, bool, of the same shape; never empty.
        inside: where the scan has values (False beyond its border and where it is padding).
        grid: where the voxels lie in the world.
        spacing: mm between voxels, equal along all axes.
        margin_mm: margin around the region that was asked for.
        outside: share of the crop's voxels that lie outside of the scan.
        truncated: whether the region reaches the scan's border or its padding: there it may be cut off.
        left_out: share of the region's volume that a crop of fixed size does not show.
        context: the organ around, bool, None where none was given.
        notes: what was chosen differently from what was asked for, one clause each.
    """

    hu: NDArray[np.float32]
    mask: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    grid: Grid
    spacing: float
    margin_mm: float
    outside: float
    truncated: bool
    left_out: float = 0.0
    context: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()


def crop_roi(
    scan: Scan,
    region: Region,
    *,
    margin_mm: float = 15.0,
    spacing_mm: float | None = 1.5,
    size: Size | None = None,
    context: Region | None = None,
    limits: CropLimits | None = None,
) -> Crop:
    """Cut a region with a margin out of a scan.

    Args:
        scan: the scan.
        region: what to crop, on the scan's grid.
        margin_mm: margin in mm beyond the region's bounds along the world's axes.
        spacing_mm: isotropic spacing in mm; None for the scan's finest, or with `size` for the one that fits.
        size: voxels along i, j, k, centred on the region; None for as many as region and margin need.
        context: an organ whose mask goes along, on the scan's grid.
        limits: how large the crop may become.

    Raises:
        ToolError: the region is empty or lies in padding, the crop would be too large, or an argument is unusable.
    """
    limits = limits or CropLimits()
    if not (margin_mm >= 0 and math.isfinite(margin_mm)):
        raise ToolError(f"a crop cannot have a margin of {margin_mm:g} mm")
    if spacing_mm is not None and not (spacing_mm > 0 and math.isfinite(spacing_mm)):
        raise ToolError(f"a crop cannot have a spacing of {spacing_mm:g} mm")
    if size is not None and (min(size) < 1 or math.prod(size) > limits.voxels):
        raise ToolError(f"a crop of {size[0]} × {size[1]} × {size[2]} voxels is not possible")
    tight = tightened(region)
    if tight is None:
        raise ToolError("there is nothing to crop: the mask is empty")
    low, high = world_bounds(tight, scan.grid)
    extent = high - low + 2 * margin_mm
    spacing, shape, notes = _sampling(extent, spacing_mm, size, scan.grid, limits)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = (low + high) / 2 - (np.array(shape) - 1) / 2 * spacing
    grid = Grid(shape, affine)
    around = tightened(context) if context is not None else None
    made = resample(scan, [tight] if around is None else [tight, around], grid, limits.source_voxels)
    mask, shrunk = _kept(made.soft[0], made.inside)
    left_out = _left_out(tight, scan.grid, grid) if size is not None else 0.0
    return Crop(
        hu=made.hu,
        mask=mask,
        inside=made.inside,
        grid=grid,
        spacing=spacing,
        margin_mm=margin_mm,
        outside=1.0 - float(np.count_nonzero(made.inside)) / made.inside.size,
        truncated=bool(cut_off_by(scan, tight)),
        left_out=left_out,
        context=None if context is None else _context(made.soft[1:], made.inside),
        notes=(
            *notes,
            *(["the region is smaller than a voxel of the crop"] if shrunk else []),
            *(["the region is larger than the crop"] if left_out > _LEFT_OUT else []),
        ),
    )


def tightened(region: Region) -> Region | None:
    """The region in its smallest box, None where it has no voxel."""
    box, inner = [], []
    for axis in range(3):
        there = np.flatnonzero(region.mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if not len(there):
            return None
        first, last = int(there[0]), int(there[-1]) + 1
        inner.append(slice(first, last))
        box.append(slice(region.box[axis].start + first, region.box[axis].start + last))
    return Region((box[0], box[1], box[2]), np.ascontiguousarray(region.mask[tuple(inner)]))


def world_bounds(region: Region, grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Least and greatest world mm (3,) of a region's voxels, with their extent; the region must not be empty."""
    columns = region.mask.any(axis=2)
    ij = np.argwhere(columns)
    lines = region.mask[columns]
    first = lines.argmax(axis=1)
    last = lines.shape[1] - 1 - lines[:, ::-1].argmax(axis=1)
    ends = np.concatenate([np.column_stack([ij, first]), np.column_stack([ij, last])])
    points = grid.world(ends + np.array([part.start for part in region.box]))
    half = np.abs(grid.affine[:3, :3]).sum(axis=1) / 2
    return points.min(axis=0) - half, points.max(axis=0) + half


def _sampling(
    extent: FloatArray, spacing_mm: float | None, size: Size | None, grid: Grid, limits: CropLimits
) -> tuple[float, Size, tuple[str, ...]]:
    """Spacing, shape, and what has to be told about them."""
    if size is not None:
        # Rounded, so that the last bit of an affine decides nothing.
        fitting = round(float((extent / np.array(size)).max()), 6)
        return (spacing_mm or fitting), size, ()
    wanted = spacing_mm or round(min(grid.spacing), 6)
    spacing = wanted
    while math.prod(counts := [max(1.0, math.ceil(mm / spacing - 1e-3)) for mm in extent.tolist()]) > limits.voxels:
        spacing = max(spacing * 1.01, wanted * (math.prod(extent.tolist()) / wanted**3 / limits.voxels) ** (1 / 3))
        if spacing > max(limits.coarsest_mm, wanted):
            across = " × ".join(f"{mm:.0f}" for mm in extent.tolist())
            raise ToolError(f"the region with its margin is too large to be cropped ({across} mm)")
    notes = () if spacing == wanted else (f"sampled every {spacing:.2f} mm instead of {wanted:g} mm to bound its size",)
    return spacing, (int(counts[0]), int(counts[1]), int(counts[2])), notes


def _kept(soft: NDArray[np.float32], inside: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], bool]:
    """The mask at half coverage; of one too small for that, the voxels that it covers most."""
    mask = (soft >= 0.5) & inside
    if mask.any():
        return mask, False
    most = float(soft.max(initial=0.0, where=inside))
    if most <= 0:
        raise ToolError("there is nothing to crop: the mask lies outside of what was reconstructed")
    return (soft >= most * (1 - 1e-3)) & inside, True


def _context(soft: list[NDArray[np.float32]], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return (soft[0] >= 0.5) & inside if soft else np.zeros(inside.shape, np.bool_)


def _left_out(region: Region, grid: Grid, crop: Grid) -> float:
    """Share of a region's voxels whose centres lie outside of a crop, slice by slice to bound memory."""
    half = crop.affine[0, 0] / 2
    low, high = crop.affine[:3, 3] - half, crop.affine[:3, 3] + (np.array(crop.shape) - 0.5) * 2 * half
    start = np.array([part.start for part in region.box])
    seen = 0
    for k in range(region.mask.shape[2]):
        ij = np.argwhere(region.mask[:, :, k])
        points = grid.world(np.column_stack([ij, np.full(len(ij), k)]) + start)
        seen += int(np.count_nonzero(((points >= low) & (points <= high)).all(axis=1)))
    return 1.0 - seen / region.voxels


__all__ = ["FILL_HU", "Crop", "CropLimits", "crop_roi", "tightened", "world_bounds"]
